//! Calling off all jobs of a batch that are not finished.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use jobs::job::{JobId, QueueName};
use jobs::queue::Cancelled;

use crate::error::ApiError;
use crate::state::Inner;
use crate::store::batch::BatchId;
use crate::store::job::UnfinishedJob;

/// Jobs that are called off at once.
const PAGE: u64 = 500;
/// Jobs in one event.
const ANNOUNCED: usize = 500;
/// How long outcomes that are on their way may take to be recorded.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(10);

/// Cancels what waits, and tells what runs to stop.
pub(super) async fn cancel(state: &Inner, id: BatchId) -> Result<(), ApiError> {
    let mut after = None;
    let mut elsewhere = Vec::new();
    loop {
        let page = state.store.batch_unfinished(id, after, PAGE).await?;
        after = page.last().map(|job| job.id);
        let full = page.len() as u64 == PAGE;
        elsewhere.extend(cancel_in_queue(state, page).await?);
        if !full {
            break;
        }
    }
    if !elsewhere.is_empty() {
        // Not yet in Redis, lost with it, or ended: that must be in the rows before these are called cancelled.
        let queues: BTreeSet<QueueName> = elsewhere.iter().map(|job| job.queue.clone()).collect();
        recorded(state, &queues.into_iter().collect::<Vec<_>>()).await?;
        let cancelled = state.store.job_cancel_many(&elsewhere).await?;
        announce(state, elsewhere.iter().filter(|job| cancelled.contains(&job.id))).await?;
        // A push may have been on its way meanwhile.
        cancel_in_queue(state, elsewhere).await?;
    }
    state.batches.touch(id);
    Ok(())
}

/// Returns those that the queue does not hold.
async fn cancel_in_queue(state: &Inner, jobs: Vec<UnfinishedJob>) -> Result<Vec<UnfinishedJob>, ApiError> {
    let mut by_queue = BTreeMap::<QueueName, Vec<UnfinishedJob>>::new();
    for job in jobs {
        by_queue.entry(job.queue.clone()).or_default().push(job);
    }
    let mut elsewhere = Vec::new();
    for (queue, jobs) in by_queue {
        let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
        let done = state.queues.cancel(&queue, &ids).await?;
        let answers = jobs.into_iter().zip(done);
        elsewhere.extend(answers.filter_map(|(job, done)| (done == Cancelled::NotHere).then_some(job)));
    }
    Ok(elsewhere)
}

/// Tells the browsers, which know nothing of what happens in SQL alone.
async fn announce(state: &Inner, jobs: impl Iterator<Item = &UnfinishedJob>) -> Result<(), ApiError> {
    let mut by_queue = BTreeMap::<&QueueName, Vec<(JobId, u32, &str)>>::new();
    for job in jobs {
        let told = by_queue.entry(&job.queue).or_default();
        told.push((job.id, job.attempt, &job.function));
    }
    for (queue, jobs) in by_queue {
        for some in jobs.chunks(ANNOUNCED) {
            state.queues.announce_cancelled(queue, some).await?;
        }
    }
    Ok(())
}

/// Waits until SQL knows everything that the queues have done so far.
async fn recorded(state: &Inner, queues: &[QueueName]) -> Result<(), ApiError> {
    let recorder = state.queues.recorder(queues, "batches");
    let start = Instant::now();
    while !recorder.drained().await? {
        if start.elapsed() > PATIENCE {
            return Err(ApiError::Unavailable {
                what: "The recorder of outcomes",
                cause: "it is behind with the queue's events".into(),
            });
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}
