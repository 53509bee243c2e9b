//! Parses the body of a request into a checked schedule.

use chrono::{DateTime, SubsecRound as _, Utc};
use chrono_tz::Tz;
use jobs::catalog::Catalog;
use jobs::json::{Json, Object};

use crate::db::schedules::Schedule;
use crate::domain::catch_up::CatchUp;
use crate::domain::cron::{Timing, parse_zone};
use crate::domain::ids::ScheduleId;
use crate::http::error::ApiError;
use crate::http::extract::json::Fields;
use crate::http::v1::functions::call_body;

/// The longest name, in characters.
const NAME_MAX: usize = 100;
/// The largest input, as JSON text. Up to a thousand missed runs are made in one transaction, each with its
/// own copy.
const INPUT_MAX: usize = 16 * 1024;

/// The schedule that the body describes.
pub(super) fn new(body: Object, catalog: &Catalog, now: DateTime<Utc>) -> Result<Schedule, ApiError> {
    let mut fields = Fields::of(body);
    let mut schedule = Schedule {
        id: ScheduleId::new(),
        name: String::new(),
        cron: String::new(),
        time_zone: "UTC".to_owned(),
        function: String::new(),
        input: Json::null(),
        input_cut: None,
        max_attempts: None,
        catch_up: CatchUp::Once,
        paused: false,
        next_at: None,
        last_at: None,
        last_job: None,
        error: None,
        notice: None,
        revision: 0,
        created_at: now.trunc_subsecs(3),
        updated_at: now.trunc_subsecs(3),
    };
    let asked = Asked::read(&mut fields);
    let paused = fields.flag("paused");
    for (name, is_there) in [
        ("name", asked.name.is_some()),
        ("cron", asked.cron.is_some()),
        ("function", asked.function.is_some()),
        ("input", asked.input.is_some()),
    ] {
        if !is_there && !fields.is_wrong(name) {
            fields.wrong(format!("/{name}"), "is missing");
        }
    }
    schedule.paused = paused.unwrap_or(false);
    asked.apply(&mut schedule, &mut fields, catalog, now);
    fields.finish()?;
    Ok(schedule)
}

/// Changes the schedule as the body says.
pub(super) fn change(
    body: Object,
    schedule: &mut Schedule,
    catalog: &Catalog,
    now: DateTime<Utc>,
) -> Result<(), ApiError> {
    let mut fields = Fields::of(body);
    let asked = Asked::read(&mut fields);
    asked.apply(schedule, &mut fields, catalog, now);
    fields.finish()?;
    // The change may have fixed the error; the next due time sets it again if not.
    schedule.error = None;
    schedule.notice = None;
    schedule.updated_at = now.trunc_subsecs(3);
    Ok(())
}

/// The fields that a new schedule and a change have in common.
struct Asked {
    name: Option<String>,
    cron: Option<String>,
    time_zone: Option<String>,
    function: Option<String>,
    input: Option<Json>,
    max_attempts: Option<u32>,
    /// `max_attempts` is null: the function's limit applies.
    no_limit: bool,
    catch_up: Option<String>,
}

impl Asked {
    fn read(fields: &mut Fields) -> Self {
        Self {
            name: fields.text("name"),
            cron: fields.text("cron"),
            time_zone: fields.text("time_zone"),
            function: fields.text("function"),
            input: fields.json("input"),
            no_limit: fields.is_null("max_attempts"),
            max_attempts: fields
                .number("max_attempts", 1, 100)
                .and_then(|number| u32::try_from(number).ok()),
            catch_up: fields.text("catch_up"),
        }
    }

    /// Puts them into the schedule and notes what is wrong with them.
    fn apply(self, schedule: &mut Schedule, fields: &mut Fields, catalog: &Catalog, now: DateTime<Utc>) {
        if let Some(name) = self.name {
            name.trim().clone_into(&mut schedule.name);
            if !(1..=NAME_MAX).contains(&schedule.name.chars().count())
                || schedule.name.contains(char::is_control)
            {
                fields.wrong(
                    "/name",
                    format!("must have 1 to {NAME_MAX} characters, none of them a control character"),
                );
            }
        }
        if let Some(text) = self.catch_up {
            match text.parse() {
                Ok(catch_up) => schedule.catch_up = catch_up,
                Err(error) => fields.wrong("/catch_up", format!("{error}, not {}", shown(&text))),
            }
        }
        if self.max_attempts.is_some() || self.no_limit {
            schedule.max_attempts = self.max_attempts;
        }
        time(schedule, fields, self.cron.as_deref(), self.time_zone, now);
        what(schedule, fields, self.function, self.input, catalog);
    }
}

/// When it is due.
fn time(
    schedule: &mut Schedule,
    fields: &mut Fields,
    cron: Option<&str>,
    time_zone: Option<String>,
    now: DateTime<Utc>,
) {
    if cron.is_none() && time_zone.is_none() {
        return;
    }
    if let Some(time_zone) = time_zone {
        schedule.time_zone = time_zone;
    }
    let has_cron = cron.is_some() || !schedule.cron.is_empty();
    let zone = parse_zone(&schedule.time_zone).map_err(|problem| fields.wrong("/time_zone", problem));
    if !has_cron {
        return;
    }
    // A wrong zone must not hide a wrong expression.
    match Timing::parse(cron.unwrap_or(&schedule.cron), zone.unwrap_or(Tz::UTC)) {
        Ok(timing) => {
            timing.text().clone_into(&mut schedule.cron);
            let next = timing.first(schedule.begin(now));
            if next.is_none() {
                fields.wrong("/cron", "is never due again");
            }
            schedule.next_at = next.filter(|_| !schedule.paused);
        }
        Err(problem) => fields.wrong("/cron", problem),
    }
}

/// What it calls.
fn what(
    schedule: &mut Schedule,
    fields: &mut Fields,
    function: Option<String>,
    input: Option<Json>,
    catalog: &Catalog,
) {
    if function.is_none() && input.is_none() {
        return;
    }
    // For a new schedule the missing fields are already among the errors.
    let is_new = schedule.function.is_empty();
    let (has_function, has_input) = (function.is_some() || !is_new, input.is_some() || !is_new);
    schedule.function = function.unwrap_or_else(|| std::mem::take(&mut schedule.function));
    schedule.input = input.unwrap_or_else(|| std::mem::take(&mut schedule.input));
    if schedule.input.text().len() > INPUT_MAX {
        fields.wrong("/input", format!("must have at most {} KiB", INPUT_MAX / 1024));
    }
    match catalog.get(&schedule.function) {
        Some(function) if has_input => {
            if let Err(error) = call_body::check_input(function, &schedule.input, call_body::INPUT) {
                for error in error.fields() {
                    fields.wrong(error.field.clone(), error.message.clone());
                }
            }
        }
        None if has_function => {
            fields.wrong(
                "/function",
                format!("there is no function named {}", shown(&schedule.function)),
            );
        }
        Some(_) | None => {}
    }
}

/// A text of the caller, quoted and shortened.
fn shown(text: &str) -> String {
    format!("{:?}", text.chars().take(80).collect::<String>())
}
