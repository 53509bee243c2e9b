//! Lists the functions, and calls one of them.

pub mod bulk_call;
pub mod call_body;
pub mod options;

use jobs::job::QueueName;
use salvo::oapi::endpoint;
use salvo::prelude::*;
use serde::Serialize;

use crate::db::jobs as record;
use crate::http::dto::functions::FunctionList;
use crate::http::dto::jobs::Job;
use crate::http::dto::new_job::NewJob;
use crate::http::dto::pattern::{Key, Wait};
use crate::http::dto::problems::Problem;
use crate::http::error::ApiError;
use crate::http::extract::caller::caller;
use crate::http::extract::json::{self, Fields};
use crate::http::extract::query::Query;
use crate::http::response::ApiResponse;
use crate::http::state::AppState;
use call_body::{Call, Called, INPUT};
use options::CallOptions;

const EXAMPLE: &str = "{\"input\": {\"index\": 90}}";

/// List the functions
///
/// Every function, with the JSON Schemas of its input and output.
#[endpoint(
    operation_id = "list_functions",
    tags("functions"),
    responses((status_code = 200, description = "The functions, by name.", body = FunctionList)),
)]
pub async fn list(depot: &mut Depot) -> Result<ApiResponse, ApiError> {
    let state = AppState::of(depot)?;
    let caller = caller(depot)?;
    let functions = state.catalog.iter();
    let functions =
        functions.filter(|function| !caller.is_visitor() || state.authenticator.is_public(function.name()));
    let functions = functions.map(Into::into).collect();
    Ok(ApiResponse::ok(&FunctionList { functions })?.tagged())
}

/// Call a function
///
/// Makes a job that runs the function. Without `wait` the response is sent as soon as the job is recorded.
/// With `wait` it is sent when the job is finished, or when that time has passed, with the job as it is then.
///
/// The same `Idempotency-Key` with the same body returns the first job, for 24 hours after it was made
/// (`SPIRAL_IDEMPOTENCY_TTL`). A `unique_key` returns the job that holds it, whatever the body: until that
/// job is finished, or for `unique_for_seconds` after its call. Such a response has the header
/// `Idempotent-Replayed: true`.
#[endpoint(
    operation_id = "call_function",
    tags("functions"),
    parameters(
        ("name" = String, Path, description = "The name of the function.", example = json!("fibonacci")),
        ("wait" = Option<Wait>, Query, example = json!("10s"),
            description = "How long to wait for the outcome, from 1ms to 60s, as `500ms`, `10s` or `1m`."),
        ("Idempotency-Key" = Option<Key>, Header,
            description = "1 to 255 printable ASCII characters, chosen by the caller and unique to the call."),
        ("traceparent" = Option<String>, Header, description = "W3C trace context; the worker continues it."),
    ),
    request_body(content = NewJob, description = "The input, and the options."),
    responses(
        (status_code = 200, description = "The job is finished, or a key belongs to a finished job.", body = Job),
        (status_code = 202, description = "The job is recorded and will run.", body = Job,
            headers(("Location" = String, description = "The path of the job."))),
        (status_code = 400, description = "The body is not JSON, or a parameter is not valid.",
            body = Problem,
            content_type = "application/problem+json"),
        (status_code = 404, description = "There is no such function.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 413, description = "The body is too large.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 415, description = "The body is not `application/json`.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 422, description = "The input does not fit the function, or the key belongs to another call.",
            body = Problem, content_type = "application/problem+json"),
        (status_code = 429, description = "The queue is full; try again after `Retry-After` seconds.",
            body = Problem, content_type = "application/problem+json",
            headers(("Retry-After" = u32, description = "Seconds to wait."))),
        (status_code = 503, description = "The job could not be recorded; try again after `Retry-After` seconds.",
            body = Problem, content_type = "application/problem+json",
            headers(("Retry-After" = u32, description = "Seconds to wait."))),
    ),
)]
pub async fn call(req: &mut Request, depot: &mut Depot) -> Result<ApiResponse, ApiError> {
    let state = AppState::of(depot)?;
    let name = req.param::<String>("name").unwrap_or_default();
    let Some(function) = state.catalog.get(&name) else {
        return Err(ApiError::UnknownFunction { name });
    };
    let mut query = Query::of(req);
    let wait = query.wait();
    query.finish()?;
    let fields = Fields::of(json::object(req, state.settings.body_limit, EXAMPLE).await?);
    if caller(depot)?.is_visitor() {
        input_alone(&fields)?;
    }
    let asked = read(fields, &state.catalog.queues())?;
    let Called { job, replayed } = asked.make(state, function, req, wait).await?;
    Ok(answer(&job, &Job::from(&job))?.replayed(replayed))
}

/// Visitors cannot set queues, priorities, times or keys, because other callers share them.
fn input_alone(fields: &Fields) -> Result<(), ApiError> {
    let others = fields.left().keys().filter(|name| *name != "input").take(10);
    let others: Vec<&str> = others.map(String::as_str).collect();
    if others.is_empty() {
        return Ok(());
    }
    Err(ApiError::VisitorsOptions {
        fields: others.join(", "),
    })
}

/// The fields of a call, with their limits.
pub(crate) fn read(mut fields: Fields, queues: &[QueueName]) -> Result<Call, ApiError> {
    let input = fields.json("input");
    if input.is_none() {
        fields.wrong("/input", "is missing");
    }
    let said = fields.left().clone();
    let options = CallOptions::take(&mut fields, queues);
    fields.finish()?;
    Ok(Call {
        input: input.unwrap_or_default(),
        place: INPUT,
        options,
        said,
    })
}

/// 200 for a finished job, 202 for an unfinished one.
pub(crate) fn answer<T: Serialize>(job: &record::Job, body: &T) -> Result<ApiResponse, ApiError> {
    let status = if job.state.is_final() {
        StatusCode::OK
    } else {
        StatusCode::ACCEPTED
    };
    Ok(ApiResponse::json(status, body)?.location(&format!("/api/v1/jobs/{}", job.id)))
}
