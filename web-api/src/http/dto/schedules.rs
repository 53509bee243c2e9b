//! A schedule as callers see it, and the bodies that make or change one.

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

/// What becomes of the runs that nobody was there to start, a minute after they were due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[salvo(schema(name = "CatchUp"))]
pub enum CatchUp {
    /// They are left out.
    Skip,
    /// One run stands for all of them.
    Once,
    /// Each is made up for, the first 1,000 of them; then it goes on from now.
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

/// A call that the clock makes again and again.
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
    /// The argument of the function. In lists it is null when its JSON text has more than 4096 bytes: see `input_preview`,
    /// and read the schedule for the whole of it.
    #[salvo(schema(required = true))]
    pub input: AnyJson,
    /// Bytes of the input's JSON text; there when the input was left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[salvo(schema(minimum = 0))]
    pub input_size: Option<u64>,
    /// How the input's JSON text begins, in at most 200 characters; there when the input was left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_preview: Option<String>,
    /// How often each job is tried; null: as the function says.
    #[salvo(schema(required = true, minimum = 1))]
    pub max_attempts: Option<u32>,
    pub catch_up: CatchUp,
    pub paused: bool,
    /// When it is due; null while it is paused, and when it never is again.
    #[salvo(schema(required = true))]
    pub next_at: Option<Timestamp>,
    /// The next five due times; of a paused schedule, those that it would have if it went on now.
    pub next_times: Vec<Timestamp>,
    /// What the last run was due at, or when somebody started it by hand.
    #[salvo(schema(required = true))]
    pub last_at: Option<Timestamp>,
    /// The job of the last run.
    #[salvo(schema(required = true))]
    pub last_job_id: Option<String>,
    /// Why it does not run, or did not run the last time; null when all is well. It is tried again at each due time.
    #[salvo(schema(required = true))]
    pub error: Option<String>,
    /// What was left out by `catch_up`, and when.
    #[salvo(schema(required = true))]
    pub notice: Option<String>,
    pub created_at: Timestamp,
    /// When somebody changed it last.
    pub updated_at: Timestamp,
}

impl Schedule {
    /// As it looks at `now` to a process with this catalog.
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
    /// What to send as `cursor` for the next page; null on the last one.
    #[salvo(schema(required = true))]
    pub next_cursor: Option<String>,
}

/// What a cron text means.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "SchedulePreview"))]
pub struct SchedulePreview {
    #[salvo(schema(example = "0 8 * * *"))]
    pub cron: String,
    #[salvo(schema(example = "Europe/Berlin"))]
    pub time_zone: String,
    #[salvo(schema(example = "Every day at 08:00 Europe/Berlin"))]
    pub description: String,
    /// The next five due times of a schedule that begins now.
    pub next_times: Vec<Timestamp>,
}

/// A schedule that is to be.
#[derive(Debug, Clone, ToSchema)]
#[salvo(schema(name = "NewSchedule"))]
pub struct NewSchedule {
    /// Unique among the schedules.
    #[salvo(schema(min_length = 1, max_length = 100, example = "morning numbers"))]
    pub name: String,
    /// Five fields (minute, hour, day of the month, month, day of the week), six with the second first, one of `@hourly`,
    /// `@daily`, `@weekly`, `@monthly` and `@yearly`, or `@every` with a time such as `30s` or `1h30m`.
    #[salvo(schema(max_length = 256, example = "0 8 * * *"))]
    pub cron: String,
    /// A zone of the IANA database; `UTC` when it is missing.
    #[salvo(schema(example = "Europe/Berlin"))]
    pub time_zone: Option<String>,
    /// The name of the function to call.
    #[salvo(schema(example = "fibonacci"))]
    pub function: String,
    /// The argument of the function, at most 16 KiB; its shape is the function's `input_schema`.
    #[salvo(schema(required = true))]
    pub input: AnyJson,
    /// How often to try each job at most; the function's own limit when it is missing.
    #[salvo(schema(minimum = 1, maximum = 100))]
    pub max_attempts: Option<u32>,
    /// `once` when it is missing.
    pub catch_up: Option<CatchUp>,
    /// Whether it waits to be resumed; false when it is missing.
    pub paused: Option<bool>,
}

/// What is to change of a schedule. A field that is missing stays as it is.
#[derive(Debug, Clone, ToSchema)]
#[salvo(schema(name = "ScheduleChange"))]
pub struct ScheduleChange {
    #[salvo(schema(min_length = 1, max_length = 100))]
    pub name: Option<String>,
    /// As in a new schedule. The next due time follows from it anew.
    #[salvo(schema(max_length = 256))]
    pub cron: Option<String>,
    pub time_zone: Option<String>,
    pub function: Option<String>,
    /// The whole argument, not a part of it.
    pub input: Option<AnyJson>,
    /// Null: as the function says.
    #[salvo(schema(minimum = 1, maximum = 100))]
    pub max_attempts: Option<u32>,
    pub catch_up: Option<CatchUp>,
}
