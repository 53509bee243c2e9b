//! The routes of the original demo: ask for a Fibonacci number, see which were asked for and which are known.

use salvo::oapi::endpoint;
use salvo::prelude::*;

use crate::answer::Answer;
use crate::error::ApiError;
use crate::problem::Problem;
use crate::wire::value::{CurrentValues, IndexList, NewValue, Value};

/// Ask for a Fibonacci number
#[endpoint(
    operation_id = "ask_value",
    tags("values"),
    parameters(
        ("wait" = Option<String>, Query, example = json!("10s"),
            description = "How long to wait for the value, from 1ms to 60s, as `500ms`, `10s` or `1m`."),
        ("Idempotency-Key" = Option<String>, Header,
            description = "1 to 255 printable ASCII characters, chosen by the caller and unique to the call."),
        ("traceparent" = Option<String>, Header, description = "W3C trace context; the worker continues it."),
    ),
    request_body(content = NewValue, description = "Which number."),
    responses(
        (status_code = 200, description = "Waited, and the value is there.", body = Value),
        (status_code = 202, description = "The job is recorded and will run.", body = Value,
            headers(("Location" = String, description = "Where the job can be read."))),
        (status_code = 400, description = "The body is not JSON, or a parameter is not valid.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 413, description = "The body is too large.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 415, description = "The body is not `application/json`.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 422, description = "The index is not a whole number within the limits.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 503, description = "The job could not be recorded; try again after `Retry-After` seconds.",
            body = Problem, content_type = "application/problem+json",
            headers(("Retry-After" = u32, description = "Seconds to wait."))),
    ),
)]
pub async fn ask(_req: &mut Request, _depot: &mut Depot) -> Result<Answer, ApiError> {
    Err(ApiError::internal("not yet"))
}

/// The indices that were asked for
///
/// At most 1,000, the latest first.
#[endpoint(
    operation_id = "list_indices",
    tags("values"),
    responses(
        (status_code = 200, description = "The indices.", body = IndexList),
        (status_code = 503, description = "The indices cannot be read at the moment.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub async fn all(_depot: &mut Depot) -> Result<Answer, ApiError> {
    Err(ApiError::internal("not yet"))
}

/// The values that are known
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
pub async fn current(_depot: &mut Depot) -> Result<Answer, ApiError> {
    Err(ApiError::internal("not yet"))
}
