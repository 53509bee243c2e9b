//! Jobs: a list of them, and one of them.

use salvo::oapi::endpoint;
use salvo::prelude::*;

use crate::answer::Answer;
use crate::error::ApiError;
use crate::problem::Problem;
use crate::wire::job::{Job, JobPage, State};

/// List jobs
///
/// A page of jobs, newest first, that may be narrowed to a state and a function.
#[endpoint(
    operation_id = "list_jobs",
    tags("jobs"),
    parameters(
        ("state" = Option<State>, Query, description = "Only jobs in this state."),
        ("function" = Option<String>, Query, description = "Only jobs of this function."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "How many at most; 50 unless told."),
    ),
    responses(
        (status_code = 200, description = "A page of jobs.", body = JobPage),
        (status_code = 400, description = "A parameter is not valid.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 503, description = "The jobs cannot be read at the moment.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub async fn list(_req: &mut Request, _depot: &mut Depot) -> Result<Answer, ApiError> {
    Err(ApiError::internal("not yet"))
}

/// Read a job
#[endpoint(
    operation_id = "get_job",
    tags("jobs"),
    parameters(("id" = String, Path, description = "The id of the job.")),
    responses(
        (status_code = 200, description = "The job.", body = Job),
        (status_code = 404, description = "There is no such job.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 503, description = "The job cannot be read at the moment.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub async fn get(_req: &mut Request, _depot: &mut Depot) -> Result<Answer, ApiError> {
    Err(ApiError::internal("not yet"))
}
