//! Cancels a job.

use std::time::Duration;

use ::jobs::job::JobState;
use ::jobs::queue::Cancelled;
use salvo::http::StatusCode;
use salvo::oapi::endpoint;
use salvo::prelude::*;
use tokio::time::Instant;

use crate::db::job_history::Cause;
use crate::http::dto::jobs::Job;
use crate::http::dto::problems::Problem;
use crate::http::error::ApiError;
use crate::http::response::ApiResponse;
use crate::http::state::AppState;
use crate::http::v1::functions::call_body;
use crate::http::v1::jobs;
use crate::services;

/// How long the response waits for the worker of a running job, which checks more than once a second.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(2);

/// Cancel a job
///
/// A waiting job is cancelled at once. A running job is stopped by its worker within a second; a computation
/// stops at its next checkpoint. A cancelled job is unchanged.
#[endpoint(
    operation_id = "cancel_job",
    tags("jobs"),
    parameters(("id" = String, Path, description = "The id of the job.")),
    responses(
        (status_code = 200, description = "The job is cancelled.", body = Job),
        (status_code = 202, description = "The job is running, and its worker was asked to stop it.",
            body = Job),
        (status_code = 403, description = "The request came from a page of another site.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 404, description = "There is no such job.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 409, description = "The job has finished with another outcome.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 503, description = "The job cannot be reached at the moment.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub async fn cancel(req: &mut Request, depot: &mut Depot) -> Result<ApiResponse, ApiError> {
    let state = AppState::of(depot)?;
    let mut job = jobs::find(state, req).await?;
    if !job.state.is_final() {
        let mut waiter = state.outcomes.wait_for(job.id);
        let cause = Cause::by(jobs::actor(depot)?);
        state.store.job_history_cancel(&[(&job).into()], &cause).await?;
        let done = state.queues.cancel(&job.queue, &[job.id]).await?;
        if done == [Cancelled::NotHere] {
            services::cancel::elsewhere(&state.store, &state.queues, vec![(&job).into()]).await?;
            job.batch.into_iter().for_each(|batch| state.batches.touch(batch));
            job = jobs::find(state, req).await?;
        }
        if !job.state.is_final() {
            job = call_body::outcome(state, &mut waiter, job, Instant::now() + CANCEL_TIMEOUT).await?;
        }
    }
    match job.state {
        JobState::Cancelled => ApiResponse::ok(&Job::from(&job)),
        JobState::Completed | JobState::Dead => Err(ApiError::AlreadyFinished {
            state: job.state.as_str(),
        }),
        JobState::Scheduled | JobState::Queued | JobState::Running | JobState::Retrying => {
            ApiResponse::json(StatusCode::ACCEPTED, &Job::from(&job))
        }
    }
}
