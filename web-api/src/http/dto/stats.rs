//! What happened over time, as callers see it.

use std::time::Duration;

use salvo::oapi::ToSchema;
use serde::Serialize;

use super::scalar::Timestamp;
use crate::db::stats::Counters;
use crate::domain::histogram::Histogram;

/// How long things took, in seconds: half, 95 and 99 of a hundred took at most so long. Off by less than 5 %.
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

/// What happened in a time.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "StatPoint"))]
pub struct StatPoint {
    /// When it begins.
    pub at: Timestamp,
    /// New jobs.
    #[salvo(schema(minimum = 0))]
    pub enqueued: u64,
    /// Jobs that completed.
    #[salvo(schema(minimum = 0))]
    pub completed: u64,
    /// Attempts that failed, also those of jobs that completed in the end.
    #[salvo(schema(minimum = 0))]
    pub failed: u64,
    /// Jobs that failed for good.
    #[salvo(schema(minimum = 0))]
    pub dead: u64,
    /// From the moment at which a job could have run to the begin of its last attempt; null when no job ended.
    #[salvo(schema(required = true))]
    pub wait: Option<Percentiles>,
    /// From the begin to the end of an attempt; null when none ended.
    #[salvo(schema(required = true))]
    pub run: Option<Percentiles>,
}

/// What happened over a time.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "Stats"))]
pub struct Stats {
    /// The time as it was asked for, from the begin of a step on.
    pub from: Timestamp,
    pub to: Timestamp,
    /// Seconds of each point.
    #[salvo(schema(minimum = 60))]
    pub step_seconds: i64,
    /// All of it together.
    pub total: StatPoint,
    /// Step by step, the oldest first; also those in which nothing happened.
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
