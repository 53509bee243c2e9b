//! Jobs: a list of them, and one of them.

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

/// All lines of a job with the most attempts that a caller may ask for.
const MOST_LINES: u64 = 20_000;

/// List jobs
///
/// A page of jobs, newest first, that may be narrowed. `q` is a search as people write it:
/// `state:dead function:fibonacci queue:mail tag:customer-17 "timed out" index>1000 created>2026-01-02T03:04:05Z`. Words
/// are looked for in the message of the latest error; other names are paths to values in the input.
///
/// A filter that no index answers is looked for among so many jobs at a time: a page may then hold fewer jobs than it
/// could, even none, and have a `next_cursor` all the same. `searched_to` says how far it has looked.
#[endpoint(
    operation_id = "list_jobs",
    tags("jobs"),
    parameters(
        ("q" = Option<String>, Query, max_length = 2000, example = json!("state:dead \"timed out\""),
            description = "A search; all of its terms must fit."),
        ("state" = Option<States>, Query, example = json!("dead,retrying"),
            description = "Only jobs in this state, or in one of these, with commas between them."),
        ("function" = Option<String>, Query, description = "Only jobs of this function."),
        ("failure" = Option<FingerprintText>, Query, description = "Only jobs whose latest error has this fingerprint."),
        ("queue" = Option<QueueText>, Query, description = "Only jobs of this queue."),
        ("tag" = Option<TagText>, Query, description = "Only jobs that are marked with this tag."),
        ("schedule" = Option<Id>, Query, description = "Only jobs that the schedule of this id has made."),
        ("batch" = Option<Id>, Query, description = "Only jobs of the batch with this id."),
        ("worker" = Option<String>, Query, description = "Only jobs that this worker had last."),
        ("error" = Option<String>, Query, description = "Only jobs whose latest error has this in its message."),
        ("created_from" = Option<Timestamp>, Query, description = "Only jobs that were made at this time or later."),
        ("created_before" = Option<Timestamp>, Query, description = "Only jobs that were made before this time."),
        ("finished_from" = Option<Timestamp>, Query, description = "Only jobs that finished at this time or later."),
        ("finished_before" = Option<Timestamp>, Query, description = "Only jobs that finished before this time."),
        ("cursor" = Option<Id>, Query, description = "`next_cursor` of a page: the one after it, with older jobs."),
        ("before" = Option<Id>, Query,
            description = "`previous_cursor` of a page: the one before it, with newer jobs."),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "How many at most; default 50."),
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
/// With every attempt that was made, what people have done to it, and, while it is queued, its position in the queue.
/// Visitors are not told from which address something was done.
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

/// Where a queued job stands; nothing of others.
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
pub async fn logs(req: &mut Request, depot: &mut Depot) -> Result<ApiResponse, ApiError> {
    let state = AppState::of(depot)?;
    let job = find(state, req).await?;
    let lines = state.store.log_line_list(job.id, MOST_LINES).await?;
    let lines = lines.into_iter().map(Into::into).collect();
    Ok(ApiResponse::ok(&LogLineList { lines })?.tagged())
}

/// Who sent the request.
pub(crate) fn actor(depot: &Depot) -> Result<Actor, ApiError> {
    let caller = caller(depot)?;
    Ok(Actor {
        role: caller.role.as_str().to_owned(),
        address: caller.address.to_string(),
    })
}

/// The job that the path names. A text that is no id names no job.
pub(crate) async fn find(state: &Inner, req: &Request) -> Result<record::Job, ApiError> {
    let id = req.param::<String>("id").unwrap_or_default();
    let job = match id.parse::<JobId>() {
        Ok(id) => state.store.job_get(id).await?,
        Err(_) => None,
    };
    job.ok_or(ApiError::UnknownJob { id })
}
