//! Turns due schedules into jobs, claimed in batches. A broken schedule does not affect the others.

use chrono::{DateTime, SubsecRound as _, Utc};
use jobs::catalog::{Catalog, CatalogEntry};

use super::plan::{Plan, plan};
use crate::db::jobs::{Inserted, NewJob};
use crate::db::schedules::Schedule;
use crate::db::schedules::fire::{DueCursor, Firing};
use crate::db::{Store, StoreError};
use crate::domain::catch_up::LATE;
use crate::domain::cron::{Timing, parse_zone};
use jobs::error::chain;

/// Schedules read at once.
const PAGE: u64 = 500;
/// A claim is full when it has this many jobs. One schedule may add [`MADE_UP`](crate::domain::catch_up::MADE_UP) by itself.
const JOBS: usize = 500;

/// The result of one page of due schedules.
#[derive(Debug, Default)]
pub struct FiredPage {
    /// The jobs that were created here and wait to be pushed.
    pub jobs: Vec<Inserted>,
    /// Something was due that this process could fire, even if another process fired it first.
    pub tried: bool,
    /// The earliest due time between now and the horizon.
    pub earliest: Option<DateTime<Utc>>,
    /// Where the next page begins; `None` when this was the last one.
    pub next: Option<DueCursor>,
}

/// Fires the schedules of one page that are due `now`, and reads ahead to the `horizon`.
///
/// # Errors
/// When the database is away. What is due stays due.
pub async fn fire_page(
    store: &Store,
    catalog: &Catalog,
    now: DateTime<Utc>,
    horizon: DateTime<Utc>,
    from: Option<DueCursor>,
) -> Result<FiredPage, StoreError> {
    let due = store.schedule_due(horizon, from, PAGE).await?;
    let mut page = FiredPage {
        next: due.next,
        ..FiredPage::default()
    };
    let mut batch = Vec::new();
    let mut jobs = 0;
    for schedule in due.schedules {
        let Some(at) = schedule.next_at else { continue };
        if at > now {
            page.earliest = page.earliest.or(Some(at));
            continue;
        }
        let Some(firing) = firing(&schedule, at, catalog, now) else {
            continue;
        };
        jobs += firing.jobs.len();
        batch.push(firing);
        if jobs >= JOBS {
            page.jobs
                .extend(claim(store, std::mem::take(&mut batch), now).await?);
            jobs = 0;
        }
        page.tried = true;
    }
    page.jobs.extend(claim(store, batch, now).await?);
    Ok(page)
}

/// What the schedule, due at `due`, becomes. `None` leaves it to another process: during a deploy, processes
/// of different versions know different functions.
fn firing(schedule: &Schedule, due: DateTime<Utc>, catalog: &Catalog, now: DateTime<Utc>) -> Option<Firing> {
    let base = Firing {
        id: schedule.id,
        revision: schedule.revision,
        next_at: None,
        last: None,
        error: None,
        notice: None,
        jobs: Vec::new(),
    };
    let broken = |problem: String, next_at: Option<DateTime<Utc>>| {
        (now - due > LATE).then(|| {
            tracing::warn!(schedule = %schedule.name, %problem, "a schedule was due and could not run");
            Firing {
                next_at,
                error: Some(problem),
                ..base.clone()
            }
        })
    };
    let timing = match timing(schedule) {
        Ok(timing) => timing,
        Err(problem) => return broken(format!("It stands still until it is changed: {problem}."), None),
    };
    let (jobs, plan) = match job(schedule, catalog) {
        Ok(job) => {
            let plan = plan(&timing, schedule.catch_up, due, now);
            (jobs(job, plan.runs), plan)
        }
        Err(problem) => {
            let problem = format!(
                "What was due at {} could not run: {problem}.",
                due.trunc_subsecs(0)
            );
            return broken(problem, timing.after(due, now));
        }
    };
    let Plan {
        last, next, notice, ..
    } = plan;
    if let Some(notice) = &notice {
        tracing::warn!(schedule = %schedule.name, %notice, "runs of a schedule were left out");
    }
    Some(Firing {
        next_at: next,
        last: last.zip(jobs.last().map(|job| job.id)),
        error: next.is_none().then(|| "It is never due again.".to_owned()),
        notice,
        jobs,
        ..base
    })
}

/// The rule of a schedule, as this build parses it.
///
/// # Errors
/// The reason why it cannot be parsed, as text.
pub fn timing(schedule: &Schedule) -> Result<Timing, String> {
    let zone = parse_zone(&schedule.time_zone).map_err(|problem| format!("the time zone {problem}"))?;
    Timing::parse(&schedule.cron, zone).map_err(|problem| format!("its cron text: {problem}"))
}

/// The function that the schedule calls.
///
/// # Errors
/// The reason why it cannot be called, as text.
pub fn function<'a>(schedule: &Schedule, catalog: &'a Catalog) -> Result<&'a CatalogEntry, String> {
    let Some(function) = catalog.get(&schedule.function) else {
        return Err(format!("there is no function named {:?}", schedule.function));
    };
    function.check_input(&schedule.input).map_err(|errors| {
        let problems: Vec<String> = errors
            .iter()
            .map(|error| format!("/input{} {}", error.pointer, error.message))
            .collect();
        format!("the input does not fit the function: {}", problems.join("; "))
    })?;
    Ok(function)
}

/// A job of the schedule.
///
/// # Errors
/// As [`function`].
pub fn job(schedule: &Schedule, catalog: &Catalog) -> Result<NewJob, String> {
    let job = NewJob::of(function(schedule, catalog)?, schedule.input.clone());
    Ok(NewJob {
        max_attempts: schedule.max_attempts.unwrap_or(job.max_attempts),
        schedule: Some(schedule.id),
        ..job
    })
}

/// Creates this many of them, each with an id of its own.
fn jobs(job: NewJob, count: usize) -> Vec<NewJob> {
    let mut jobs: Vec<NewJob> = (1..count).map(|_| job.repeated()).collect();
    jobs.extend((count > 0).then_some(job));
    jobs
}

/// Claims the batch. What the database refuses is claimed alone, and the error is recorded on its schedule.
async fn claim(store: &Store, batch: Vec<Firing>, now: DateTime<Utc>) -> Result<Vec<Inserted>, StoreError> {
    match store.schedule_fire(&batch).await {
        Err(StoreError::Data { .. }) => {}
        result => return result,
    }
    let mut inserted = Vec::new();
    for mut firing in batch {
        match store.schedule_fire(std::slice::from_ref(&firing)).await {
            Ok(jobs) => inserted.extend(jobs),
            Err(error @ StoreError::Data { .. }) => {
                tracing::error!(schedule = %firing.id, error = %chain(&error), "the database refuses a schedule's job");
                firing.jobs.clear();
                firing.last = None;
                firing.error = Some(format!(
                    "The database refused what was due until {}.",
                    now.trunc_subsecs(0)
                ));
                store.schedule_fire(&[firing]).await?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(inserted)
}
