//! The routes of the original demo: request a Fibonacci number, list the requested indices and the computed
//! values.

use jobs::job::JobState;
use jobs::json::Json;
use salvo::oapi::endpoint;
use salvo::prelude::*;

use super::v1::functions::answer;
use super::v1::functions::call_body::{Call, Called};
use super::v1::jobs::output;
use crate::http::dto::demo::{CurrentValues, IndexList, NewValue, Value};
use crate::http::dto::jobs::Job;
use crate::http::dto::pattern::{Key, Wait};
use crate::http::dto::problems::Problem;
use crate::http::error::ApiError;
use crate::http::extract::json;
use crate::http::extract::query::Query;
use crate::http::response::ApiResponse;
use crate::http::state::AppState;

const EXAMPLE: &str = "{\"index\": 90}";
const FIBONACCI: &str = "fibonacci";
/// The length of the list of indices.
const MOST_SHOWN: u64 = 1_000;
/// The length of the list of values: shortened, they take a few megabytes at most.
const MOST_VALUES: usize = 5_000;

/// Request a Fibonacci number
#[endpoint(
    operation_id = "ask_value",
    tags("values"),
    parameters(
        ("wait" = Option<Wait>, Query, example = json!("10s"),
            description = "How long to wait for the value, from 1ms to 60s, as `500ms`, `10s` or `1m`."),
        ("Idempotency-Key" = Option<Key>, Header,
            description = "1 to 255 printable ASCII characters, chosen by the caller and unique to the call."),
        ("traceparent" = Option<String>, Header, description = "W3C trace context; the worker continues it."),
    ),
    request_body(content = NewValue, description = "The index of the number."),
    responses(
        (status_code = 200, description = "The job is finished; with its value.", body = Value),
        (status_code = 202, description = "The job is recorded and will run.", body = Value,
            headers(("Location" = String, description = "The path of the job."))),
        (status_code = 400, description = "The body is not JSON, or a parameter is not valid.",
            body = Problem,
            content_type = "application/problem+json"),
        (status_code = 413, description = "The body is too large.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 415, description = "The body is not `application/json`.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 422, description = "The index is not a whole number within the limits.",
            body = Problem,
            content_type = "application/problem+json"),
        (status_code = 429, description = "The queue is full; try again after `Retry-After` seconds.",
            body = Problem, content_type = "application/problem+json",
            headers(("Retry-After" = u32, description = "Seconds to wait."))),
        (status_code = 503, description = "The job could not be recorded; try again after `Retry-After` seconds.",
            body = Problem, content_type = "application/problem+json",
            headers(("Retry-After" = u32, description = "Seconds to wait."))),
    ),
)]
pub async fn ask(req: &mut Request, depot: &mut Depot) -> Result<ApiResponse, ApiError> {
    let state = AppState::of(depot)?;
    let Some(function) = state.catalog.get(FIBONACCI) else {
        return Err(ApiError::UnknownFunction {
            name: FIBONACCI.to_owned(),
        });
    };
    let mut query = Query::of(req);
    let wait = query.wait();
    query.finish()?;
    let input = json::object(req, state.settings.body_limit, EXAMPLE).await?;
    let index = input.get("index").and_then(Json::read::<u64>).unwrap_or_default();
    let Called { job, replayed } = Call::of(Json::of_object(&input))
        .make(state, function, req, wait)
        .await?;
    let value = if job.state == JobState::Completed {
        output::whole(state, &job).await?
    } else {
        None
    };
    let value = value.map(output::as_json).transpose()?;
    Ok(answer(
        &job,
        &Value {
            index,
            value,
            job: Job::from(&job),
        },
    )?
    .replayed(replayed))
}

/// List the requested indices
///
/// At most 1,000, newest first.
#[endpoint(
    operation_id = "list_indices",
    tags("values"),
    responses(
        (status_code = 200, description = "The indices.", body = IndexList),
        (status_code = 503, description = "The indices cannot be read at the moment.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub async fn all(depot: &mut Depot) -> Result<ApiResponse, ApiError> {
    let indices = AppState::of(depot)?.store.index_list(MOST_SHOWN).await?;
    Ok(ApiResponse::ok(&IndexList {
        indices: indices.into_iter().map(Into::into).collect(),
    })?
    .tagged())
}

/// List the computed values
///
/// Index to value. Values of more than 1,000 digits are shortened in the middle with "…".
#[endpoint(
    operation_id = "list_values",
    tags("values"),
    responses(
        (status_code = 200, description = "Index to value.", body = CurrentValues,
            example = json!({"90": "2880067194370816120"})),
        (status_code = 503, description = "The values cannot be read at the moment.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub async fn current(depot: &mut Depot) -> Result<ApiResponse, ApiError> {
    let state = AppState::of(depot)?;
    let Some(function) = state.catalog.get(FIBONACCI) else {
        return ApiResponse::ok(&CurrentValues::default());
    };
    let values = state
        .queues
        .memo_list(&function.policy().queue, FIBONACCI, MOST_VALUES)
        .await?;
    let values = values
        .into_iter()
        .map(|(index, value)| (index, value.into()))
        .collect();
    Ok(ApiResponse::ok(&CurrentValues(values))?.tagged())
}
