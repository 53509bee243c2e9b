//! What happened to jobs, as the scripts append it to a queue's event stream, and the two ways to read it:
//! [`Recorder`] as a group that acknowledges, [`Tail`] as a plain follower.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::job::{JobId, JobState, ParseError, Priority, QueueName};
use crate::output::OutputSummary;

pub(crate) mod codec;
mod paging;
mod position;
mod read;
mod recorder;
mod tail;

pub use position::Position;
pub use recorder::Recorder;
pub use tail::Tail;

/// The place of an entry in a stream: milliseconds of Redis's clock and a counter within them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct EventId {
    pub ms: u64,
    pub seq: u64,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

impl FromStr for EventId {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let parts = text
            .split_once('-')
            .and_then(|(ms, seq)| Some((ms.parse().ok()?, seq.parse().ok()?)));
        let (ms, seq) = parts.ok_or_else(|| ParseError::new(text, "the id of an event"))?;
        Ok(Self { ms, seq })
    }
}

/// One entry of a stream: everything that one script did.
#[derive(Debug, Clone)]
pub struct EventBatch {
    pub id: EventId,
    pub queue: QueueName,
    /// When it happened, by Redis's clock.
    pub at: DateTime<Utc>,
    pub events: Vec<JobEvent>,
}

/// A step in the life of a job.
#[derive(Debug, Clone)]
pub enum JobEvent {
    /// Came into Redis: queued, or scheduled when `run_at` is ahead.
    Queued {
        id: JobId,
        function: String,
        /// `None` when it is longer than 256 bytes.
        input: Option<Box<RawValue>>,
        run_at: Option<DateTime<Utc>>,
        max_attempts: u32,
        priority: Priority,
        fairness_key: Option<String>,
        tags: Vec<String>,
    },
    /// More jobs came into Redis at once than it is of use to name.
    QueuedMany { count: u64 },
    /// A worker began to run it. Attempts that end within a moment are not announced: the event of their end is enough.
    Started {
        id: JobId,
        attempt: u32,
        worker: String,
        started_at: DateTime<Utc>,
    },
    /// An attempt that goes on has progress or log lines to report.
    Noted { id: JobId, attempt: u32, notes: Notes },
    /// An attempt ended.
    Finished(Box<Finished>),
    /// Given back without an outcome: queued again. `attempt` is how many attempts count.
    Returned {
        id: JobId,
        attempt: u32,
        reason: ReturnReason,
        worker: String,
    },
    /// Cancelled before a worker took it (again). `attempt` is how many attempts were made.
    Cancelled {
        id: JobId,
        attempt: u32,
        function: String,
    },
    /// Its time has come: scheduled or retrying before, queued now.
    Promoted { id: JobId },
    /// It had ended, and is retried by request. `attempt` is how many attempts were made before.
    Again {
        id: JobId,
        attempt: u32,
        function: String,
    },
}

/// An attempt and how it ended.
#[derive(Debug, Clone)]
pub struct Finished {
    pub id: JobId,
    pub attempt: u32,
    pub function: String,
    pub worker: String,
    pub started_at: DateTime<Utc>,
    pub finished_at: DateTime<Utc>,
    pub outcome: Outcome,
    /// Its progress and log lines since the last report.
    pub notes: Notes,
}

/// Progress and log lines of a running function.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Notes {
    /// How far it is, from 0 to 1.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<f64>,
    #[serde(rename = "l", default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<LogLine>,
}

impl Notes {
    pub fn is_empty(&self) -> bool {
        self.progress.is_none() && self.lines.is_empty()
    }
}

/// A line that a function logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Its place among the lines of its attempt, counted from 1.
    #[serde(rename = "n")]
    pub number: u32,
    #[serde(rename = "t", with = "chrono::serde::ts_milliseconds")]
    pub at: DateTime<Utc>,
    #[serde(rename = "s")]
    pub text: String,
}

/// How an attempt ended, and the state of the job with it.
#[derive(Debug, Clone)]
pub enum Outcome {
    Completed {
        output: OutputSummary,
    },
    Retrying {
        error: AttemptError,
        run_at: DateTime<Utc>,
        /// Redis does not hold it meanwhile: its time is so far off that SQL keeps it.
        parked: bool,
    },
    Dead {
        error: AttemptError,
    },
    Cancelled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReturnReason {
    /// Its worker stopped in order.
    Stopped,
    /// Its worker's lease lapsed.
    Orphaned,
}

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptError {
    pub kind: ErrorKind,
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The function returned an error.
    Error,
    /// The function panicked.
    Panic,
    /// It took longer than its policy allows.
    Timeout,
    /// Its worker vanished with it.
    Crash,
    /// The input does not have the function's type.
    BadInput,
    /// No worker of this build knows the function.
    UnknownFunction,
}

impl Outcome {
    /// The state of the job after this attempt.
    pub const fn state(&self) -> JobState {
        match self {
            Self::Completed { .. } => JobState::Completed,
            Self::Retrying { .. } => JobState::Retrying,
            Self::Dead { .. } => JobState::Dead,
            Self::Cancelled => JobState::Cancelled,
        }
    }
}

impl ErrorKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Panic => "panic",
            Self::Timeout => "timeout",
            Self::Crash => "crash",
            Self::BadInput => "bad_input",
            Self::UnknownFunction => "unknown_function",
        }
    }
}
