//! The ids of batches and schedules. That of a job is [`jobs::job::JobId`].

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use jobs::job::JobId;
use ulid::Ulid;

/// The id of a batch: a ULID, like that of a job.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId(JobId);

/// A text that names no batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a batch id (a ULID of 26 characters)")]
pub struct ParseBatchIdError(String);

impl BatchId {
    /// Makes a new id that is greater than every id this process made before.
    #[expect(
        clippy::new_without_default,
        reason = "a default id would suggest that ids are interchangeable"
    )]
    pub fn new() -> Self {
        Self(JobId::new())
    }

    /// The creation time in the id, to the millisecond.
    pub fn created_at(self) -> DateTime<Utc> {
        self.0.created_at()
    }
}

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for BatchId {
    type Err = ParseBatchIdError;

    fn from_str(text: &str) -> Result<Self, ParseBatchIdError> {
        match text.parse() {
            Ok(id) => Ok(Self(id)),
            Err(_other_words) => Err(ParseBatchIdError(text.chars().take(80).collect())),
        }
    }
}

/// The id of a schedule: a ULID.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScheduleId(Ulid);

impl ScheduleId {
    #[expect(
        clippy::new_without_default,
        reason = "a default id would suggest that ids are interchangeable"
    )]
    pub fn new() -> Self {
        Self(Ulid::generate())
    }
}

impl fmt::Display for ScheduleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for ScheduleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The text is not the id of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be the id of a schedule (a ULID of 26 characters)")]
pub struct NoScheduleId;

impl FromStr for ScheduleId {
    type Err = NoScheduleId;

    fn from_str(text: &str) -> Result<Self, NoScheduleId> {
        // Only the canonical form is accepted, so that a schedule has one address.
        let id = Ulid::from_string(text).ok().filter(|id| id.to_string() == text);
        id.map(Self).ok_or(NoScheduleId)
    }
}
