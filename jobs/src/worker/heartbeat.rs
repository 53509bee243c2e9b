//! Renews the lease of everything that this process holds, and compares what it holds with what Redis counts as held.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::each_queue::for_each_queue;
use super::in_flight::{InFlight, InFlightJob};
use super::process_stats::Usage;
use super::retry_loop::RetryLoop;
use crate::error::Error;
use crate::job::{JobId, QueueName};
use crate::queue::About;
use crate::queue::leases::{Claims, now};
use crate::version::VERSION;

pub(crate) struct Heartbeat {
    pub(crate) claims: Claims,
    pub(crate) queues: Vec<QueueName>,
    pub(crate) in_flight: Arc<InFlight>,
    pub(crate) lease: Duration,
    pub(crate) about: About,
}

/// What this process reports of itself before its first heartbeat.
pub(crate) fn about(concurrency: usize) -> About {
    About {
        pid: std::process::id(),
        version: VERSION.to_owned(),
        started_at: now(),
        at: None,
        concurrency,
        held: 0,
        cpu_percent: None,
        memory_bytes: None,
    }
}

impl Heartbeat {
    /// Runs until it is dropped: a worker that drains keeps its lease.
    pub(crate) async fn run(self) {
        let mut retry = RetryLoop::new("heartbeat");
        let mut beat = interval(self.lease / 3);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut usage = Usage::begin();
        let mut unknown: HashSet<(JobId, u32)> = HashSet::new();
        loop {
            beat.tick().await;
            let used = usage.now();
            let about = About {
                cpu_percent: used.cpu_percent,
                memory_bytes: used.memory_bytes,
                ..self.about.clone()
            };
            let (found, result) =
                for_each_queue(&self.queues, |queue| self.beat(queue, &about, &unknown)).await;
            unknown = found.into_iter().flatten().collect();
            match result {
                Ok(()) => retry.succeeded(),
                Err(error) => {
                    retry.failed(&error).await;
                    beat.reset_immediately();
                }
            }
        }
    }

    /// One heartbeat for one queue. Returns the jobs that Redis counts as this worker's and that it knows nothing of.
    async fn beat(
        &self,
        queue: &QueueName,
        about: &About,
        unknown_before: &HashSet<(JobId, u32)>,
    ) -> Result<Vec<(JobId, u32)>, Error> {
        let before = self.in_flight.snapshot();
        let about = About {
            at: Some(now()),
            held: before.len(),
            ..about.clone()
        };
        let about = serde_json::to_string(&about).unwrap_or_default();
        let in_redis: HashSet<(JobId, u32)> =
            self.claims.heartbeat(queue, &about).await?.into_iter().collect();
        let here = self.in_flight.snapshot();

        // Held before and after the call, but not in Redis: the lease had lapsed and another worker has them.
        for (id, job) in before.iter().filter(|(_, job)| job.queue == *queue) {
            let still_here = here.get(id).is_some_and(|now| now.attempt == job.attempt);
            if still_here && !in_redis.contains(&(*id, job.attempt)) {
                tracing::warn!(job = %id, attempt = job.attempt, "lost the lease of a job; stopping this attempt");
                job.stop.cancel();
                self.in_flight.remove(*id, job.attempt);
            }
        }

        // In Redis but not here: fetched by a call whose answer was lost. Twice in a row, so that a fetch which is
        // on its way is left alone.
        let unknown: Vec<(JobId, u32)> = in_redis
            .into_iter()
            .filter(|(id, attempt)| {
                let known = |jobs: &HashMap<JobId, Arc<InFlightJob>>| {
                    jobs.get(id).is_some_and(|job| job.attempt == *attempt)
                };
                !known(&before) && !known(&here)
            })
            .collect();
        let (twice, once): (Vec<_>, Vec<_>) =
            unknown.into_iter().partition(|job| unknown_before.contains(job));
        if !twice.is_empty() {
            tracing::warn!(jobs = twice.len(), "giving back jobs whose hand-over was lost");
            self.claims.give_back(queue, &twice, Duration::ZERO).await?;
        }
        Ok(once)
    }
}
