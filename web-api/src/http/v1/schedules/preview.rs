//! The meaning of a cron expression, before there is a schedule.

use ::jobs::clock;
use chrono_tz::Tz;
use salvo::oapi::endpoint;
use salvo::prelude::*;

use crate::domain::cron::{Timing, parse_zone};
use crate::http::dto::problems::{FieldError, Problem};
use crate::http::dto::schedules::{SHOWN, SchedulePreview};
use crate::http::error::ApiError;
use crate::http::extract::query::Query;
use crate::http::response::ApiResponse;

/// Preview a cron expression
///
/// Its meaning in words and the next five due times, or what is wrong with it.
#[endpoint(
    operation_id = "preview_schedule",
    tags("schedules"),
    parameters(
        ("cron" = String, Query,
            description = "The cron expression, as in a new schedule.", example = json!("0 8 * * *")),
        ("time_zone" = Option<String>, Query, example = json!("Europe/Berlin"),
            description = "A time zone of the IANA database; default `UTC`."),
    ),
    responses(
        (status_code = 200, description = "The meaning of the expression.", body = SchedulePreview),
        (status_code = 400, description = "A parameter is not valid.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub async fn preview(req: &mut Request) -> Result<ApiResponse, ApiError> {
    let mut query = Query::of(req);
    let cron = query.words("cron").unwrap_or_default();
    let time_zone = query.words("time_zone").unwrap_or_else(|| "UTC".to_owned());
    query.finish()?;
    let zone = parse_zone(&time_zone);
    let timing = Timing::parse(&cron, *zone.as_ref().unwrap_or(&Tz::UTC));
    match (zone, timing) {
        (Ok(_), Ok(timing)) => ApiResponse::ok(&SchedulePreview {
            cron: timing.text().to_owned(),
            time_zone,
            description: timing.describe(),
            next_times: timing
                .times_from(timing.first(clock::now()), SHOWN)
                .into_iter()
                .map(Into::into)
                .collect(),
        }),
        (zone, timing) => {
            let problems = [("cron", timing.err()), ("time_zone", zone.err())];
            let fields = problems
                .into_iter()
                .filter_map(|(name, problem)| Some(FieldError::new(name, problem?)));
            Err(ApiError::InvalidParameter {
                fields: fields.collect(),
            })
        }
    }
}
