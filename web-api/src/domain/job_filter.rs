//! The filter of a list of jobs or a bulk action. [`search`](super::search) parses it from a text and prints
//! it as one; the database layer turns it into SQL.

use chrono::{DateTime, Utc};
use jobs::job::{JobId, JobState, Priority, QueueName};
use jobs::json::decimal::Decimal;

use super::fingerprint::Fingerprint;
use super::ids::{BatchId, ScheduleId};
use super::tag::Tag;

/// A filter: a job must match everything that is set.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JobFilter {
    /// Jobs with one of these ids; empty is all.
    pub ids: Vec<JobId>,
    /// Jobs in one of these states; empty is all.
    pub states: Vec<JobState>,
    pub function: Option<String>,
    /// Jobs whose latest error is of this kind.
    pub failure: Option<Fingerprint>,
    pub queue: Option<QueueName>,
    /// Jobs with all of these tags.
    pub tags: Vec<Tag>,
    pub priority: Option<Priority>,
    pub batch: Option<BatchId>,
    /// Jobs of this schedule.
    pub schedule: Option<ScheduleId>,
    /// Jobs that this worker ran last.
    pub worker: Option<String>,
    pub created: Span,
    pub finished: Span,
    /// Texts that the latest error message must contain, all of them, in any case.
    pub words: Vec<String>,
    pub input: Vec<InputTest>,
}

/// A time range: from a moment on (inclusive), and before another (exclusive).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    pub from: Option<DateTime<Utc>>,
    pub before: Option<DateTime<Utc>>,
}

/// A condition on a value in the input. The path leads through the fields of objects.
#[derive(Debug, Clone, PartialEq)]
pub struct InputTest {
    pub path: Vec<String>,
    pub test: Test,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// A text, or a number, or `true` or `false`, written like this.
    Is(String),
    Above(Decimal),
    AtLeast(Decimal),
    Below(Decimal),
    AtMost(Decimal),
}
