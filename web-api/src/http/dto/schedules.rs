//! A schedule as the API returns it, and the bodies that make or change one.

use chrono::{DateTime, Utc};
use jobs::catalog::Catalog;
use salvo::oapi::ToSchema;
use serde::Serialize;

use super::scalar::{AnyJson, Timestamp};
use crate::db::schedules as record;
use crate::domain::catch_up;
use crate::services::scheduler::fire;

/// Due times that are shown in advance.
pub const SHOWN: usize = 5;

/// What happens to missed runs: those not started within a minute after they were due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[salvo(schema(name = "CatchUp"))]
pub enum CatchUp {
    /// Missed runs are skipped.
    Skip,
    /// One run replaces all missed runs.
    Once,
    /// Each missed run is made, up to 1,000; then the schedule continues from now.
    All,
}

impl From<catch_up::CatchUp> for CatchUp {
    fn from(catch_up: catch_up::CatchUp) -> Self {
        match catch_up {
            catch_up::CatchUp::Skip => Self::Skip,
            catch_up::CatchUp::Once => Self::Once,
            catch_up::CatchUp::All => Self::All,
        }
    }
}

/// A schedule: calls a function at each due time.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "Schedule"))]
pub struct Schedule {
    #[salvo(schema(example = "01JD3Y8M5Q2W7E9R4T6Y1P0A2S"))]
    pub id: String,
    /// Unique among the schedules.
    #[salvo(schema(example = "morning numbers"))]
    pub name: String,
    #[salvo(schema(example = "0 8 * * *"))]
    pub cron: String,
    #[salvo(schema(example = "Europe/Berlin"))]
    pub time_zone: String,
    /// What `cron` means in plain words.
    #[salvo(schema(example = "Every day at 08:00 Europe/Berlin"))]
    pub description: String,
    /// The name of the function that it calls.
    #[salvo(schema(example = "fibonacci"))]
    pub function: String,
    /// The input of the function. In lists it is null when its JSON text has more than 4096 bytes: see
    /// `input_preview`, and read the schedule for the whole input.
    #[salvo(schema(required = true))]
    pub input: AnyJson,
    /// Size of the input's JSON text in bytes; present when the input was left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[salvo(schema(minimum = 0))]
    pub input_size: Option<u64>,
    /// The start of the input's JSON text, at most 200 characters; present when the input was left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_preview: Option<String>,
    /// The largest number of attempts of each job; null means the function's limit.
    #[salvo(schema(required = true, minimum = 1))]
    pub max_attempts: Option<u32>,
    pub catch_up: CatchUp,
    pub paused: bool,
    /// The next due time; null while the schedule is paused, and when there is none.
    #[salvo(schema(required = true))]
    pub next_at: Option<Timestamp>,
    /// The next five due times; for a paused schedule, those it would have if it were resumed now.
    pub next_times: Vec<Timestamp>,
    /// The due time of the last run, or the time at which a user started it.
    #[salvo(schema(required = true))]
    pub last_at: Option<Timestamp>,
    /// The job of the last run.
    #[salvo(schema(required = true))]
    pub last_job_id: Option<String>,
    /// Why it does not run, or why the last run failed to start; null otherwise. It is tried again at each
    /// due time.
    #[salvo(schema(required = true))]
    pub error: Option<String>,
    /// The runs that `catch_up` skipped, and when.
    #[salvo(schema(required = true))]
    pub notice: Option<String>,
    pub created_at: Timestamp,
    /// When a user last changed it.
    pub updated_at: Timestamp,
}

