//! The table `jobs`: its rows, and the queries that read them. [`insert`], [`events`] and [`dispatch`] write them, `prune`
//! deletes them.

mod actions;
pub mod apply_events;
mod count;
mod dedupe;
pub mod dispatch;
mod filter;
pub mod insert;
mod light;
mod list;
#[cfg(test)]
pub(super) mod plans;
pub mod position;
#[cfg(test)]
mod postgres_plans;
pub(super) mod row;
mod words;

use std::time::Duration;

use chrono::{DateTime, SubsecRound, Utc};
use jobs::{
    backoff::Backoff,
    catalog::CatalogEntry,
    job::{Envelope, JobId, JobState, Priority, QueueName},
    json::Json,
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::{Store, StoreError};
use crate::domain::ids::BatchId;
use crate::domain::ids::ScheduleId;
use crate::domain::tag::Tag;
pub use count::Counted;
pub use insert::Inserted;
pub use light::InputCut;
pub(in crate::db) use light::InputSql;
pub use list::Page;

/// The states that a job never leaves by itself.
pub(in crate::db) const FINAL: [JobState; 3] = [JobState::Completed, JobState::Dead, JobState::Cancelled];

/// One call of a function: what users see of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    pub id: JobId,
    pub function: String,
    pub queue: QueueName,
    pub input: Json,
    /// What a list says instead of a large input, which is null then.
    pub input_cut: Option<InputCut>,
    /// The caller's key against having the same job twice, if there was one.
    pub unique_key: Option<String>,
    pub state: JobState,
    /// Attempts that were begun; 0 before the first.
    pub attempt: u32,
    pub max_attempts: u32,
    pub timeout: Duration,
    /// When its caller wants it to run, or when the next attempt is due.
    pub run_at: Option<DateTime<Utc>>,
    /// The last attempt's error; none once a job has completed.
    pub error: Option<JobError>,
    pub output: Option<Output>,
    /// The worker that had it last.
    pub worker: Option<String>,
    pub traceparent: Option<String>,
    pub priority: Priority,
    pub fairness_key: Option<String>,
    pub tags: Vec<Tag>,
    /// The waits between attempts, when they are not the function's.
    pub backoff: Option<Backoff>,
    /// Who keeps it while it waits.
    pub place: Place,
    /// How far the running attempt is, from 0 to 1, if it says so.
    pub progress: Option<f64>,
    /// The schedule that made it.
    pub schedule: Option<ScheduleId>,
    /// The batch that it was called with.
    pub batch: Option<BatchId>,
    pub created_at: DateTime<Utc>,
    /// When the last attempt began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it reached its final state.
    pub finished_at: Option<DateTime<Utc>>,
}

/// Who keeps a job that is not finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// SQL, until the queue in Redis has room.
    Backlog,
    /// SQL, until shortly before its time.
    Parked,
    /// Redis, since this moment.
    Window(DateTime<Utc>),
}

/// Why the last attempt failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobError {
    pub kind: String,
    pub message: String,
}

/// What SQL knows of an output: all of a small one, the measure of a large one.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// Bytes of the JSON text.
    pub size: u64,
    /// Characters, when it is a string.
    pub length: Option<u64>,
    /// Text, shortened in the middle.
    pub preview: String,
    /// The whole value, when it is small.
    pub json: Option<Json>,
}

/// The caller's key against doing the same twice, and the mark of the request that brought it first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// 1 to 255 characters.
    pub key: String,
    /// See [`crate::services::enqueuer::request_hash`].
    pub request_hash: String,
    /// How long the key is held from its first call on.
    pub held_for: Duration,
}

/// The caller's key against having the same job twice, whatever its input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unique {
    /// 1 to 255 characters.
    pub key: String,
    /// How long the key is held from its first call on; until that job is finished when it is `None`.
    pub held_for: Option<Duration>,
}

/// A job that is to be.
#[derive(Debug, Clone, PartialEq)]
pub struct NewJob {
    pub id: JobId,
    pub function: String,
    pub queue: QueueName,
    pub input: Json,
    pub max_attempts: u32,
    pub timeout: Duration,
    pub run_at: Option<DateTime<Utc>>,
    pub priority: Priority,
    pub fairness_key: Option<String>,
    pub tags: Vec<Tag>,
    pub backoff: Option<Backoff>,
    pub place: Place,
    pub idempotency: Option<Idempotency>,
    pub unique: Option<Unique>,
    pub traceparent: Option<String>,
    pub schedule: Option<ScheduleId>,
    pub batch: Option<BatchId>,
}

/// A job without an outcome: enough to ask the queue about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfinishedJob {
    pub id: JobId,
    pub queue: QueueName,
    pub function: String,
    pub attempt: u32,
}

