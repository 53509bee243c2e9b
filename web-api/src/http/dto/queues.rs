//! Queues as the API returns them, and the body that sets their limits.

use jobs::job::QueueName;
use jobs::queue::{Depth, Limits, RateLimit};
use salvo::oapi::ToSchema;
use serde::Serialize;

use super::overview::JobCounts;

/// A rate limit.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "RateLimit"))]
pub struct Rate {
    /// Jobs in each period.
    #[salvo(schema(minimum = 1, maximum = 1_000_000))]
    pub jobs: u32,
    #[salvo(schema(minimum = 0.001, maximum = 86_400))]
    pub period_seconds: f64,
    /// The burst: jobs that may start at once after a quiet period; as many as `jobs` by default.
    #[salvo(schema(minimum = 1, maximum = 1_000_000))]
    pub burst: u32,
}

/// A queue.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "Queue"))]
pub struct Queue {
    #[salvo(schema(example = "default"))]
    pub name: String,
    /// The weight of the queue: how often a worker fetches from it first, compared with other queues.
    #[salvo(schema(minimum = 1))]
    pub weight: u32,
    /// No job of a paused queue is started; running jobs continue.
    pub paused: bool,
    /// The concurrency limit: jobs that may run at the same time on all workers; null means no limit.
    #[salvo(schema(required = true, minimum = 1))]
    pub concurrency: Option<u32>,
    /// The rate limit for job starts on all workers; null means no limit.
    #[salvo(schema(required = true))]
    pub rate: Option<Rate>,
    /// How many jobs may wait before new ones are refused with `429`; null means `SPIRAL_BACKLOG_LIMIT`.
    #[salvo(schema(required = true, minimum = 1))]
    pub backlog_limit: Option<u64>,
    /// Jobs that wait for a worker, in Redis or in the database.
    #[salvo(schema(minimum = 0))]
    pub queued: u64,
    /// Jobs that wait for the time set in the call.
    #[salvo(schema(minimum = 0))]
    pub scheduled: u64,
    /// Jobs that wait for their next attempt.
    #[salvo(schema(minimum = 0))]
    pub retrying: u64,
    /// Jobs that workers have reserved.
    #[salvo(schema(minimum = 0))]
    pub running: u64,
    /// Workers that fetch from the queue.
    #[salvo(schema(minimum = 0))]
    pub workers: u64,
}

impl Queue {
    pub fn new(
        name: &QueueName,
        weight: u32,
        limits: &Limits,
        backlog_limit: Option<u64>,
        counts: &JobCounts,
        depth: &Depth,
    ) -> Self {
        // SQL learns that a job runs a moment later than Redis.
        let due = counts.queued + counts.running;
        Self {
            name: name.to_string(),
            weight,
            paused: limits.paused,
            concurrency: limits.concurrency,
            rate: limits.rate.as_ref().map(Into::into),
            backlog_limit,
            queued: due.saturating_sub(depth.running),
            scheduled: counts.scheduled,
            retrying: counts.retrying,
            running: depth.running,
            workers: depth.workers,
        }
    }
}

impl From<&RateLimit> for Rate {
    fn from(rate: &RateLimit) -> Self {
        Self {
            jobs: rate.jobs,
            period_seconds: rate.period.as_secs_f64(),
            burst: rate.burst,
        }
    }
}

/// All queues, in the order of the settings.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "QueueList"))]
pub struct QueueList {
    pub queues: Vec<Queue>,
}

/// New limits of a queue. An absent field is unchanged; null removes a limit.
#[derive(Debug, Clone, ToSchema)]
#[salvo(schema(name = "QueueLimits"))]
pub struct QueueLimits {
    pub paused: Option<bool>,
    #[salvo(schema(minimum = 1, maximum = 1_000_000))]
    pub concurrency: Option<u32>,
    pub rate: Option<NewRate>,
    #[salvo(schema(minimum = 1, maximum = 1_000_000_000))]
    pub backlog_limit: Option<u64>,
}

/// A rate limit.
#[derive(Debug, Clone, ToSchema)]
#[salvo(schema(name = "NewRateLimit"))]
pub struct NewRate {
    /// Jobs in each period.
    #[salvo(schema(required = true, minimum = 1, maximum = 1_000_000))]
    pub jobs: u32,
    #[salvo(schema(required = true, minimum = 0.001, maximum = 86_400))]
    pub period_seconds: f64,
    /// The burst: jobs that may start at once after a quiet period; default: as many as `jobs`.
    #[salvo(schema(minimum = 1, maximum = 1_000_000))]
    pub burst: Option<u32>,
}
