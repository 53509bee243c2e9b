//! Schedules: list, read, create, change and delete.

pub(crate) mod actions;
mod parse;
pub(crate) mod preview;

use ::jobs::clock;
use salvo::http::StatusCode;
use salvo::oapi::endpoint;
use salvo::prelude::*;

use crate::db::schedules as record;
use crate::db::schedules::Written;
use crate::domain::ids::ScheduleId;
use crate::http::dto::problems::{FieldError, Problem};
use crate::http::dto::schedules::{NewSchedule, Schedule, ScheduleChange, SchedulePage};
use crate::http::error::ApiError;
use crate::http::extract::json;
use crate::http::extract::query::Query;
use crate::http::response::ApiResponse;
use crate::http::state::{AppState, Inner};

const EXAMPLE: &str = "{\"name\": \"morning numbers\", \"cron\": \"0 8 * * *\", \"function\": \"fibonacci\", \"input\": {\"index\": 90}}";
const EXAMPLE_CHANGE: &str = "{\"cron\": \"0 9 * * *\"}";
/// How often a change is tried again because the scheduler has updated the row, which it does at most once a
/// second.
const TRIES: usize = 10;

/// List schedules
///
/// A page of schedules, by name, each with its meaning in words and its next due times.
#[endpoint(
    operation_id = "list_schedules",
    tags("schedules"),
    parameters(
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the previous page."),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "Page size; default 100."),
    ),
    responses(
        (status_code = 200, description = "A page of schedules.", body = SchedulePage),
        (status_code = 400, description = "A parameter is not valid.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 503, description = "The schedules cannot be read at the moment.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub async fn list(req: &mut Request, depot: &mut Depot) -> Result<ApiResponse, ApiError> {
    let state = AppState::of(depot)?;
    let mut query = Query::of(req);
    let cursor = query.words("cursor");
    let limit = query.number("limit", 1..=500).unwrap_or(100);
    query.finish()?;
    // One more than requested shows whether there is a next page.
    let mut schedules = state.store.schedule_list(cursor.as_deref(), limit + 1).await?;
    let more = schedules.len() as u64 > limit;
    schedules.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let now = clock::now();
    Ok(ApiResponse::ok(&SchedulePage {
        next_cursor: schedules.last().filter(|_| more).map(|last| last.name.clone()),
        schedules: schedules
            .iter()
            .map(|schedule| Schedule::of(schedule, &state.catalog, now))
            .collect(),
    })?
    .tagged())
}

/// Create a schedule
///
/// A job is made at each due time. When the clocks change, a fixed time of day that is skipped is due at the
/// first moment after the change, and one that occurs twice is due the first time.
#[endpoint(
    operation_id = "create_schedule",
    tags("schedules"),
    request_body(content = NewSchedule, description = "The function, its input and the due times."),
    responses(
        (status_code = 201, description = "The schedule.", body = Schedule,
            headers(("Location" = String, description = "The path of the schedule."))),
        (status_code = 400, description = "The body is not JSON.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 409, description = "The name is taken, or there are too many schedules.",
            body = Problem,
            content_type = "application/problem+json"),
        (status_code = 413, description = "The body is too large.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 415, description = "The body is not `application/json`.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 422, description = "A field is not valid.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 503, description = "The schedule cannot be recorded at the moment.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub async fn create(req: &mut Request, depot: &mut Depot) -> Result<ApiResponse, ApiError> {
    let state = AppState::of(depot)?;
    let body = json::object(req, state.settings.body_limit, EXAMPLE).await?;
    let now = clock::now();
    let schedule = parse::new(body, &state.catalog, now)?;
    // Concurrent requests may exceed the limit by a few; it only guards against runaway clients.
    let limit = state.settings.schedules;
    if state.store.schedule_count().await? >= limit {
        return Err(ApiError::TooManySchedules { limit });
    }
    match state.store.schedule_insert(&schedule).await? {
        Written::Done | Written::Outdated => {}
        Written::NameTaken => return Err(name_taken(&schedule.name)),
    }
    let body = Schedule::of(&schedule, &state.catalog, now);
    let location = format!("/api/v1/schedules/{}", schedule.id);
    Ok(ApiResponse::json(StatusCode::CREATED, &body)?.location(&location))
}

/// Read a schedule
#[endpoint(
    operation_id = "get_schedule",
    tags("schedules"),
    parameters(("id" = String, Path, description = "The id of the schedule.")),
    responses(
        (status_code = 200, description = "The schedule.", body = Schedule),
        (status_code = 404, description = "There is no such schedule.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 503, description = "The schedule cannot be read at the moment.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub async fn get(req: &mut Request, depot: &mut Depot) -> Result<ApiResponse, ApiError> {
    let state = AppState::of(depot)?;
    let schedule = find(state, req).await?;
    Ok(ApiResponse::ok(&Schedule::of(&schedule, &state.catalog, clock::now()))?.tagged())
}

/// Change a schedule
///
/// Only the fields that are sent change. A new `cron` or `time_zone` applies from now on; earlier due times
/// are not caught up.
#[endpoint(
    operation_id = "change_schedule",
    tags("schedules"),
    parameters(("id" = String, Path, description = "The id of the schedule.")),
    request_body(content = ScheduleChange, description = "The fields that change."),
    responses(
        (status_code = 200, description = "The changed schedule.", body = Schedule),
        (status_code = 400, description = "The body is not JSON.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 404, description = "There is no such schedule.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 409, description = "The name is taken.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 413, description = "The body is too large.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 415, description = "The body is not `application/json`.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 422, description = "A field is not valid.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 503, description = "The schedule cannot be changed at the moment.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub async fn change(req: &mut Request, depot: &mut Depot) -> Result<ApiResponse, ApiError> {
    let state = AppState::of(depot)?;
    let body = json::object(req, state.settings.body_limit, EXAMPLE_CHANGE).await?;
    edit(state, req, |schedule| {
        parse::change(body.clone(), schedule, &state.catalog, clock::now())
    })
    .await
}

/// Delete a schedule
///
/// The jobs that it has made are kept.
#[endpoint(
    operation_id = "delete_schedule",
    tags("schedules"),
    status_codes(204, 404, 503),
    parameters(("id" = String, Path, description = "The id of the schedule.")),
    responses(
        (status_code = 204, description = "The schedule is deleted."),
        (status_code = 404, description = "There is no such schedule.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 503, description = "The schedule cannot be deleted at the moment.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub async fn delete(req: &mut Request, depot: &mut Depot, res: &mut Response) -> Result<(), ApiError> {
    let state = AppState::of(depot)?;
    let (text, id) = id(req);
    let deleted = match id {
        Some(id) => state.store.schedule_delete(id).await?,
        None => false,
    };
    if !deleted {
        return Err(ApiError::UnknownSchedule { id: text });
    }
    res.status_code(StatusCode::NO_CONTENT);
    Ok(())
}

/// Reads the schedule named by the path, changes it and writes it back; tries again when the row has changed
/// meanwhile.
async fn edit(
    state: &Inner,
    req: &Request,
    apply: impl Fn(&mut record::Schedule) -> Result<(), ApiError>,
) -> Result<ApiResponse, ApiError> {
    for _ in 0..TRIES {
        let old = find(state, req).await?;
        let mut new = old.clone();
        apply(&mut new)?;
        if new != old {
            match state.store.schedule_update(&new).await? {
                Written::Done => {}
                Written::Outdated => continue,
                Written::NameTaken => return Err(name_taken(&new.name)),
            }
        }
        return ApiResponse::ok(&Schedule::of(&new, &state.catalog, clock::now()));
    }
    Err(ApiError::Busy)
}

/// The schedule named by the path. A text that is not an id names none.
async fn find(state: &Inner, req: &Request) -> Result<record::Schedule, ApiError> {
    let (text, id) = id(req);
    let schedule = match id {
        Some(id) => state.store.schedule_get(id).await?,
        None => None,
    };
    schedule.ok_or(ApiError::UnknownSchedule { id: text })
}

fn id(req: &Request) -> (String, Option<ScheduleId>) {
    let text = req.param::<String>("id").unwrap_or_default();
    let id = text.parse().ok();
    (text, id)
}

fn name_taken(name: &str) -> ApiError {
    ApiError::NameTaken {
        fields: vec![FieldError::new(
            "/name",
            format!("there is a schedule named {name:?} already"),
        )],
    }
}
