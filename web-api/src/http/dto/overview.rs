//! The current state of the system, as the API returns it.

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

/// The job of a queue that has waited longest for a worker.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "OldestWaiting"))]
pub struct OldestWaiting {
    pub id: String,
    pub function: String,
    /// When it became ready to run.
    pub since: Timestamp,
}

/// The current state of a queue.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "QueueOverview"))]
pub struct QueueOverview {
    #[salvo(schema(example = "default"))]
    pub name: String,
    pub paused: bool,
    /// All jobs of the queue, in Redis and in the database.
    pub counts: JobCounts,
    /// Workers that fetch from it; null when Redis is not available.
    #[salvo(schema(required = true, minimum = 0))]
    pub workers: Option<u64>,
    /// Throughput: jobs that finished per minute, in the last minutes.
    #[salvo(schema(minimum = 0))]
    pub ended_per_minute: f64,
    /// Null when no job waits.
    #[salvo(schema(required = true))]
    pub oldest_waiting: Option<OldestWaiting>,
}

/// A problem that needs the operator's attention.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[salvo(schema(name = "Trouble"))]
pub struct Trouble {
    /// A stable code: `queue_paused`, `no_worker`, `jobs_wait`, `jobs_died`, `backlog_full`, `queue_removed`,
    /// `redis_away`, `redis_full`, `redis_setting`, `recorder_behind` or `database_slow`.
    #[salvo(schema(example = "queue_paused"))]
    pub kind: String,
    /// The queue concerned; null when it is not about a single queue.
    #[salvo(schema(required = true))]
    pub queue: Option<String>,
    /// What is wrong, and what to do.
    #[salvo(schema(example = "Queue mail is paused, and 1,204 jobs wait in it."))]
    pub message: String,
}

/// The current state of the system.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "Overview"))]
pub struct Overview {
    pub at: Timestamp,
    /// All jobs by state.
    pub counts: JobCounts,
    pub queues: Vec<QueueOverview>,
    /// Live workers of all queues; null when Redis is not available.
    #[salvo(schema(required = true, minimum = 0))]
    pub workers: Option<u64>,
    /// The current problems; empty when there are none.
    pub troubles: Vec<Trouble>,
}
