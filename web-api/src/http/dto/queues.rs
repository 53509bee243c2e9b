//! Queues as callers see them, and the body that sets their limits.

use jobs::job::QueueName;
use jobs::queue::{Depth, Limits, RateLimit};
use salvo::oapi::ToSchema;
use serde::Serialize;

use super::overview::JobCounts;

/// So many jobs in a time.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "RateLimit"))]
pub struct Rate {
    /// Jobs in each period.
    #[salvo(schema(minimum = 1, maximum = 1_000_000))]
    pub jobs: u32,
    #[salvo(schema(minimum = 0.001, maximum = 86_400))]
    pub period_seconds: f64,
    /// Jobs that may start at once after a quiet time; as many as `jobs` by default.
    #[salvo(schema(minimum = 1, maximum = 1_000_000))]
    pub burst: u32,
}

/// A queue.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "Queue"))]
pub struct Queue {
    #[salvo(schema(example = "default"))]
    pub name: String,
    /// How often a worker asks it first, compared with other queues.
    #[salvo(schema(minimum = 1))]
    pub weight: u32,
    /// A paused queue hands out nothing; what runs goes on.
    pub paused: bool,
    /// Jobs that may run at the same time, over all workers; null is no limit.
    #[salvo(schema(required = true, minimum = 1))]
    pub concurrency: Option<u32>,
    /// Jobs that may start in a time, over all workers; null is no limit.
    #[salvo(schema(required = true))]
    pub rate: Option<Rate>,
    /// How many jobs may wait before new ones are refused with `429`; null leaves it to `SPIRAL_BACKLOG_LIMIT`.
    #[salvo(schema(required = true, minimum = 1))]
    pub backlog_limit: Option<u64>,
    /// Jobs that wait for a worker, in Redis or in the database.
    #[salvo(schema(minimum = 0))]
    pub queued: u64,
    /// Jobs that wait for the time that their caller asked for.
    #[salvo(schema(minimum = 0))]
    pub scheduled: u64,
    /// Jobs that wait for their next attempt.
    #[salvo(schema(minimum = 0))]
    pub retrying: u64,
    /// Jobs in the hands of workers.
    #[salvo(schema(minimum = 0))]
    pub running: u64,
    /// Workers that serve it.
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
        // The record says that a job runs when it has run for a moment; Redis knows at once.
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

/// All queues, in the order in which they are declared.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "QueueList"))]
pub struct QueueList {
    pub queues: Vec<Queue>,
}

/// New limits of a queue. A field that is absent stays as it is; null takes a limit away.
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

/// So many jobs in a time.
#[derive(Debug, Clone, ToSchema)]
#[salvo(schema(name = "NewRateLimit"))]
pub struct NewRate {
    /// Jobs in each period.
    #[salvo(schema(required = true, minimum = 1, maximum = 1_000_000))]
    pub jobs: u32,
    #[salvo(schema(required = true, minimum = 0.001, maximum = 86_400))]
    pub period_seconds: f64,
    /// Jobs that may start at once after a quiet time; as many as `jobs` when it is missing.
    #[salvo(schema(minimum = 1, maximum = 1_000_000))]
    pub burst: Option<u32>,
}
