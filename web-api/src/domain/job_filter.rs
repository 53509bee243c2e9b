//! Which jobs a list or an action is about. [`search`](super::search) reads it from a text and writes it as one; the
//! database turns it into SQL.

use chrono::{DateTime, Utc};
use jobs::job::{JobId, JobState, Priority, QueueName};
use jobs::json::decimal::Decimal;

use super::fingerprint::Fingerprint;
use super::ids::{BatchId, ScheduleId};
use super::tag::Tag;

/// Which jobs: those that fit everything that is set.
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
    /// Jobs that are marked with all of these.
    pub tags: Vec<Tag>,
    pub priority: Option<Priority>,
    pub batch: Option<BatchId>,
    /// Jobs that this schedule made.
    pub schedule: Option<ScheduleId>,
    /// Jobs that this worker had last.
    pub worker: Option<String>,
    pub created: Span,
    pub finished: Span,
    /// What the message of the last error has in it, all of them, in capitals or not.
    pub words: Vec<String>,
    pub input: Vec<InputTest>,
}

/// A stretch of time: from a moment on, and before another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    pub from: Option<DateTime<Utc>>,
    pub before: Option<DateTime<Utc>>,
}

/// What a value in the input must be. The path leads through the fields of objects.
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
