//! What an operator does to one job: run it again, run it now, give it another input, delete it.

use ::jobs::job::JobState;
use ::jobs::json::{Json, Object};
use ::jobs::queue::Edited;
use salvo::http::StatusCode;
use salvo::oapi::endpoint;
use salvo::prelude::*;

use super::{actor, find};
use crate::db::job_history::Cause;
use crate::db::jobs::{Job as Record, Place};
use crate::http::dto::jobs::Job;
use crate::http::dto::new_job::JobChange;
use crate::http::dto::problems::Problem;
use crate::http::error::ApiError;
use crate::http::extract::json::{self, Fields};
use crate::http::response::ApiResponse;
use crate::http::state::{AppState, Inner};
use crate::http::v1::functions::call_body;
use crate::services;
use jobs::error::chain;

const EXAMPLE: &str = "{\"input\": {\"index\": 90}}";
/// How often an action begins anew because its job has gone from one place to another meanwhile.
const TRIES: usize = 5;

/// Retry a job
///
/// A job that has ended, in whatever way, waits for a worker once more: under its id, with its input, and with as many
/// attempts as it had in the beginning, which are counted on.
#[endpoint(
    operation_id = "retry_job",
    tags("jobs"),
    parameters(("id" = String, Path, description = "The id of the job.")),
    responses(
        (status_code = 202, description = "The job waits for a worker.", body = Job,
            headers(("Location" = String, description = "Where the job can be read."))),
        (status_code = 403, description = "A page of another site may not do this.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 404, description = "There is no such job.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 409, description = "The job has not ended, its queue is no longer there, or another job has its `unique_key`.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 503, description = "The job cannot be reached at the moment.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub async fn retry(req: &mut Request, depot: &mut Depot) -> Result<ApiResponse, ApiError> {
    let state = AppState::of(depot)?;
    let job = find(state, req).await?;
    check_queue(state, &job, "retried")?;
    let mut again = services::retry::run(
        &state.store,
        &state.queues,
        &state.windows,
        &job.queue,
        &[job.id],
        &cause(depot)?,
    )
    .await?;
    let now = find(state, req).await?;
    if again.pop().is_some() {
        return accepted(&now);
    }
    // Of several who want it at once, one has it run again.
    match state.store.job_key_holder(&now).await? {
        Some(holder) if now.state.is_final() => Err(ApiError::UniqueKeyTaken {
            holder: holder.to_string(),
        }),
        Some(_) | None => Err(wrong_state(&now, "retried")),
    }
}

/// Run a job now
///
/// A job that waits for its time, or for its next attempt, is due at once. Nothing changes for one that waits for a
/// worker already.
#[endpoint(
    operation_id = "run_job_now",
    tags("jobs"),
    parameters(("id" = String, Path, description = "The id of the job.")),
    responses(
        (status_code = 202, description = "The job waits for a worker.", body = Job,
            headers(("Location" = String, description = "Where the job can be read."))),
        (status_code = 403, description = "A page of another site may not do this.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 404, description = "There is no such job.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 409, description = "The job runs or has ended, or its queue is no longer there.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 503, description = "The job cannot be reached at the moment.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub async fn run_now(req: &mut Request, depot: &mut Depot) -> Result<ApiResponse, ApiError> {
    let state = AppState::of(depot)?;
    let cause = cause(depot)?;
    for _ in 0..TRIES {
        let job = find(state, req).await?;
        check_queue(state, &job, "made to run now")?;
        match (job.state, job.place) {
            (JobState::Queued, _) => return accepted(&job),
            (JobState::Scheduled | JobState::Retrying, Place::Window(_)) => {
                if state.queues.run_now(&job.queue, &[job.id]).await? == [true] {
                    state.store.job_is_due(job.id, job.attempt, &cause).await?;
                    return accepted(&find(state, req).await?);
                }
                let now = find(state, req).await?;
                if (now.state, now.place) == (job.state, job.place) {
                    return Err(on_its_way());
                }
            }
            (JobState::Scheduled | JobState::Retrying, Place::Backlog | Place::Parked) => {
                if let Some(job) = state.store.job_run_now(job.id, &cause).await? {
                    state.windows.enqueued(&job.queue);
                    announce(state, &job).await;
                    return accepted(&job);
                }
            }
            (JobState::Running | JobState::Completed | JobState::Dead | JobState::Cancelled, _) => {
                return Err(wrong_state(&job, "made to run now"));
            }
        }
    }
    Err(on_its_way())
}

/// Change a job
///
/// Another input for a job that waits. It must fit the function, as the first one did.
#[endpoint(
    operation_id = "change_job",
    tags("jobs"),
    parameters(("id" = String, Path, description = "The id of the job.")),
    request_body(content = JobChange, description = "The new input."),
    responses(
        (status_code = 200, description = "The job with its new input.", body = Job),
        (status_code = 400, description = "The body is not JSON.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 403, description = "A page of another site may not do this.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 404, description = "There is no such job, or no such function any more.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 409, description = "The job runs or has ended.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 413, description = "The body is too large.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 415, description = "The body is not `application/json`.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 422, description = "The input does not fit the function.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 503, description = "The job cannot be reached at the moment.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub async fn change(req: &mut Request, depot: &mut Depot) -> Result<ApiResponse, ApiError> {
    let state = AppState::of(depot)?;
    let job = find(state, req).await?;
    let body = json::object(req, state.settings.body_limit, EXAMPLE).await?;
    let input = new_input(state, &job, body)?;
    let cause = cause(depot)?;
    for _ in 0..TRIES {
        let job = find(state, req).await?;
        if job.state == JobState::Running || job.state.is_final() {
            return Err(wrong_state(&job, "changed"));
        }
        let edited = if let Place::Window(_) = job.place {
            edit_in_queue(state, &job, &input, &cause).await?
        } else {
            state.store.job_edit_kept(job.id, &input, &cause).await?
        };
        if let Some(job) = edited {
            announce(state, &job).await;
            return ApiResponse::ok(&Job::from(&job));
        }
    }
    Err(on_its_way())
}

/// Nobody takes jobs of a queue that is not in the settings any more.
fn check_queue(state: &Inner, job: &Record, action: &'static str) -> Result<(), ApiError> {
    if state.catalog.queues().contains(&job.queue) {
        return Ok(());
    }
    Err(ApiError::QueueRemoved {
        queue: job.queue.to_string(),
        action,
    })
}

fn new_input(state: &Inner, job: &Record, body: Object) -> Result<Json, ApiError> {
    let mut fields = Fields::of(body);
    let input = fields.json("input");
    if input.is_none() {
        fields.wrong("/input", "is missing");
    }
    fields.finish()?;
    let input = input.unwrap_or_default();
    let Some(function) = state.catalog.get(&job.function) else {
        return Err(ApiError::UnknownFunction {
            name: job.function.clone(),
        });
    };
    call_body::check_input(function, &input, call_body::INPUT)?;
    Ok(input)
}

/// `None` when the job has gone elsewhere.
async fn edit_in_queue(
    state: &Inner,
    job: &Record,
    input: &Json,
    cause: &Cause,
) -> Result<Option<Record>, ApiError> {
    let changed = Record {
        input: input.clone(),
        ..job.clone()
    };
    let envelope = changed.envelope();
    match state.queues.edit(&job.queue, &envelope).await? {
        // Whatever it does by now, this is what it runs with.
        Edited::Done => Ok(state.store.job_edited(job.id, input, cause).await?),
        Edited::Runs => Err(ApiError::WrongState {
            state: JobState::Running.as_str(),
            action: "changed",
        }),
        Edited::NotHere => {
            let now = state.store.job_get(job.id).await?;
            if now.is_some_and(|now| now.place == job.place && !now.state.is_final()) {
                return Err(on_its_way());
            }
            Ok(None)
        }
    }
}

/// Delete a job
///
/// With its attempts and log lines. Only a job that has ended can be deleted, and one of a batch only when the batch
/// has finished.
#[endpoint(
    operation_id = "delete_job",
    tags("jobs"),
    parameters(("id" = String, Path, description = "The id of the job.")),
    responses(
        (status_code = 204, description = "The job is gone."),
        (status_code = 403, description = "A page of another site may not do this.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 404, description = "There is no such job.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 409, description = "The job, or its batch, has not ended.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 503, description = "The job cannot be deleted at the moment.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub async fn delete(req: &mut Request, depot: &mut Depot, res: &mut Response) -> Result<(), ApiError> {
    let state = AppState::of(depot)?;
    let job = find(state, req).await?;
    if state.store.job_delete_many(&[job.id]).await? == 0 {
        let job = find(state, req).await?;
        if job.state.is_final() {
            return Err(ApiError::BatchUnderWay);
        }
        return Err(wrong_state(&job, "deleted"));
    }
    announce(state, &job).await;
    res.status_code(StatusCode::NO_CONTENT);
    Ok(())
}

fn cause(depot: &Depot) -> Result<Cause, ApiError> {
    Ok(Cause::by(actor(depot)?))
}

fn accepted(job: &Record) -> Result<ApiResponse, ApiError> {
    let answer = ApiResponse::json(StatusCode::ACCEPTED, &Job::from(job))?;
    Ok(answer.location(&format!("/api/v1/jobs/{}", job.id)))
}

fn wrong_state(job: &Record, action: &'static str) -> ApiError {
    ApiError::WrongState {
        state: job.state.as_str(),
        action,
    }
}

/// Between SQL and Redis, where nothing can be done to it: that takes no longer than a push.
fn on_its_way() -> ApiError {
    ApiError::Unavailable {
        what: "The job",
        cause: "it is on its way into the queue".into(),
    }
}

/// Tells the browsers, which know nothing of what happens in SQL alone.
async fn announce(state: &Inner, job: &Record) {
    if let Err(error) = state.queues.announce_many(&job.queue, 1).await {
        tracing::warn!(job = %job.id, error = chain(&error), "a page may show a job as it was until it is read again");
    }
}
