//! Batches: create, read, list and cancel.

mod cancel_jobs;
mod parse;

use std::collections::BTreeMap;
use std::sync::Arc;

use ::jobs::job::QueueName;
use salvo::http::StatusCode;
use salvo::oapi::endpoint;
use salvo::prelude::*;

use super::functions::call_body;
use super::jobs;
use crate::db::batches as record;
use crate::db::batches::insert::NewBatch as Wanted;
use crate::db::job_history::Cause;
use crate::http::dto::batches::{Batch, BatchPage, NewBatch};
use crate::http::dto::pattern::{Id, Key};
use crate::http::dto::problems::Problem;
use crate::http::error::ApiError;
use crate::http::extract::json;
use crate::http::extract::query::Query;
use crate::http::response::ApiResponse;
use crate::http::state::{AppState, Inner};
use crate::services::batch_closer::Made;

/// Create a batch
///
/// Up to 10,000 calls, all or nothing: when a call is invalid, no job is made, and the problem lists the
/// first 20 invalid fields, such as `/jobs/17/input/index`. The body may have up to 16 MiB
/// (`SPIRAL_BATCH_BODY_LIMIT`).
///
/// When all jobs are finished (completed, dead or cancelled), `on_finish` is called once. Its input gets a
/// field `batch`: `{id, total, completed, dead, cancelled}`. The input is checked against the function's
/// schema now.
///
/// A call whose `unique_key` is held by an earlier job makes no job; it is counted in `duplicates`, and the
/// batch does not wait for that job. The same `Idempotency-Key` with the same body returns the first batch.
#[endpoint(
    operation_id = "make_batch",
    tags("batches"),
    parameters(
        ("Idempotency-Key" = Option<Key>, Header,
            description = "1 to 255 printable ASCII characters, chosen by the caller and unique to the batch."),
        ("traceparent" = Option<String>, Header, description = "W3C trace context; the workers continue it."),
    ),
    request_body(content = NewBatch, description = "The calls, and the callback."),
    responses(
        (status_code = 200, description = "The key belongs to an earlier batch, which is finished.",
            body = Batch),
        (status_code = 202, description = "All jobs are recorded and will run.", body = Batch,
            headers(("Location" = String, description = "The path of the batch."))),
        (status_code = 400, description = "The body is not JSON, or a parameter is not valid.",
            body = Problem,
            content_type = "application/problem+json"),
        (status_code = 413, description = "The body is too large.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 415, description = "The body is not `application/json`.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 422, description = "A call is not valid, or the key belongs to another batch.",
            body = Problem, content_type = "application/problem+json"),
        (status_code = 429, description = "The queue is full; try again after `Retry-After` seconds.",
            body = Problem, content_type = "application/problem+json",
            headers(("Retry-After" = u32, description = "Seconds to wait."))),
        (status_code = 503, description = "The batch could not be recorded; try again after `Retry-After` seconds.",
            body = Problem, content_type = "application/problem+json",
            headers(("Retry-After" = u32, description = "Seconds to wait."))),
    ),
)]
pub async fn make(req: &mut Request, depot: &mut Depot) -> Result<ApiResponse, ApiError> {
    let state = AppState::of(depot)?;
    Query::of(req).finish()?;
    let key = call_body::idempotency_key(req.headers())?;
    let traceparent = call_body::traceparent(req.headers());
    let bytes = json::json_bytes(req, state.settings.batch_body_limit)
        .await
        .map_err(name_the_limit)?;
    let _turn = state.batches.turn().await?;
    let request = parse::Request {
        bytes,
        catalog: Arc::clone(&state.catalog),
        key,
        key_held_for: state.settings.idempotency_ttl,
        traceparent,
    };
    // The schema checks of ten thousand inputs would block the other requests of this thread.
    let reading = tokio::task::spawn_blocking(move || request.read());
    let new = reading.await.map_err(ApiError::internal)??;
    admit(state, &new).await?;
    let Made { batch, created } = state.batches.make(new).await?;
    let status = if batch.finished_at.is_some() {
        StatusCode::OK
    } else {
        StatusCode::ACCEPTED
    };
    Ok(ApiResponse::json(status, &Batch::from(&batch))?
        .location(&format!("/api/v1/batches/{}", batch.id))
        .replayed(!created))
}

