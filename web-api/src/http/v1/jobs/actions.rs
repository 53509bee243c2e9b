//! The actions of an operator on one job: retry, run now, change the input, delete.

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
/// How often an action is tried again because its job has moved between SQL and Redis.
const TRIES: usize = 5;

/// Retry a job
///
/// A finished job, whatever its outcome, waits for a worker again: with the same id and input, and with its
/// original number of attempts, which continue the count.
#[endpoint(
    operation_id = "retry_job",
    tags("jobs"),
    parameters(("id" = String, Path, description = "The id of the job.")),
    responses(
        (status_code = 202, description = "The job waits for a worker.", body = Job,
            headers(("Location" = String, description = "The path of the job."))),
        (status_code = 403, description = "The request came from a page of another site.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 404, description = "There is no such job.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 409, description = "The job is not finished, its queue was removed, or another job holds \
                its `unique_key`.", body = Problem,
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
    // When several requests retry the same job at once, only one of them succeeds.
    match state.store.job_key_holder(&now).await? {
        Some(holder) if now.state.is_final() => Err(ApiError::UniqueKeyTaken {
            holder: holder.to_string(),
        }),
        Some(_) | None => Err(wrong_state(&now, "retried")),
    }
}

/// Run a job now
///
/// A job that waits for its time or for its next attempt can run at once. A queued job is unchanged.
#[endpoint(
    operation_id = "run_job_now",
    tags("jobs"),
    parameters(("id" = String, Path, description = "The id of the job.")),
    responses(
        (status_code = 202, description = "The job waits for a worker.", body = Job,
            headers(("Location" = String, description = "The path of the job."))),
        (status_code = 403, description = "The request came from a page of another site.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 404, description = "There is no such job.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 409, description = "The job is running or finished, or its queue was removed.",
            body = Problem,
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
/// Sets another input for a job that is waiting. It must fit the function's schema.
#[endpoint(
    operation_id = "change_job",
    tags("jobs"),
    parameters(("id" = String, Path, description = "The id of the job.")),
    request_body(content = JobChange, description = "The new input."),
    responses(
        (status_code = 200, description = "The changed job.", body = Job),
        (status_code = 400, description = "The body is not JSON.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 403, description = "The request came from a page of another site.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 404, description = "There is no such job, or its function was removed.",
            body = Problem,
            content_type = "application/problem+json"),
        (status_code = 409, description = "The job is running or finished.", body = Problem,
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

/// Jobs of a queue that was removed from the settings are never fetched.
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

/// `None` when the job is no longer in the queue.
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
        // Recorded even when a worker has taken the job meanwhile: the job runs with this input.
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
/// Deletes it with its attempts and log lines. Only a finished job can be deleted, and a job of a batch only
/// when the batch has finished.
#[endpoint(
    operation_id = "delete_job",
    tags("jobs"),
    parameters(("id" = String, Path, description = "The id of the job.")),
    responses(
        (status_code = 204, description = "The job is deleted."),
        (status_code = 403, description = "The request came from a page of another site.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 404, description = "There is no such job.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 409, description = "The job, or its batch, is not finished.", body = Problem,
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

/// The job is being pushed from SQL to Redis, where it cannot be changed; this is over in a moment.
fn on_its_way() -> ApiError {
    ApiError::Unavailable {
        what: "The job",
        cause: "it is on its way into the queue".into(),
    }
}

/// Publishes the change, which happened in SQL alone, to the live feed.
async fn announce(state: &Inner, job: &Record) {
    if let Err(error) = state.queues.announce_many(&job.queue, 1).await {
        tracing::warn!(job = %job.id, error = chain(&error), "a page may show a job as it was until it is read again");
    }
}
