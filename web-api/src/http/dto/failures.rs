//! Errors of dead and retrying jobs, grouped by fingerprint.

use salvo::oapi::ToSchema;
use serde::Serialize;

use super::scalar::Timestamp;
use crate::db::failures as record;

/// Jobs that are dead or retrying because of the same error.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "Failure"))]
pub struct Failure {
    /// The fingerprint of the error: the search `failure:FINGERPRINT` finds its jobs.
    #[salvo(schema(example = "9c3e1f20a4b5d678"))]
    pub fingerprint: String,
    pub function: String,
    /// The queue in which it was first seen.
    pub queue: String,
    /// `error`, `panic`, `timeout`, `crash` or `bad_input`.
    pub kind: String,
    /// The message, with the numbers, ids, addresses and quoted texts replaced that differ between errors.
    #[salvo(schema(example = "timed out after <number>s"))]
    pub message: String,
    /// How many jobs are dead or retrying because of it.
    #[salvo(schema(minimum = 0))]
    pub jobs: u64,
    /// How many of them will be retried; the others are dead.
    #[salvo(schema(minimum = 0))]
    pub retrying: u64,
    pub first_seen_at: Timestamp,
    pub last_seen_at: Timestamp,
    /// The newest of the jobs.
    pub example_job_id: String,
}

/// The failures, sorted by the number of jobs, largest first.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "FailureList"))]
pub struct FailureList {
    pub failures: Vec<Failure>,
}

impl From<record::Failure> for Failure {
    fn from(failure: record::Failure) -> Self {
        Self {
            fingerprint: failure.fingerprint.to_string(),
            function: failure.function,
            queue: failure.queue.to_string(),
            kind: failure.kind,
            message: failure.pattern,
            jobs: failure.jobs,
            retrying: failure.retrying,
            first_seen_at: failure.first_seen_at.into(),
            last_seen_at: failure.last_seen_at.into(),
            example_job_id: failure.example.to_string(),
        }
    }
}
