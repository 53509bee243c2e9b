//! Hands jobs of the backlog to Redis.

use std::time::Duration;

use jobs::{
    job::{Envelope, JobId, QueueName},
    queue::{Pushed, Queues},
};

use crate::db::Store;
use crate::db::jobs::Job;
use crate::db::jobs::dispatch::Lane;
use crate::services::dispatcher::window::Windows;
use crate::services::retry_loop::PartError;
/// How long a push may be on its way. Rows dispatched longer ago that Redis does not know are lost.
pub(crate) const PUSH_WITHIN: Duration = Duration::from_secs(5);

/// Moves jobs of one lane, behind one of them, from the backlog into Redis. Returns up to `most`, in their order, and their
/// bytes.
pub(super) async fn hand_over(
    store: &Store,
    queues: &Queues,
    windows: &Windows,
    queue: &QueueName,
    lane: &Lane,
    behind: Option<JobId>,
    most: u64,
) -> Result<(Vec<JobId>, u64), PartError> {
    // Before the rows are taken: whoever finds them dispatched and unknown later on knows that this push is over.
    let deadline = queues.deadline(queue, PUSH_WITHIN).await?;
    let jobs = store.job_dispatch(queue, lane, behind, most).await?;
    let envelopes = envelopes(&jobs);
    let bytes = envelopes.iter().map(bytes_of).sum();
    if !envelopes.is_empty() {
        match queues.push_before(deadline, queue, &envelopes).await {
            Ok(pushed) => {
                windows.held(queue, pushed.held);
                windows.came_in(queue, bytes);
                end_refused(queues, queue, &envelopes, &pushed).await?;
            }
            Err(error) => {
                // `reconcile` brings them back.
                if error.is_full() {
                    windows.set_full(queue, true);
                }
                return Err(error.into());
            }
        }
    }
    Ok((jobs.iter().map(|job| job.id).collect(), bytes))
}

/// Ends the jobs of a push that Redis refuses.
pub(crate) async fn end_refused(
    queues: &Queues,
    queue: &QueueName,
    jobs: &[Envelope],
    pushed: &Pushed,
) -> Result<(), jobs::error::Error> {
    for (id, reason) in &pushed.refused {
        tracing::error!(%queue, job = %id, reason, "Redis refuses this job; it is dead");
        for job in jobs.iter().filter(|job| job.id == *id) {
            queues.announce_refused(queue, job, reason).await?;
        }
    }
    Ok(())
}

/// Bytes of a job in Redis, about.
pub(crate) fn bytes_of(job: &Envelope) -> u64 {
    job.input.get().len() as u64 + 256
}

/// What a worker needs of each job.
pub(crate) fn envelopes(jobs: &[Job]) -> Vec<Envelope> {
    jobs.iter().map(Job::envelope).collect()
}
