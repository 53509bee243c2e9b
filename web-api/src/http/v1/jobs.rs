//! Jobs: list and read.

pub(crate) mod actions;
pub mod cancel;
pub mod filter;
pub mod output;
pub mod result;

use ::jobs::clock;
use jobs::job::{JobId, JobState};
use salvo::oapi::endpoint;
use salvo::prelude::*;

use crate::db::job_history::Actor;
use crate::db::jobs as record;
use crate::http::dto::jobs::{JobDetail, JobPage, LogLineList};
use crate::http::dto::pattern::{FingerprintText, Id, QueueText, States, TagText};
use crate::http::dto::problems::Problem;
use crate::http::dto::scalar::Timestamp;
use crate::http::error::ApiError;
use crate::http::extract::caller::caller;
use crate::http::extract::query::Query;
use crate::http::response::ApiResponse;
use crate::http::state::{AppState, Inner};
use crate::services::queue_position::{self, QueuePosition};

/// Every log line of a job with the most attempts that a caller may set.
const MOST_LINES: u64 = 20_000;

/// List jobs
///
/// A page of jobs, newest first, filtered by the parameters. `q` is a search: `state:dead function:fibonacci
/// queue:mail tag:customer-17 "timed out" index>1000 created>2026-01-02T03:04:05Z`. Words match the message
/// of the latest error; other names are paths to values in the input.
///
/// A filter without an index reads a limited number of jobs per request: a page may then hold fewer jobs than
/// `limit`, even none, and still have a `next_cursor`. `searched_to` is the time that the search has reached.
#[endpoint(
    operation_id = "list_jobs",
    tags("jobs"),
    parameters(
        ("q" = Option<String>, Query, max_length = 2000, example = json!("state:dead \"timed out\""),
            description = "A search; a job must match all of its terms."),
        ("state" = Option<States>, Query, example = json!("dead,retrying"),
            description = "Only jobs in this state, or in one of several separated by commas."),
        ("function" = Option<String>, Query, description = "Only jobs of this function."),
        ("failure" = Option<FingerprintText>, Query,
            description = "Only jobs whose latest error has this fingerprint."),
        ("queue" = Option<QueueText>, Query, description = "Only jobs of this queue."),
        ("tag" = Option<TagText>, Query, description = "Only jobs with this tag."),
        ("schedule" = Option<Id>, Query, description = "Only jobs of the schedule with this id."),
        ("batch" = Option<Id>, Query, description = "Only jobs of the batch with this id."),
        ("worker" = Option<String>, Query, description = "Only jobs that this worker ran last."),
        ("error" = Option<String>, Query,
            description = "Only jobs whose latest error message contains this."),
        ("created_from" = Option<Timestamp>, Query, description = "Only jobs created at this time or later."),
        ("created_before" = Option<Timestamp>, Query, description = "Only jobs created before this time."),
        ("finished_from" = Option<Timestamp>, Query,
            description = "Only jobs that finished at this time or later."),
        ("finished_before" = Option<Timestamp>, Query,
            description = "Only jobs that finished before this time."),
        ("cursor" = Option<Id>, Query,
            description = "`next_cursor` of a page: returns the next page, with older jobs."),
        ("before" = Option<Id>, Query,
            description = "`previous_cursor` of a page: returns the previous page, with newer jobs."),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "Page size; default 50."),
    ),
    responses(
        (status_code = 200, description = "A page of jobs.", body = JobPage),
        (status_code = 400, description = "A parameter is not valid.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 503, description = "The jobs cannot be read at the moment.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub async fn list(req: &mut Request, depot: &mut Depot) -> Result<ApiResponse, ApiError> {
    let state = AppState::of(depot)?;
    let mut query = Query::of(req);
    let filter = filter::read(&mut query);
    let cursor = query.parsed::<JobId>("cursor");
    let before = query.parsed::<JobId>("before");
    if cursor.is_some() && before.is_some() {
        query.wrong(
            "before",
            "leads to newer jobs and cursor to older ones: send one of them",
        );
    }
    let limit = query.number("limit", 1..=500).unwrap_or(50);
    query.finish()?;
    let page = match before {
        Some(than) => state.store.job_list_newer(&filter, than, limit).await?,
        None => state.store.job_list(&filter, cursor, limit).await?,
    };
    Ok(ApiResponse::ok(&JobPage {
        jobs: page.jobs.iter().map(Into::into).collect(),
        next_cursor: page.next.map(|id| id.to_string()),
        previous_cursor: page.previous.map(|id| id.to_string()),
        searched_to: page.searched_to.map(Into::into),
    })?
    .tagged())
}

/// Read a job
///
/// With all attempts, the actions of users on it and, while it is queued, its position in the queue. Visitors
/// do not see the addresses of users.
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
pub async fn get(req: &mut Request, depot: &mut Depot) -> Result<ApiResponse, ApiError> {
    let state = AppState::of(depot)?;
    let job = find(state, req).await?;
    let failed = if job.attempt == 0 {
        Vec::new()
    } else {
        state.store.attempt_list(job.id).await?
    };
    let mut history = state.store.job_history_list(job.id).await?;
    if caller(depot)?.is_visitor() {
        for actor in history.iter_mut().filter_map(|entry| entry.actor.as_mut()) {
            actor.address.clear();
        }
    }
    let waiting = waiting(state, &job).await?;
    Ok(ApiResponse::ok(&JobDetail::new(&job, failed, history, waiting))?.tagged())
}

/// The position of a queued job; it shows nothing of other jobs.
async fn waiting(state: &Inner, job: &record::Job) -> Result<Option<QueuePosition>, ApiError> {
    if job.state != JobState::Queued {
        return Ok(None);
    }
    let neighbours = state.store.job_neighbours(&job.queue, job.id).await?;
    let allowed = state.store.queue_allowed(&job.queue).await?;
    let line = state.backlogs.line(&job.queue);
    Ok(Some(queue_position::standing(
        job,
        &neighbours,
        &line,
        &allowed,
        clock::now(),
    )))
}

/// Read the log of a job
///
/// The log lines of all its attempts.
#[endpoint(
    operation_id = "get_job_logs",
    tags("jobs"),
    parameters(("id" = String, Path, description = "The id of the job.")),
    responses(
        (status_code = 200, description = "The log lines, in their order.", body = LogLineList),
        (status_code = 404, description = "There is no such job.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 503, description = "The log lines cannot be read at the moment.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub async fn logs(req: &mut Request, depot: &mut Depot) -> Result<ApiResponse, ApiError> {
    let state = AppState::of(depot)?;
    let job = find(state, req).await?;
    let lines = state.store.log_line_list(job.id, MOST_LINES).await?;
    let lines = lines.into_iter().map(Into::into).collect();
    Ok(ApiResponse::ok(&LogLineList { lines })?.tagged())
}

/// The caller of the request.
pub(crate) fn actor(depot: &Depot) -> Result<Actor, ApiError> {
    let caller = caller(depot)?;
    Ok(Actor {
        role: caller.role.as_str().to_owned(),
        address: caller.address.to_string(),
    })
}

/// The job named by the path. A text that is not an id names no job.
pub(crate) async fn find(state: &Inner, req: &Request) -> Result<record::Job, ApiError> {
    let id = req.param::<String>("id").unwrap_or_default();
    let job = match id.parse::<JobId>() {
        Ok(id) => state.store.job_get(id).await?,
        Err(_) => None,
    };
    job.ok_or(ApiError::UnknownJob { id })
}
