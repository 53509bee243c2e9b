//! The whole output of a job, however large it is.

use salvo::oapi::endpoint;
use salvo::prelude::*;

use crate::error::ApiError;
use crate::problem::Problem;
use crate::wire::scalar::AnyJson;

/// Read the output of a job
///
/// The output as JSON. With `Accept: text/plain` an output that is a string comes bare, without quotes; with
/// `download=1` it comes as a text file.
#[endpoint(
    operation_id = "get_job_result",
    tags("jobs"),
    parameters(
        ("id" = String, Path, description = "The id of the job."),
        ("download" = Option<String>, Query, example = json!("1"), description = "`1`: as a file to be saved."),
    ),
    responses(
        (status_code = 200, description = "The output.", content(
            ("application/json" = AnyJson),
            ("text/plain" = String),
        )),
        (status_code = 404, description = "There is no such job.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 409, description = "The job has no output, or not yet.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 410, description = "The output is no longer kept.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 503, description = "The output cannot be read at the moment.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub async fn get(_req: &mut Request, _depot: &mut Depot, _res: &mut Response) -> Result<(), ApiError> {
    Err(ApiError::internal("not yet"))
}
