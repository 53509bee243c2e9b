//! Bulk actions: one action on all jobs of a search.

use ::jobs::job::JobId;
use ::jobs::json::{Json, Object};
use salvo::http::StatusCode;
use salvo::oapi::endpoint;
use salvo::prelude::*;
use serde_json::json;

use super::jobs;
use crate::db::bulk_actions as record;
use crate::db::bulk_actions::Action;
use crate::domain::job_filter::JobFilter;
use crate::http::dto::bulk_actions as wire;
use crate::http::dto::bulk_actions::{BulkAction, BulkActionList, JobCount, NewBulkAction};
use crate::http::dto::problems::Problem;
use crate::http::error::ApiError;
use crate::http::extract::json::{self, Fields};
use crate::http::extract::query::Query;
use crate::http::middleware::audit;
use crate::http::response::ApiResponse;
use crate::http::state::{AppState, Inner};
use crate::services::bulk_actions;

/// The largest list of ids; a search has no such limit.
const MOST_IDS: usize = 1_000;

const EXAMPLE: &str = "{\"action\": \"retry\", \"filter\": \"state:dead function:fibonacci\"}";

/// Start a bulk action
///
/// Retries, cancels or deletes all jobs that match the search and were made before this request, or the jobs
/// whose ids are sent. It works in the background, a few hundred jobs at a time. The response is sent at
/// once; read the bulk action to follow its progress. With `dry_run` the jobs are only counted.
#[endpoint(
    operation_id = "begin_job_action",
    tags("jobs"),
    request_body(content = NewBulkAction, description = "The action, and the jobs that it applies to."),
    responses(
        (status_code = 200, description = "The number of jobs that the bulk action would apply to.",
            body = JobCount),
        (status_code = 202, description = "The bulk action was started.", body = BulkAction,
            headers(("Location" = String, description = "The path of the bulk action."))),
        (status_code = 400, description = "The body is not JSON.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 403, description = "The request came from a page of another site.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 409, description = "Too many bulk actions are running.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 413, description = "The body is too large.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 415, description = "The body is not `application/json`.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 422, description = "There is no such action, or the search is invalid.",
            body = Problem,
            content_type = "application/problem+json"),
        (status_code = 503, description = "The bulk action cannot be recorded at the moment.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub async fn begin(req: &mut Request, depot: &mut Depot) -> Result<ApiResponse, ApiError> {
    let state = AppState::of(depot)?;
    let body = json::object(req, state.settings.body_limit, EXAMPLE).await?;
    if body.get("dry_run").is_some_and(|flag| flag.text() == "true") {
        audit::changes_nothing(depot)?;
    }
    let (action, filter, dry_run) = read(body)?;
    let state = AppState::of(depot)?;
    if dry_run {
        let counted = state.actions.count(action, &filter).await?;
        return ApiResponse::ok(&JobCount::from(counted));
    }
    let counted = state.actions.count(action, &filter).await?;
    let detail = json!({
        "action": action.as_str(),
        "filter": wire::shortened(filter.to_string()),
        "jobs": counted.jobs,
        "jobs_are_exact": counted.exact,
    });
    audit::begin(depot, &detail).await?;
    let actor = jobs::actor(depot)?;
    let begun = AppState::of(depot)?
        .actions
        .start_by(action, &filter, counted, Some(actor))
        .await?;
    let action = begun.ok_or(ApiError::TooManyActions {
        limit: bulk_actions::MOST,
    })?;
    let path = format!("/api/v1/jobs/actions/{}", action.id);
    Ok(ApiResponse::json(StatusCode::ACCEPTED, &BulkAction::from(action))?.location(&path))
}

fn read(body: Object) -> Result<(Action, JobFilter, bool), ApiError> {
    let mut fields = Fields::of(body);
    let action = fields.text("action");
    let filter = fields.text("filter");
    let ids = fields.array("ids");
    let dry_run = fields.flag("dry_run").unwrap_or(false);
    let all = fields.flag("all").unwrap_or(false);
    if action.is_none() {
        fields.missing("/action");
    }
    match (&filter, &ids) {
        (None, None) if !fields.is_wrong("ids") => fields.missing("/filter"),
        (Some(_), Some(_)) => fields.wrong("/ids", "must not be sent together with filter"),
        _ => {}
    }
    let action = action.and_then(|text| {
        let action = text.parse::<Action>();
        action
            .map_err(|error| fields.wrong("/action", error.to_string()))
            .ok()
    });
    let filter = filter.and_then(|text| {
        let filter = text.parse::<JobFilter>();
        filter
            .map_err(|error| fields.wrong("/filter", error.to_string()))
            .ok()
    });
    let picked = ids.as_ref().map(|ids| JobFilter {
        ids: picked(&mut fields, ids),
        ..JobFilter::default()
    });
    // Counting is harmless; changing every job because a filter was empty by mistake is not.
    if !all
        && !dry_run
        && filter
            .as_ref()
            .is_some_and(|filter| *filter == JobFilter::default())
    {
        fields.wrong(
            "/filter",
            "is empty, which means every job: send \"all\": true with it to mean that",
        );
    }
    if all && ids.is_some() {
        fields.wrong("/all", "must not be sent together with ids");
    }
    fields.finish()?;
    match (action, filter.or(picked)) {
        (Some(action), Some(filter)) => Ok((action, filter, dry_run)),
        _ => Err(ApiError::invalid_input("", "is not complete")),
    }
}

/// Ids of jobs, at least one.
fn picked(fields: &mut Fields, ids: &[Json]) -> Vec<JobId> {
    if !(1..=MOST_IDS).contains(&ids.len()) {
        fields.wrong("/ids", format!("must have 1 to {MOST_IDS} ids"));
        return Vec::new();
    }
    let mut picked = Vec::with_capacity(ids.len());
    for (place, id) in ids.iter().enumerate() {
        match id.as_str().as_deref().map(str::parse) {
            Some(Ok(id)) => picked.push(id),
            Some(Err(_)) | None => fields.wrong(format!("/ids/{place}"), "must be the id of a job"),
        }
    }
    picked.sort_unstable();
    picked.dedup();
    picked
}

/// List bulk actions
///
/// The latest bulk actions, newest first.
#[endpoint(
    operation_id = "list_job_actions",
    tags("jobs"),
    parameters(
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 100, description = "Page size; default 20."),
    ),
    responses(
        (status_code = 200, description = "The bulk actions.", body = BulkActionList),
        (status_code = 400, description = "A parameter is not valid.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 503, description = "The bulk actions cannot be read at the moment.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub async fn list(req: &mut Request, depot: &mut Depot) -> Result<ApiResponse, ApiError> {
    let state = AppState::of(depot)?;
    let mut query = Query::of(req);
    let limit = query.number("limit", 1..=100).unwrap_or(20);
    query.finish()?;
    let actions = state.store.job_action_list(limit).await?;
    let actions = actions.into_iter().map(Into::into).collect();
    Ok(ApiResponse::ok(&BulkActionList { actions })?.tagged())
}

/// Read a bulk action
#[endpoint(
    operation_id = "get_job_action",
    tags("jobs"),
    parameters(("id" = String, Path, description = "The id of the bulk action.")),
    responses(
        (status_code = 200, description = "The bulk action and its progress.", body = BulkAction),
        (status_code = 404, description = "There is no such bulk action.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 503, description = "The bulk action cannot be read at the moment.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub async fn get(req: &mut Request, depot: &mut Depot) -> Result<ApiResponse, ApiError> {
    let state = AppState::of(depot)?;
    let action = find(state, req).await?;
    Ok(ApiResponse::ok(&BulkAction::from(action))?.tagged())
}

/// Stop a bulk action
///
/// The changes made before remain. A bulk action that has ended is unchanged.
#[endpoint(
    operation_id = "stop_job_action",
    tags("jobs"),
    parameters(("id" = String, Path, description = "The id of the bulk action.")),
    responses(
        (status_code = 200, description = "The stopped bulk action.", body = BulkAction),
        (status_code = 403, description = "The request came from a page of another site.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 404, description = "There is no such bulk action.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 503, description = "The bulk action cannot be stopped at the moment.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub async fn stop(req: &mut Request, depot: &mut Depot) -> Result<ApiResponse, ApiError> {
    let state = AppState::of(depot)?;
    let action = find(state, req).await?;
    state.store.job_action_stop(action.id).await?;
    ApiResponse::ok(&BulkAction::from(find(state, req).await?))
}

async fn find(state: &Inner, req: &Request) -> Result<record::BulkAction, ApiError> {
    let id = req.param::<String>("id").unwrap_or_default();
    let action = match id.parse::<JobId>() {
        Ok(id) => state.store.job_action_get(id).await?,
        Err(_) => None,
    };
    action.ok_or(ApiError::UnknownAction { id })
}
