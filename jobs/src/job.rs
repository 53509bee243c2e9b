//! What a job is: its id, the states it can be in, and the envelope that travels through Redis.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use ulid::{Generator, Overflow, Ulid};

/// The identity of a job: a ULID, so that ids sort by the time at which they were made.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(Ulid);

impl JobId {
    /// Makes a new id that is greater than every id this process made before.
    #[expect(
        clippy::new_without_default,
        reason = "a default id would suggest that ids are interchangeable"
    )]
    pub fn new() -> Self {
        static GENERATOR: Mutex<Generator> = Mutex::new(Generator::new());
        let mut generator = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
        Self(
            generator
                .generate()
                .unwrap_or_else(Overflow::commit_overflow_increment),
        )
    }

    /// The time at which the id was made, to the millisecond.
    pub fn created_at(self) -> DateTime<Utc> {
        DateTime::from(self.0.datetime())
    }

    /// The smallest id that could have been made at `time`: a lower bound for ids made later.
    pub fn lower_bound(time: DateTime<Utc>) -> Self {
        Self(Ulid::from_parts(
            u64::try_from(time.timestamp_millis()).unwrap_or(0),
            0,
        ))
    }

    /// Milliseconds since the id was made; 0 when the clock says that it is yet to come.
    pub fn age_ms(self) -> u64 {
        SystemTime::now()
            .duration_since(self.0.datetime())
            .map_or(0, |age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

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

impl FromStr for JobId {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let expected = "a job id (a ULID of 26 characters)";
        // ULIDs have one canonical form; accepting others would give one job two addresses.
        let id = Ulid::from_string(text).ok().filter(|id| id.to_string() == text);
        id.map(Self).ok_or_else(|| ParseError::new(text, expected))
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
    /// Gave up after its last attempt; kept for a person.
    Dead,
    /// Called off by a person.
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

/// A job as it lies in Redis: all that a worker needs to run it, and nothing else.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Envelope {
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
    /// The W3C trace context of the call, handed on to the worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_process_rise_even_within_a_millisecond() {
        let ids: Vec<JobId> = (0..10_000).map(|_| JobId::new()).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn an_id_has_one_spelling() {
        let id = JobId::new();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!(id.to_string().to_lowercase().parse::<JobId>().is_err());
        assert!("01".parse::<JobId>().is_err());
        assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{id}\""));
        assert_eq!(format!("{id:?}"), id.to_string());
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
