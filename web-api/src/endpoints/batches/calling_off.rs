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
        state.store.job_cancel_many(&elsewhere).await?;
        // A push may have been on its way meanwhile.
        cancel_in_queue(state, elsewhere).await?;
    }
    state.batches.touch(id);
    Ok(())
}

/// Returns those that the queue does not hold.
async fn cancel_in_queue(state: &Inner, jobs: Vec<UnfinishedJob>) -> Result<Vec<UnfinishedJob>, ApiError> {
    let mut by_queue = BTreeMap::<QueueName, Vec<JobId>>::new();
    for job in jobs {
        by_queue.entry(job.queue).or_default().push(job.id);
    }
    let mut elsewhere = Vec::new();
    for (queue, ids) in by_queue {
        let done = state.queues.cancel(&queue, &ids).await?;
        let not_here = ids
            .into_iter()
            .zip(done)
            .filter(|(_, done)| *done == Cancelled::NotHere);
        elsewhere.extend(not_here.map(|(id, _)| UnfinishedJob {
            id,
            queue: queue.clone(),
        }));
    }
    Ok(elsewhere)
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