impl From<&Job> for UnfinishedJob {
    fn from(job: &Job) -> Self {
        Self {
            id: job.id,
            queue: job.queue.clone(),
            function: job.function.clone(),
            attempt: job.attempt,
        }
    }
}

impl Job {
    /// How many attempts to count when the job is pushed once more. At least one is left: an attempt during which the
    /// queue was lost did not fail.
    pub fn attempts_that_count(&self) -> u32 {
        Ord::min(self.attempt, self.max_attempts.saturating_sub(1))
    }

    /// The job as a worker needs it.
    pub fn envelope(&self) -> Envelope {
        Envelope {
            id: self.id,
            function: self.function.clone(),
            input: self.input.raw().to_owned(),
            attempt: self.attempts_that_count(),
            max_attempts: self.max_attempts,
            timeout_ms: millis(self.timeout),
            run_at: self.run_at,
            priority: self.priority,
            fairness_key: self.fairness_key.clone(),
            backoff: self.backoff.clone(),
            tags: self.tags.iter().map(Tag::to_string).collect(),
            traceparent: self.traceparent.clone(),
        }
    }
}

impl NewJob {
    /// A job with nothing out of the ordinary. It begins in the backlog.
    pub fn new(
        function: String,
        queue: QueueName,
        input: impl Into<Json>,
        max_attempts: u32,
        timeout: Duration,
    ) -> Self {
        Self {
            id: JobId::new(),
            function,
            queue,
            input: input.into(),
            max_attempts,
            timeout,
            run_at: None,
            priority: Priority::STANDARD,
            fairness_key: None,
            tags: Vec::new(),
            backoff: None,
            place: Place::Backlog,
            idempotency: None,
            unique: None,
            traceparent: None,
            schedule: None,
            batch: None,
        }
    }

    /// A call of `function`, to be run as its policy says. The input has been checked.
    pub fn of(function: &CatalogEntry, input: Json) -> Self {
        let policy = function.policy();
        let name = function.name().to_owned();
        Self::new(
            name,
            policy.queue.clone(),
            input,
            policy.max_attempts,
            policy.timeout,
        )
    }

    /// The same call once more, as a job of its own.
    #[must_use]
    pub fn repeated(&self) -> Self {
        Self {
            id: JobId::new(),
            ..self.clone()
        }
    }

    /// The row that this job becomes at `now`.
    pub fn into_job(self, now: DateTime<Utc>) -> Job {
        // SQLite keeps nanoseconds and PostgreSQL microseconds; the API shows milliseconds: keep what all can.
        let run_at = self.run_at.map(|at| at.trunc_subsecs(3));
        let ahead = run_at.is_some_and(|at| at > now);
        Job {
            id: self.id,
            function: self.function,
            queue: self.queue,
            input: self.input,
            input_cut: None,
            unique_key: self.unique.map(|unique| unique.key),
            state: if ahead {
                JobState::Scheduled
            } else {
                JobState::Queued
            },
            attempt: 0,
            max_attempts: self.max_attempts,
            timeout: self.timeout,
            run_at,
            error: None,
            output: None,
            worker: None,
            traceparent: self.traceparent,
            priority: self.priority,
            fairness_key: self.fairness_key,
            tags: self.tags,
            backoff: self.backoff,
            place: self.place,
            progress: None,
            schedule: self.schedule,
            batch: self.batch,
            created_at: self.id.created_at(),
            started_at: None,
            finished_at: None,
        }
    }
}

impl Store {
    pub async fn job_get(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        let query = row::Entity::find_by_id(id.to_string());
        self.bounded("job_get", query.one(&self.database))
            .await?
            .map(Job::try_from)
            .transpose()
    }

    /// Those of `ids` that exist, in no particular order.
    pub async fn job_get_many(&self, ids: &[JobId]) -> Result<Vec<Job>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let query = row::Entity::find().filter(row::Column::Id.is_in(ids.iter().map(JobId::to_string)));
        let rows = self.bounded("job_get_many", query.all(&self.database)).await?;
        rows.into_iter().map(Job::try_from).collect()
    }
}

pub(in crate::db) fn parsed<T: std::str::FromStr>(
    row: &str,
    column: &str,
    text: &str,
) -> Result<T, StoreError>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error| unreadable(row, column, &error))
}

pub(in crate::db) fn unreadable(row: &str, column: &str, error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Row {
        row: format!("job {row}"),
        problem: format!("{column}: {error}"),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_final_states_are_all_there() {
        assert!(
            JobState::ALL
                .iter()
                .all(|state| FINAL.contains(state) == state.is_final())
        );
    }
}
