//! Statistics over time, as the API returns them.

use std::time::Duration;

use salvo::oapi::ToSchema;
use serde::Serialize;

use super::scalar::Timestamp;
use crate::db::stats::Counters;
use crate::domain::histogram::Histogram;

/// Percentiles of a duration, in seconds: p50, p95 and p99, with an error of less than 5 %.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[salvo(schema(name = "Percentiles"))]
pub struct Percentiles {
    #[salvo(schema(minimum = 0))]
    pub p50: f64,
    #[salvo(schema(minimum = 0))]
    pub p95: f64,
    #[salvo(schema(minimum = 0))]
    pub p99: f64,
}

/// The counts of one period.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "StatPoint"))]
pub struct StatPoint {
    /// The start of the period.
    pub at: Timestamp,
    /// Jobs that were created.
    #[salvo(schema(minimum = 0))]
    pub enqueued: u64,
    /// Jobs that completed.
    #[salvo(schema(minimum = 0))]
    pub completed: u64,
    /// Failed attempts, also those of jobs that completed later.
    #[salvo(schema(minimum = 0))]
    pub failed: u64,
    /// Jobs that failed for good.
    #[salvo(schema(minimum = 0))]
    pub dead: u64,
    /// Queue time: from the moment a job could run to the start of its last attempt; null when no job
    /// finished.
    #[salvo(schema(required = true))]
    pub wait: Option<Percentiles>,
    /// Run time of the attempts; null when no attempt finished.
    #[salvo(schema(required = true))]
    pub run: Option<Percentiles>,
}

/// Statistics over a time range.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "Stats"))]
pub struct Stats {
    /// The start of the range, rounded down to a whole step.
    pub from: Timestamp,
    pub to: Timestamp,
    /// The length of each point, in seconds.
    #[salvo(schema(minimum = 60))]
    pub step_seconds: i64,
    /// The counts of the whole range.
    pub total: StatPoint,
    /// The counts of each step, oldest first. Steps without events are included.
    pub points: Vec<StatPoint>,
}

impl StatPoint {
    pub fn new(at: Timestamp, counters: &Counters) -> Self {
        Self {
            at,
            enqueued: counters.enqueued,
            completed: counters.completed,
            failed: counters.failed,
            dead: counters.dead,
            wait: Percentiles::of(&counters.wait),
            run: Percentiles::of(&counters.run),
        }
    }
}

impl Percentiles {
    fn of(histogram: &Histogram) -> Option<Self> {
        let seconds = |part| histogram.quantile(part).as_ref().map(Duration::as_secs_f64);
        Some(Self {
            p50: seconds(0.5)?,
            p95: seconds(0.95)?,
            p99: seconds(0.99)?,
        })
    }
}