impl Schedule {
    /// The schedule at `now`, checked against this catalog.
    pub fn of(schedule: &record::Schedule, catalog: &Catalog, now: DateTime<Utc>) -> Self {
        let timing = fire::timing(schedule);
        let planned = schedule.next_at.filter(|next| *next > now);
        let times = timing.as_ref().map_or_else(
            |_| Vec::new(),
            |timing| timing.times_from(planned.or_else(|| timing.first(schedule.begin(now))), SHOWN),
        );
        // An input that was left out of a list cannot be checked.
        let function = match schedule.input_cut {
            Some(_) => Ok(()),
            None => fire::function(schedule, catalog).map(|_| ()),
        };
        let problem = timing
            .as_ref()
            .map(|_| ())
            .map_err(Clone::clone)
            .and(function)
            .err();
        Self {
            id: schedule.id.to_string(),
            name: schedule.name.clone(),
            cron: schedule.cron.clone(),
            time_zone: schedule.time_zone.clone(),
            description: timing.map_or_else(|_| schedule.cron.clone(), |timing| timing.describe()),
            function: schedule.function.clone(),
            input: schedule.input.clone().into(),
            input_size: schedule.input_cut.as_ref().map(|cut| cut.size),
            input_preview: schedule.input_cut.as_ref().map(|cut| cut.preview.clone()),
            max_attempts: schedule.max_attempts,
            catch_up: schedule.catch_up.into(),
            paused: schedule.paused,
            next_at: schedule.next_at.map(Into::into),
            next_times: times.into_iter().map(Into::into).collect(),
            last_at: schedule.last_at.map(Into::into),
            last_job_id: schedule.last_job.map(|id| id.to_string()),
            error: problem
                .map(|problem| format!("It cannot run: {problem}."))
                .or_else(|| schedule.error.clone()),
            notice: schedule.notice.clone(),
            created_at: schedule.created_at.into(),
            updated_at: schedule.updated_at.into(),
        }
    }
}

/// A page of schedules, by name.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "SchedulePage"))]
pub struct SchedulePage {
    pub schedules: Vec<Schedule>,
    /// The value of `cursor` for the next page; null on the last page.
    #[salvo(schema(required = true))]
    pub next_cursor: Option<String>,
}

/// The meaning of a cron expression.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "SchedulePreview"))]
pub struct SchedulePreview {
    #[salvo(schema(example = "0 8 * * *"))]
    pub cron: String,
    #[salvo(schema(example = "Europe/Berlin"))]
    pub time_zone: String,
    #[salvo(schema(example = "Every day at 08:00 Europe/Berlin"))]
    pub description: String,
    /// The next five due times of a schedule that starts now.
    pub next_times: Vec<Timestamp>,
}

/// A new schedule.
#[derive(Debug, Clone, ToSchema)]
#[salvo(schema(name = "NewSchedule"))]
pub struct NewSchedule {
    /// Unique among the schedules.
    #[salvo(schema(min_length = 1, max_length = 100, example = "morning numbers"))]
    pub name: String,
    /// Five fields (minute, hour, day of the month, month, day of the week), six with the second first, one
    /// of `@hourly`, `@daily`, `@weekly`, `@monthly` and `@yearly`, or `@every` with an interval such as
    /// `30s` or `1h30m`.
    #[salvo(schema(max_length = 256, example = "0 8 * * *"))]
    pub cron: String,
    /// A time zone of the IANA database; default `UTC`.
    #[salvo(schema(example = "Europe/Berlin"))]
    pub time_zone: Option<String>,
    /// The name of the function to call.
    #[salvo(schema(example = "fibonacci"))]
    pub function: String,
    /// The input of the function, at most 16 KiB; its schema is the function's `input_schema`.
    #[salvo(schema(required = true))]
    pub input: AnyJson,
    /// The largest number of attempts of each job; default: the function's limit.
    #[salvo(schema(minimum = 1, maximum = 100))]
    pub max_attempts: Option<u32>,
    /// Default `once`.
    pub catch_up: Option<CatchUp>,
    /// Whether the schedule starts paused; default false.
    pub paused: Option<bool>,
}

/// Changes to a schedule. An absent field is unchanged.
#[derive(Debug, Clone, ToSchema)]
#[salvo(schema(name = "ScheduleChange"))]
pub struct ScheduleChange {
    #[salvo(schema(min_length = 1, max_length = 100))]
    pub name: Option<String>,
    /// As in a new schedule. The next due time is computed again.
    #[salvo(schema(max_length = 256))]
    pub cron: Option<String>,
    pub time_zone: Option<String>,
    pub function: Option<String>,
    /// The whole input, not a part of it.
    pub input: Option<AnyJson>,
    /// Null means the function's limit.
    #[salvo(schema(minimum = 1, maximum = 100))]
    pub max_attempts: Option<u32>,
    pub catch_up: Option<CatchUp>,
}
