//! Failures: the errors of dead and retrying jobs, grouped.

use salvo::oapi::endpoint;
use salvo::prelude::*;

use crate::http::dto::failures::FailureList;
use crate::http::dto::problems::Problem;
use crate::http::error::ApiError;
use crate::http::extract::query::Query;
use crate::http::response::ApiResponse;
use crate::http::state::AppState;

/// List failures
///
/// Dead and retrying jobs, grouped by error: errors that differ only in numbers, ids, addresses and quoted
/// texts are one failure. Sorted by the number of jobs, largest first.
#[endpoint(
    operation_id = "list_failures",
    tags("jobs"),
    parameters(
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "Page size; default 100."),
    ),
    responses(
        (status_code = 200, description = "The failures.", body = FailureList),
        (status_code = 400, description = "A parameter is not valid.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 503, description = "The failures cannot be read at the moment.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub async fn list(req: &mut Request, depot: &mut Depot) -> Result<ApiResponse, ApiError> {
    let state = AppState::of(depot)?;
    let mut query = Query::of(req);
    let limit = query.number("limit", 1..=500).unwrap_or(100);
    query.finish()?;
    let failures = state.store.failure_list(limit).await?;
    let failures = failures.into_iter().map(Into::into).collect();
    Ok(ApiResponse::ok(&FailureList { failures })?.tagged())
}
