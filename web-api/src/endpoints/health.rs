//! Whether the process lives, whether it can work, and its metrics.

use salvo::oapi::endpoint;
use salvo::prelude::*;

use crate::answer::Answer;
use crate::error::ApiError;
use crate::wire::health::{Health, Readiness};

/// Is the process alive?
#[endpoint(
    operation_id = "healthz",
    tags("health"),
    responses((status_code = 200, description = "It is.", body = Health)),
)]
pub async fn healthz() -> Result<Answer, ApiError> {
    Err(ApiError::internal("not yet"))
}

/// Can the process do its work?
///
/// Looks at SQL, at Redis and at the recorder's last poll.
#[endpoint(
    operation_id = "readyz",
    tags("health"),
    responses(
        (status_code = 200, description = "It can.", body = Readiness),
        (status_code = 503, description = "A part is away.", body = Readiness),
    ),
)]
pub async fn readyz(_depot: &mut Depot) -> Result<Answer, ApiError> {
    Err(ApiError::internal("not yet"))
}
