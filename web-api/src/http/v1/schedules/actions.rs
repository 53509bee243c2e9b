//! The actions on a schedule: pause, resume, run now.

use ::jobs::clock;
use chrono::SubsecRound as _;
use salvo::http::StatusCode;
use salvo::oapi::endpoint;
use salvo::prelude::*;

use super::{edit, find};
use crate::http::dto::jobs::Job;
use crate::http::dto::problems::Problem;
use crate::http::dto::schedules::Schedule;
use crate::http::error::ApiError;
use crate::http::response::ApiResponse;
use crate::http::state::AppState;
use crate::services::scheduler::fire;
use jobs::error::chain;

/// Pause a schedule
///
/// It makes no jobs until it is resumed. A paused schedule is unchanged.
#[endpoint(
    operation_id = "pause_schedule",
    tags("schedules"),
    parameters(("id" = String, Path, description = "The id of the schedule.")),
    responses(
        (status_code = 200, description = "The schedule is paused.", body = Schedule),
        (status_code = 404, description = "There is no such schedule.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 503, description = "The schedule cannot be changed at the moment.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub async fn pause(req: &mut Request, depot: &mut Depot) -> Result<ApiResponse, ApiError> {
    edit(AppState::of(depot)?, req, |schedule| {
        if !schedule.paused {
            schedule.paused = true;
            schedule.next_at = None;
            schedule.updated_at = clock::now().trunc_subsecs(3);
        }
        Ok(())
    })
    .await
}

/// Resume a schedule
///
/// It continues from now: due times during the pause are not caught up.
#[endpoint(
    operation_id = "resume_schedule",
    tags("schedules"),
    parameters(("id" = String, Path, description = "The id of the schedule.")),
    responses(
        (status_code = 200, description = "The schedule is resumed.", body = Schedule),
        (status_code = 404, description = "There is no such schedule.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 409, description = "The cron expression or the time zone is no longer valid.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 503, description = "The schedule cannot be changed at the moment.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub async fn resume(req: &mut Request, depot: &mut Depot) -> Result<ApiResponse, ApiError> {
    edit(AppState::of(depot)?, req, |schedule| {
        if schedule.paused {
            let now = clock::now();
            let timing = fire::timing(schedule).map_err(|problem| ApiError::ScheduleBroken { problem })?;
            schedule.paused = false;
            schedule.next_at = timing.first(schedule.begin(now));
            schedule.error = None;
            schedule.notice = None;
            schedule.updated_at = now.trunc_subsecs(3);
        }
        Ok(())
    })
    .await
}

/// Run a schedule now
///
/// Makes one job at once, even while the schedule is paused. Its due times are unchanged.
#[endpoint(
    operation_id = "run_schedule",
    tags("schedules"),
    parameters(("id" = String, Path, description = "The id of the schedule.")),
    responses(
        (status_code = 202, description = "The job is recorded and will run.", body = Job,
            headers(("Location" = String, description = "The path of the job."))),
        (status_code = 404, description = "There is no such schedule.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 409, description = "The function was removed, or the input no longer fits its schema.",
            body = Problem,
            content_type = "application/problem+json"),
        (status_code = 503, description = "The job could not be recorded; try again after `Retry-After` seconds.",
            body = Problem, content_type = "application/problem+json",
            headers(("Retry-After" = u32, description = "Seconds to wait."))),
    ),
)]
pub async fn run(req: &mut Request, depot: &mut Depot) -> Result<ApiResponse, ApiError> {
    let state = AppState::of(depot)?;
    let schedule = find(state, req).await?;
    let job = fire::job(&schedule, &state.catalog).map_err(|problem| ApiError::ScheduleBroken { problem })?;
    let job = state.enqueuer.enqueue(job).await?.job;
    // The job is recorded. An error here would make the caller try again, which would make a second job.
    if let Err(error) = state.store.schedule_ran(schedule.id, clock::now(), job.id).await {
        tracing::warn!(schedule = %schedule.name, job = %job.id, error = %chain(&error), "the run could not be noted");
    }
    let location = format!("/api/v1/jobs/{}", job.id);
    Ok(ApiResponse::json(StatusCode::ACCEPTED, &Job::from(&job))?.location(&location))
}
