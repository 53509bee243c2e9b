//! What a job is: its id, the states it can be in, and the envelope that travels through Redis.

mod id;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::backoff::Backoff;

pub use self::id::JobId;

/// A text that is not what it should be: an id, a queue name, a state or a position.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {expected}")]
pub struct ParseError {
    text: String,
    expected: &'static str,
}

impl ParseError {
    pub(crate) fn new(text: &str, expected: &'static str) -> Self {
        Self {
            text: text.chars().take(80).collect(),
            expected,
        }
    }
}

/// The name of a queue: 1 to 64 characters of `a-z`, `0-9` and `-`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct QueueName(Arc<str>);

impl QueueName {
    /// The queue of functions that name no other.
    pub fn standard() -> Self {
        Self(Arc::from("default"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for QueueName {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if (1..=64).contains(&text.len()) && text.bytes().all(legal) {
            Ok(Self(Arc::from(text)))
        } else {
            Err(ParseError::new(
                text,
                "a queue name (1 to 64 characters of a-z, 0-9 and -)",
            ))
        }
    }
}

impl TryFrom<String> for QueueName {
    type Error = ParseError;

    fn try_from(text: String) -> Result<Self, ParseError> {
        text.parse()
    }
}

impl From<QueueName> for String {
    fn from(name: QueueName) -> Self {
        name.0.to_string()
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a job is in its life. The last three are final: a job never leaves them by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Waits for the time that its caller asked for.
    Scheduled,
    /// Waits for a worker.
    Queued,
    /// A worker holds it.
    Running,
    /// An attempt failed; waits for the next one.
    Retrying,
    /// Has its output.
    Completed,
    /// Failed in its last attempt; kept for a person.
    Dead,
    /// Cancelled by a person.
    Cancelled,
}

impl JobState {
    pub const ALL: [Self; 7] = [
        Self::Scheduled,
        Self::Queued,
        Self::Running,
        Self::Retrying,
        Self::Completed,
        Self::Dead,
        Self::Cancelled,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Retrying => "retrying",
            Self::Completed => "completed",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
        }
    }

    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Dead | Self::Cancelled)
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for JobState {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let state = Self::ALL.into_iter().find(|state| state.as_str() == text);
        state.ok_or_else(|| {
            ParseError::new(
                text,
                "a state (scheduled, queued, running, retrying, completed, dead or cancelled)",
            )
        })
    }
}

/// Which of the jobs that wait in a queue run first: from 1, which runs before all others, to 9.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Priority(u8);

impl Priority {
    pub const FIRST: Self = Self(1);
    pub const STANDARD: Self = Self(5);
    pub const LAST: Self = Self(9);

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks this way")]
    pub(crate) fn is_standard(&self) -> bool {
        *self == Self::STANDARD
    }
}

impl Default for Priority {
    fn default() -> Self {
        Self::STANDARD
    }
}

impl TryFrom<u8> for Priority {
    type Error = ParseError;

    fn try_from(number: u8) -> Result<Self, ParseError> {
        if (Self::FIRST.0..=Self::LAST.0).contains(&number) {
            Ok(Self(number))
        } else {
            Err(ParseError::new(&number.to_string(), "a priority from 1 to 9"))
        }
    }
}

impl From<Priority> for u8 {
    fn from(priority: Priority) -> Self {
        priority.0
    }
}

/// A job as it lies in Redis: all that a worker needs to run it, and nothing else.
///
/// Old workers read the envelopes of new callers and the other way round: a new field needs a default, and no field
/// changes its meaning.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Envelope {
    /// Not written: an envelope lies under its id.
    #[serde(skip, default = "JobId::nil")]
    pub id: JobId,
    pub function: String,
    pub input: Box<RawValue>,
    /// Attempts made so far. Not 0 when SQL knows of attempts that a new Redis has never seen.
    #[serde(default)]
    pub attempt: u32,
    pub max_attempts: u32,
    /// How long one attempt may take, in milliseconds.
    pub timeout_ms: u64,
    /// Not before this time; `None` is at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_at: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Priority::is_standard")]
    pub priority: Priority,
    /// Jobs with one key (a tenant, say) share the turns that the queue gives to that key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fairness_key: Option<String>,
    /// The waits between attempts; `None` is as the function's policy says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff: Option<Backoff>,
    /// What its caller marked it with. Nothing runs differently for them: they are for those who look for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The W3C trace context of the call, handed on to the worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

impl Envelope {
    /// A job to be run at once and as usual.
    pub fn new(id: JobId, function: impl Into<String>, input: Box<RawValue>) -> Self {
        Self {
            id,
            function: function.into(),
            input,
            attempt: 0,
            max_attempts: 1,
            timeout_ms: 60_000,
            run_at: None,
            priority: Priority::STANDARD,
            fairness_key: None,
            backoff: None,
            tags: Vec::new(),
            traceparent: None,
        }
    }

    /// Reads what lies under `id`.
    pub(crate) fn read(id: JobId, text: &[u8]) -> Result<Self, serde_json::Error> {
        let envelope: Self = serde_json::from_slice(text)?;
        Ok(Self { id, ..envelope })
    }

    /// The name of the lane that it waits in; `None` for the standard one.
    pub(crate) fn lane(&self) -> Option<String> {
        let Self {
            priority,
            fairness_key,
            ..
        } = self;
        if priority.is_standard() && fairness_key.is_none() {
            return None;
        }
        Some(lane_name(*priority, fairness_key.as_deref().unwrap_or_default()))
    }
}

/// The lane of jobs with this priority and fairness key (empty for those without one).
pub(crate) fn lane_name(priority: Priority, fairness_key: &str) -> String {
    format!("{}:{fairness_key}", priority.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_is_named_by_priority_and_fairness_key() {
        let input = RawValue::from_string("1".to_owned()).unwrap();
        let mut job = Envelope::new(JobId::new(), "f", input);
        assert_eq!(job.lane(), None);
        job.priority = Priority::FIRST;
        assert_eq!(job.lane().as_deref(), Some("1:"));
        job.fairness_key = Some("a:b".to_owned());
        assert_eq!(job.lane().as_deref(), Some("1:a:b"));
    }

    #[test]
    fn an_envelope_of_an_older_version_is_read_with_the_defaults() {
        let id = JobId::new();
        let old = format!(
            r#"{{"id":"{id}","function":"f","input":1,"max_attempts":3,"timeout_ms":1000,"newer":2}}"#
        );
        let job: Envelope = serde_json::from_str(&old).unwrap();
        assert_eq!(
            (job.priority, job.attempt, job.backoff),
            (Priority::STANDARD, 0, None)
        );
        let input = RawValue::from_string("1".to_owned()).unwrap();
        let plain = serde_json::to_string(&Envelope::new(id, "f", input)).unwrap();
        assert!(!plain.contains("priority") && !plain.contains("null"), "{plain}");
    }

    #[test]
    fn queue_names_are_checked() {
        assert!("mail-2".parse::<QueueName>().is_ok());
        for bad in ["", "Mail", "a b", "a{b}", "a:b", &"x".repeat(65)] {
            assert!(bad.parse::<QueueName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn states_read_back_as_they_were_written() {
        for state in JobState::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
            assert_eq!(serde_json::to_string(&state).unwrap(), format!("\"{state}\""));
        }
        assert_eq!(JobState::ALL.iter().filter(|state| state.is_final()).count(), 3);
    }
}
