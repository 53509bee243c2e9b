//! Whether an attempt may begin: a job that waited in this process may have been cancelled, or be another worker's by now.

use tokio::time::Instant;

use super::Runner;
use crate::job::{JobId, QueueName};
use crate::queue::leases::{Claim, MayBegin};
use crate::worker::in_flight::InFlightJob;

impl Runner {
    /// When an attempt begins, if it does. Nothing begins that was cancelled, or that another worker may have: what was
    /// asked for too long ago (this process was held up, Redis was away) is asked about once more.
    pub(super) async fn begins(&self, claim: &Claim, job: &InFlightJob) -> Option<Instant> {
        let mut at = Instant::now();
        let is_fresh = at.saturating_duration_since(claim.asked_at) <= self.fresh_for;
        if !is_fresh || claim.is_marked_first() {
            if !job.asks() || !self.is_confirmed(&claim.queue, claim.id, job).await {
                return None;
            }
            at = Instant::now();
        }
        job.begins(at).then_some(at)
    }

    /// Whether this worker may run the job, by Redis. One that it may not run is removed here.
    pub(super) async fn is_confirmed(&self, queue: &QueueName, id: JobId, job: &InFlightJob) -> bool {
        let answer = tokio::select! {
            answer = self.starter.ask(queue, id, job.attempt) => answer,
            () = job.stop.cancelled() => None,
            () = self.shutdown.cancelled(), if !job.has_begun() => None,
        };
        match answer {
            Some(MayBegin::Yes) => true,
            Some(MayBegin::NotHeld) => {
                tracing::warn!(job = %id, attempt = job.attempt, "lost the lease of a job before it began");
                job.stop.cancel();
                self.in_flight.remove(id, job.attempt);
                false
            }
            Some(MayBegin::Cancelled) => {
                job.cancel();
                self.in_flight.return_job(job);
                false
            }
            // Stopped, or the worker is to end: a job that has not begun goes back.
            None => {
                self.in_flight.return_job(job);
                false
            }
        }
    }
}
