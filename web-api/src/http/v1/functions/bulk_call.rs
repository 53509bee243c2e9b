//! Many calls in one request: each is accepted or refused on its own. A batch is all or nothing.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use jobs::catalog::Catalog;
use salvo::oapi::endpoint;
use salvo::prelude::*;
use serde_json::value::RawValue;

use super::call_body::{self, Call};
use crate::db::jobs::NewJob;
use crate::http::dto::bulk_call::{CallResult, CallResults, ManyCalls, Status};
use crate::http::dto::problems::Problem;
use crate::http::error::ApiError;
use crate::http::extract::json::{self, Fields};
use crate::http::extract::query::Query;
use crate::http::response::ApiResponse;
use crate::http::response::problem;
use crate::http::state::{AppState, Inner};
use crate::http::v1::functions;
use crate::services::batch_closer::MOST_JOBS;
use crate::services::enqueuer::{Enqueued, KEY_MAX};

const EXAMPLE: &str = "{\"function\": \"fibonacci\", \"input\": {\"index\": 90}}";
/// How many calls of one request wait for their commit at the same time: enough for two full commits.
const AT_ONCE: usize = 1_000;

/// Make many calls
///
/// Up to 10,000 independent calls, as a JSON array or as one JSON object per line (`application/x-ndjson`).
/// Each call has its own result; a refused call does not affect the others. Send calls refused with `429` or
/// `503` again; when each call has an `idempotency_key`, it is safe to send all of them again. The body may
/// have up to 16 MiB (`SPIRAL_BATCH_BODY_LIMIT`).
#[endpoint(
    operation_id = "make_many_calls",
    tags("jobs"),
    parameters(
        ("traceparent" = Option<String>, Header, description = "W3C trace context; the workers continue it."),
    ),
    request_body(content = ManyCalls, description = "The calls."),
    responses(
        (status_code = 200, description = "The result of each call.", body = CallResults),
        (status_code = 400, description = "The body is not JSON, or a parameter is not valid.",
            body = Problem,
            content_type = "application/problem+json"),
        (status_code = 403, description = "The request came from a page of another site.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 413, description = "The body is too large.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 415, description = "The body is neither `application/json` nor `application/x-ndjson`.",
            body = Problem, content_type = "application/problem+json"),
        (status_code = 422, description = "There are no calls, or more than 10,000.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 503, description = "The server is busy; try again after `Retry-After` seconds.",
            body = Problem,
            content_type = "application/problem+json",
            headers(("Retry-After" = u32, description = "Seconds to wait."))),
    ),
)]
pub async fn make(req: &mut Request, depot: &mut Depot) -> Result<ApiResponse, ApiError> {
    let state = AppState::of(depot)?;
    Query::of(req).finish()?;
    let traceparent = call_body::traceparent(req.headers());
    let limit = state.settings.batch_body_limit;
    let (bytes, lines) = json::json_or_lines(req, limit)
        .await
        .map_err(crate::http::v1::batches::name_the_limit)?;
    // The same permits as for batches: both hold up to 16 MiB of calls in memory.
    let _turn = state.batches.turn().await?;
    let (catalog, held_for) = (Arc::clone(&state.catalog), state.settings.idempotency_ttl);
    // The schema checks of ten thousand inputs would block the other requests of this thread.
    let reading = tokio::task::spawn_blocking(move || {
        let calls = split(&bytes, lines)?;
        let jobs = calls.iter().map(|text| {
            let job = read(text.as_ref(), &catalog, held_for)?;
            Ok(NewJob {
                traceparent: traceparent.clone(),
                ..job
            })
        });
        Ok::<_, ApiError>(jobs.collect::<Vec<Result<NewJob, ApiError>>>())
    });
    let calls = reading.await.map_err(ApiError::internal)??;
    let made: Vec<_> = futures::stream::iter(calls)
        .map(|call| async { enqueue(state, call?).await })
        .buffered(AT_ONCE)
        .collect()
        .await;

    let results: Vec<CallResult> = made.iter().map(|made| result(made, req, depot)).collect();
    let count = |status| results.iter().filter(|result| result.status == status).count();
    ApiResponse::ok(&CallResults {
        created: count(Status::Created),
        existing: count(Status::Existing),
        refused: count(Status::Refused),
        results,
    })
}

/// The text of each call.
fn split(bytes: &Bytes, lines: bool) -> Result<Vec<Bytes>, ApiError> {
    let calls = if lines {
        let lines = bytes.split(|byte| *byte == b'\n');
        let lines = lines.filter(|line| !line.iter().all(u8::is_ascii_whitespace));
        lines.map(|line| bytes.slice_ref(line)).collect()
    } else {
        let calls: Vec<&RawValue> = serde_json::from_slice(bytes).map_err(|error| ApiError::InvalidJson {
            message: format!("The body is not a JSON array of calls, such as [{EXAMPLE}]: {error}."),
        })?;
        let calls = calls
            .into_iter()
            .map(|call| bytes.slice_ref(call.get().as_bytes()));
        calls.collect::<Vec<Bytes>>()
    };
    if (1..=MOST_JOBS).contains(&calls.len()) {
        Ok(calls)
    } else {
        let message = format!("must have 1 to 10,000 calls, not {}", calls.len());
        Err(ApiError::invalid_input("", message))
    }
}

fn read(text: &[u8], catalog: &Catalog, held_for: std::time::Duration) -> Result<NewJob, ApiError> {
    let mut fields = Fields::of(json::parse_object(text, EXAMPLE)?);
    let key = fields.short_text("idempotency_key", KEY_MAX);
    let name = fields.any("function");
    let name = name
        .as_ref()
        .and_then(serde_json::Value::as_str)
        .map(str::to_owned);
    if name.is_none() {
        fields.wrong("/function", "must be the name of a function");
    }
    let call: Call = functions::read(fields, &catalog.queues())?;
    let name = name.unwrap_or_default();
    let Some(function) = catalog.get(&name) else {
        return Err(ApiError::UnknownFunction { name });
    };
    call_body::check_input(function, &call.input, call.place)?;
    let idempotency = key.map(|key| call.idempotency_of(key, held_for));
    Ok(NewJob {
        idempotency,
        ..call.into_job(function)
    })
}

async fn enqueue(state: &Inner, job: NewJob) -> Result<Enqueued, ApiError> {
    call_body::admit(state, &job).await?;
    Ok(state.enqueuer.enqueue(job).await?)
}

fn result(made: &Result<Enqueued, ApiError>, req: &Request, depot: &Depot) -> CallResult {
    match made {
        Ok(Enqueued { job, created }) => CallResult {
            status: if *created {
                Status::Created
            } else {
                Status::Existing
            },
            id: Some(job.id.to_string()),
            state: Some(job.state.into()),
            problem: None,
        },
        Err(error) => CallResult {
            status: Status::Refused,
            id: None,
            state: None,
            problem: Some(problem::of(error, req, depot)),
        },
    }
}
