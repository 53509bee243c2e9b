//! The events of the live feed: patches of jobs, in which an absent field is unchanged.

use salvo::oapi::ToSchema;
use serde::Serialize;

use super::jobs::{AttemptError, LogLine};
use super::scalar::{AnyJson, Timestamp};
use crate::http::dto::job_state::State;

/// The data of an `event: job`. An absent field is unchanged; an unknown id is a new job.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "JobPatch"))]
pub struct JobPatch {
    pub id: String,
    /// Absent when only the id of the job is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    pub queue: String,
    pub state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// The time of the event.
    pub at: Timestamp,
    /// Absent when it has more than 256 bytes: read the job to get it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<AnyJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fairness_key: Option<String>,
    /// Absent when the job is not new, and when it has none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[salvo(schema(required = false))]
    pub tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<AttemptError>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<AnyJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_length: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_preview: Option<String>,
    /// The worker that runs the job, or ran it last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// The progress of the running attempt, from 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<f64>,
    /// New log lines since the last event. A repeated line has the same attempt and number.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub log_lines: Vec<LogLine>,
    /// True, and present, when a finished job is retried: its output and its times are those of the earlier
    /// run.
    #[serde(skip_serializing_if = "is_false")]
    #[salvo(schema(required = false))]
    pub run_again: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks this way")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

/// The data of an `event: refresh`: data read before may be out of date, so read the lists again.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "Refresh"))]
pub struct Refresh {
    /// `bulk` (many jobs changed at once), `expired` (the position is no longer kept), `behind` (the client
    /// reads too slowly).
    pub reason: String,
}
