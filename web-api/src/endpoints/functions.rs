//! The functions there are, and calling one of them.

use salvo::oapi::endpoint;
use salvo::prelude::*;

use crate::answer::Answer;
use crate::error::ApiError;
use crate::problem::Problem;
use crate::wire::function::FunctionList;
use crate::wire::job::{Job, NewJob};

/// List the functions
///
/// Every function that can be called, with the JSON Schema of its input and of its output.
#[endpoint(
    operation_id = "list_functions",
    tags("functions"),
    responses((status_code = 200, description = "The functions, by name.", body = FunctionList)),
)]
pub async fn list(_depot: &mut Depot) -> Result<Answer, ApiError> {
    Err(ApiError::internal("not yet"))
}

/// Call a function
///
/// The call becomes a job. Without `wait` the answer comes as soon as the job is recorded; with `wait` it comes with
/// the finished job, or with the job as it is once that time has passed.
///
/// The same `Idempotency-Key` with the same body gives the job that was made the first time.
#[endpoint(
    operation_id = "call_function",
    tags("functions"),
    parameters(
        ("name" = String, Path, description = "The name of the function.", example = json!("fibonacci")),
        ("wait" = Option<String>, Query, example = json!("10s"),
            description = "How long to wait for the outcome, from 1ms to 60s, as `500ms`, `10s` or `1m`."),
        ("Idempotency-Key" = Option<String>, Header,
            description = "1 to 255 printable ASCII characters, chosen by the caller and unique to the call."),
        ("traceparent" = Option<String>, Header, description = "W3C trace context; the worker continues it."),
    ),
    request_body(content = NewJob, description = "The input, and how to run it."),
    responses(
        (status_code = 200, description = "Waited, and the job is finished (or the key was used before).", body = Job),
        (status_code = 202, description = "The job is recorded and will run.", body = Job,
            headers(("Location" = String, description = "Where the job can be read."))),
        (status_code = 400, description = "The body is not JSON, or a parameter is not valid.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 404, description = "There is no such function.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 413, description = "The body is too large.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 415, description = "The body is not `application/json`.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 422, description = "The input does not fit the function, or the key belongs to another call.",
            body = Problem, content_type = "application/problem+json"),
        (status_code = 503, description = "The job could not be recorded; try again after `Retry-After` seconds.",
            body = Problem, content_type = "application/problem+json",
            headers(("Retry-After" = u32, description = "Seconds to wait."))),
    ),
)]
pub async fn call(_req: &mut Request, _depot: &mut Depot) -> Result<Answer, ApiError> {
    Err(ApiError::internal("not yet"))
}
