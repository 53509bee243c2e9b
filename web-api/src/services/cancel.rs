//! Cancels jobs that Redis does not hold: that SQL keeps, that were lost with Redis, or that are on their way from one
//! to the other.
//!
//! "Redis does not hold it" also holds for a job that has just ended, and for one whose push is under way. So a row is
//! called cancelled only when everything that the queue's events tell is recorded, and when no push of it can arrive any
//! more: then it has one outcome, and one event tells it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use jobs::clock;
use jobs::job::{JobId, QueueName};
use jobs::queue::{Cancelled, Queues};

use crate::db::jobs::dispatch::AHEAD;
use crate::db::jobs::{Job, Place, UnfinishedJob};
use crate::db::{Store, StoreError};
use crate::services::dispatcher::hand_over::PUSH_WITHIN;

/// Jobs in one event, and in one read.
const CHUNK: usize = 500;
/// How long outcomes, and pushes, that are on their way may take. Past it the caller is asked to try again.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(20);
/// A push that was under way longer ago than this has arrived or never will: its deadline by Redis's clock, and as much
/// again for clocks that differ.
const ARRIVED: Duration = PUSH_WITHIN.saturating_mul(2);

/// Why jobs could not be cancelled.
#[derive(Debug, thiserror::Error)]
pub enum CancelError {
    #[error("the database failed")]
    Store(#[from] StoreError),
    #[error("the queue failed")]
    Queue(#[from] jobs::error::Error),
    #[error("the recorder is behind with the queue's events")]
    Behind,
}

/// Ends those that Redis does not hold. Those that come into it meanwhile are cancelled there. Returns how many were
/// cancelled; one that has ended stays as it is.
pub async fn elsewhere(
    store: &Store,
    queues: &Queues,
    mut jobs: Vec<UnfinishedJob>,
) -> Result<u64, CancelError> {
    let start = Instant::now();
    let mut ended = 0;
    while !jobs.is_empty() {
        let names: BTreeSet<QueueName> = jobs.iter().map(|job| job.queue.clone()).collect();
        recorded(queues, &names.into_iter().collect::<Vec<_>>(), start).await?;
        let (on_their_way, settled): (Vec<Job>, Vec<Job>) = unfinished(store, &jobs)
            .await?
            .into_iter()
            .partition(is_on_its_way);
        let settled: Vec<UnfinishedJob> = settled.iter().map(Into::into).collect();
        let cancelled = store.job_cancel_many(&settled, clock::now() - ARRIVED).await?;
        let (off, taken): (Vec<_>, Vec<_>) = settled.into_iter().partition(|job| cancelled.contains(&job.id));
        announce(queues, &off).await?;
        let waiting: Vec<UnfinishedJob> = on_their_way.iter().map(Into::into).collect();
        let before = waiting.len();
        jobs = in_queue(queues, waiting).await?;
        ended += off.len() + before - jobs.len();
        // The dispatcher was faster, or they have ended meanwhile: the next look tells.
        jobs.extend(taken);
        if !jobs.is_empty() {
            if start.elapsed() > CANCEL_TIMEOUT {
                return Err(CancelError::Behind);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(ended as u64)
}

/// Cancels what waits in Redis, and tells what runs to stop. Returns those that the queue does not hold.
pub async fn in_queue(
    queues: &Queues,
    jobs: Vec<UnfinishedJob>,
) -> Result<Vec<UnfinishedJob>, jobs::error::Error> {
    let mut by_queue = BTreeMap::<QueueName, Vec<UnfinishedJob>>::new();
    for job in jobs {
        by_queue.entry(job.queue.clone()).or_default().push(job);
    }
    let mut elsewhere = Vec::new();
    for (queue, jobs) in by_queue {
        let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
        let done = queues.cancel(&queue, &ids).await?;
        let answers = jobs.into_iter().zip(done);
        elsewhere.extend(answers.filter_map(|(job, done)| (done == Cancelled::NotHere).then_some(job)));
    }
    Ok(elsewhere)
}

/// Tells the browsers, which know nothing of what happens in SQL alone.
async fn announce(queues: &Queues, jobs: &[UnfinishedJob]) -> Result<(), jobs::error::Error> {
    let mut by_queue = BTreeMap::<&QueueName, Vec<(JobId, u32, &str)>>::new();
    for job in jobs {
        let told = by_queue.entry(&job.queue).or_default();
        told.push((job.id, job.attempt, &job.function));
    }
    for (queue, jobs) in by_queue {
        for some in jobs.chunks(CHUNK) {
            queues.announce_cancelled(queue, some).await?;
        }
    }
    Ok(())
}

/// A push of it may be under way.
fn is_on_its_way(job: &Job) -> bool {
    match job.place {
        Place::Window(since) => {
            let now = clock::now();
            since <= now + AHEAD && (now - since).to_std().unwrap_or_default() < ARRIVED
        }
        Place::Backlog | Place::Parked => false,
    }
}

async fn unfinished(store: &Store, jobs: &[UnfinishedJob]) -> Result<Vec<Job>, StoreError> {
    let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
    let mut found = Vec::with_capacity(ids.len());
    for some in ids.chunks(CHUNK) {
        found.extend(store.job_get_many(some).await?);
    }
    found.retain(|job| !job.state.is_final());
    Ok(found)
}

/// Waits until SQL knows everything that the queues have done so far.
async fn recorded(queues: &Queues, names: &[QueueName], start: Instant) -> Result<(), CancelError> {
    let recorder = queues.recorder(names, "calling-off");
    let marks = recorder.marks().await?;
    loop {
        match recorder.recorded(&marks).await {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            // Such as a group that went with Redis's data: its recorder makes it again.
            Err(error) => tracing::debug!(%error, "cannot tell yet what is recorded"),
        }
        if start.elapsed() > CANCEL_TIMEOUT {
            return Err(CancelError::Behind);
        }
        tokio::time::sleep(PAUSE).await;
    }
}
