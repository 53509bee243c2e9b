//! The tags of all jobs, for completion in the search.

use salvo::oapi::endpoint;
use salvo::prelude::*;

use crate::domain::tag::Tag;
use crate::http::dto::pattern::TagText;
use crate::http::dto::problems::Problem;
use crate::http::dto::tags::TagList;
use crate::http::error::ApiError;
use crate::http::extract::query::Query;
use crate::http::response::ApiResponse;
use crate::http::state::AppState;

/// List the tags
///
/// The tags of all stored jobs, in alphabetical order. To read on, send a longer prefix.
#[endpoint(
    operation_id = "list_tags",
    tags("jobs"),
    parameters(
        ("prefix" = Option<TagText>, Query, description = "Only tags that begin with this."),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 100, description = "Page size; default 20."),
    ),
    responses(
        (status_code = 200, description = "The tags.", body = TagList),
        (status_code = 400, description = "A parameter is not valid.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 503, description = "The tags cannot be read at the moment.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub async fn list(req: &mut Request, depot: &mut Depot) -> Result<ApiResponse, ApiError> {
    let state = AppState::of(depot)?;
    let mut query = Query::of(req);
    let prefix = query.parsed::<Tag>("prefix");
    let limit = query.number("limit", 1..=100).unwrap_or(20);
    query.finish()?;
    let prefix = prefix.as_ref().map(Tag::as_str).unwrap_or_default();
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let tags = state.store.tag_list(prefix, limit).await?;
    Ok(ApiResponse::ok(&TagList { tags })?.tagged())
}