/// A batch is accepted whole or not at all. It is refused while one of its queues is full, unless an earlier
/// request with the same key was accepted.
async fn admit(state: &Inner, new: &Wanted) -> Result<(), ApiError> {
    let mut queues = BTreeMap::<&QueueName, u64>::new();
    for job in &new.jobs {
        *queues.entry(&job.queue).or_default() += 1;
    }
    let Err(full) = state.backlogs.admit_all(&queues) else {
        return Ok(());
    };
    match &new.idempotency {
        Some(idempotency) if state.store.batch_is_known(&idempotency.key).await? => Ok(()),
        Some(_) | None => Err(full.into()),
    }
}

/// Batches have a body limit of their own: the message names its setting.
pub(crate) fn name_the_limit(error: ApiError) -> ApiError {
    let ApiError::BodyTooLarge { limit } = error else {
        return error;
    };
    ApiError::BodyTooLarge {
        limit: format!("{limit} for a batch (SPIRAL_BATCH_BODY_LIMIT)"),
    }
}

/// List batches
///
/// A page of batches, newest first.
#[endpoint(
    operation_id = "list_batches",
    tags("batches"),
    parameters(
        ("cursor" = Option<Id>, Query, description = "`next_cursor` of the previous page."),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 50, description = "Page size; default 20."),
    ),
    responses(
        (status_code = 200, description = "A page of batches.", body = BatchPage),
        (status_code = 400, description = "A parameter is not valid.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 503, description = "The batches cannot be read at the moment.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub async fn list(req: &mut Request, depot: &mut Depot) -> Result<ApiResponse, ApiError> {
    let state = AppState::of(depot)?;
    let mut query = Query::of(req);
    let cursor = query.parsed("cursor");
    let limit = query.number("limit", 1..=50).unwrap_or(20);
    query.finish()?;
    let page = state.store.batch_list(cursor, limit).await?;
    Ok(ApiResponse::ok(&BatchPage {
        batches: page.batches.iter().map(Into::into).collect(),
        next_cursor: page.next.map(|id| id.to_string()),
    })?
    .tagged())
}

/// Read a batch
///
/// The number of its jobs in each state. `GET /api/v1/jobs?batch=ID` lists them.
#[endpoint(
    operation_id = "get_batch",
    tags("batches"),
    parameters(("id" = String, Path, description = "The id of the batch.")),
    responses(
        (status_code = 200, description = "The batch.", body = Batch),
        (status_code = 404, description = "There is no such batch.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 503, description = "The batch cannot be read at the moment.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub async fn get(req: &mut Request, depot: &mut Depot) -> Result<ApiResponse, ApiError> {
    let batch = find(AppState::of(depot)?, req).await?;
    Ok(ApiResponse::ok(&Batch::from(&batch))?.tagged())
}

/// Cancel a batch
///
/// Cancels every unfinished job of the batch, as `POST /api/v1/jobs/{id}/cancel` does: waiting jobs at once,
/// running jobs within a second. `on_finish` is still called when the last job has finished. A finished batch
/// is unchanged.
#[endpoint(
    operation_id = "cancel_batch",
    tags("batches"),
    parameters(("id" = String, Path, description = "The id of the batch.")),
    responses(
        (status_code = 200, description = "The batch is finished.", body = Batch),
        (status_code = 202, description = "Running jobs were asked to stop.", body = Batch),
        (status_code = 403, description = "The request came from a page of another site.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 404, description = "There is no such batch.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 503, description = "Not all jobs could be cancelled; cancel the batch again.",
            body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub async fn cancel(req: &mut Request, depot: &mut Depot) -> Result<ApiResponse, ApiError> {
    let state = AppState::of(depot)?;
    let batch = find(state, req).await?;
    if batch.finished_at.is_none() {
        cancel_jobs::cancel(state, batch.id, &Cause::by(jobs::actor(depot)?)).await?;
    }
    let batch = find(state, req).await?;
    let status = if batch.counts.unfinished() == 0 {
        StatusCode::OK
    } else {
        StatusCode::ACCEPTED
    };
    ApiResponse::json(status, &Batch::from(&batch))
}

/// The batch named by the path. A text that is not an id names no batch.
async fn find(state: &Inner, req: &Request) -> Result<record::Batch, ApiError> {
    let id = req.param::<String>("id").unwrap_or_default();
    let batch = match id.parse() {
        Ok(id) => state.store.batch_get(id).await?,
        Err(_) => None,
    };
    batch.ok_or(ApiError::UnknownBatch { id })
}
