//! Jobs: a list of them, and one of them.

use jobs::job::JobId;
use salvo::oapi::endpoint;
use salvo::prelude::*;

use crate::answer::Answer;
use crate::error::ApiError;
use crate::problem::Problem;
use crate::query::Query;
use crate::state::{AppState, Inner};
use crate::store::job::{self as record, JobFilter};
use crate::wire::job::{JobDetail, JobPage, LogLineList, State};

/// All lines of a job with the most attempts that a caller may ask for.
const MOST_LINES: u64 = 20_000;

/// List jobs
///
/// A page of jobs, newest first, that may be narrowed to a state, a function, a schedule and a batch.
#[endpoint(
    operation_id = "list_jobs",
    tags("jobs"),
    parameters(
        ("state" = Option<State>, Query, description = "Only jobs in this state."),
        ("function" = Option<String>, Query, description = "Only jobs of this function."),
        ("schedule" = Option<String>, Query, description = "Only jobs that the schedule of this id has made."),
        ("batch" = Option<String>, Query, description = "Only jobs of the batch with this id."),
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
pub async fn list(req: &mut Request, depot: &mut Depot) -> Result<Answer, ApiError> {
    let state = AppState::of(depot)?;
    let mut query = Query::of(req);
    let filter = JobFilter {
        state: query.parsed("state"),
        function: query.parsed("function"),
        schedule: query.parsed("schedule"),
        batch: query.parsed("batch"),
    };
    let cursor = query.parsed::<JobId>("cursor");
    let limit = query.number("limit", 1..=500).unwrap_or(50);
    query.finish()?;
    let page = state.store.job_list(&filter, cursor, limit).await?;
    let jobs = page.jobs.iter().map(Into::into).collect();
    Ok(Answer::ok(&JobPage {
        jobs,
        next_cursor: page.next.map(|id| id.to_string()),
    })?
    .tagged())
}

/// Read a job
///
/// With every attempt that was made.
#[endpoint(
    operation_id = "get_job",
    tags("jobs"),
    parameters(("id" = String, Path, description = "The id of the job.")),
    responses(
        (status_code = 200, description = "The job.", body = JobDetail),
        (status_code = 404, description = "There is no such job.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 503, description = "The job cannot be read at the moment.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub async fn get(req: &mut Request, depot: &mut Depot) -> Result<Answer, ApiError> {
    let state = AppState::of(depot)?;
    let job = find(state, req).await?;
    let failed = if job.attempt == 0 {
        Vec::new()
    } else {
        state.store.attempt_list(job.id).await?
    };
    Ok(Answer::ok(&JobDetail::new(&job, failed))?.tagged())
}

/// Read what a job has logged
///
/// The lines that its function logged, of all its attempts.
#[endpoint(
    operation_id = "get_job_logs",
    tags("jobs"),
    parameters(("id" = String, Path, description = "The id of the job.")),
    responses(
        (status_code = 200, description = "The lines, in their order.", body = LogLineList),
        (status_code = 404, description = "There is no such job.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 503, description = "The lines cannot be read at the moment.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub async fn logs(req: &mut Request, depot: &mut Depot) -> Result<Answer, ApiError> {
    let state = AppState::of(depot)?;
    let job = find(state, req).await?;
    let lines = state.store.log_line_list(job.id, MOST_LINES).await?;
    let lines = lines.into_iter().map(Into::into).collect();
    Ok(Answer::ok(&LogLineList { lines })?.tagged())
}

/// The job that the path names. A text that is no id names no job.
pub(super) async fn find(state: &Inner, req: &Request) -> Result<record::Job, ApiError> {
    let id = req.param::<String>("id").unwrap_or_default();
    let job = match id.parse::<JobId>() {
        Ok(id) => state.store.job_get(id).await?,
        Err(_) => None,
    };
    job.ok_or(ApiError::UnknownJob { id })
}
