//! How everything is at this moment, as callers see it.

use salvo::oapi::ToSchema;
use serde::Serialize;

use super::scalar::Timestamp;

/// Jobs by their state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[salvo(schema(name = "JobCounts"))]
pub struct JobCounts {
    #[salvo(schema(minimum = 0))]
    pub scheduled: u64,
    #[salvo(schema(minimum = 0))]
    pub queued: u64,
    #[salvo(schema(minimum = 0))]
    pub running: u64,
    #[salvo(schema(minimum = 0))]
    pub retrying: u64,
    #[salvo(schema(minimum = 0))]
    pub completed: u64,
    #[salvo(schema(minimum = 0))]
    pub dead: u64,
    #[salvo(schema(minimum = 0))]
    pub cancelled: u64,
}

/// The job of a queue that waits for a worker for longest.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "OldestWaiting"))]
pub struct OldestWaiting {
    pub id: String,
    pub function: String,
    /// Since when it could have run.
    pub since: Timestamp,
}

/// A queue at this moment.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "QueueOverview"))]
pub struct QueueOverview {
    #[salvo(schema(example = "default"))]
    pub name: String,
    pub paused: bool,
    /// Every job of it, whoever holds it.
    pub counts: JobCounts,
    /// Workers that serve it; null when Redis does not tell.
    #[salvo(schema(required = true, minimum = 0))]
    pub workers: Option<u64>,
    /// Jobs that ended in a minute, lately.
    #[salvo(schema(minimum = 0))]
    pub ended_per_minute: f64,
    /// Null when none waits.
    #[salvo(schema(required = true))]
    pub oldest_waiting: Option<OldestWaiting>,
}

/// Something that a person should look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[salvo(schema(name = "Trouble"))]
pub struct Trouble {
    /// The kind as one stable word: `queue_paused`, `no_worker`, `jobs_wait`, `jobs_died`, `backlog_full`, `queue_removed`, `redis_away`,
    /// `redis_full`, `redis_setting`, `recorder_behind` or `database_slow`.
    #[salvo(schema(example = "queue_paused"))]
    pub kind: String,
    /// The queue that it is about; null when it is about all.
    #[salvo(schema(required = true))]
    pub queue: Option<String>,
    /// What is wrong, in words.
    #[salvo(schema(example = "Queue mail is paused, and 1,204 jobs wait in it."))]
    pub message: String,
}

/// How everything is at this moment.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "Overview"))]
pub struct Overview {
    pub at: Timestamp,
    /// All jobs. Counts are kept, not counted.
    pub counts: JobCounts,
    pub queues: Vec<QueueOverview>,
    /// Workers that are alive, of all queues; null when Redis does not tell.
    #[salvo(schema(required = true, minimum = 0))]
    pub workers: Option<u64>,
    /// What is wrong now; empty when all is well.
    pub troubles: Vec<Trouble>,
}
