//! Calls off jobs wherever they are: in Redis, in SQL, or on the way from one to the other.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use jobs::job::{JobId, QueueName};
use jobs::queue::{Cancelled, Queues};

use crate::store::{Store, StoreError, job::UnfinishedJob};

/// Jobs in one event.
const ANNOUNCED: usize = 500;
/// How long outcomes that are on their way may take to be recorded.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(10);

/// Why jobs could not be called off.
#[derive(Debug, thiserror::Error)]
pub enum CallOffError {
    #[error("the database failed")]
    Store(#[from] StoreError),
    #[error("the queue failed")]
    Queue(#[from] jobs::error::Error),
    #[error("the recorder is behind with the queue's events")]
    Behind,
}

/// Ends those that Redis does not hold: not yet in it, lost with it, or ended, which must be in the rows before they are
/// called cancelled. Returns how many were.
pub async fn elsewhere(
    store: &Store,
    queues: &Queues,
    jobs: Vec<UnfinishedJob>,
) -> Result<u64, CallOffError> {
    if jobs.is_empty() {
        return Ok(0);
    }
    let names: BTreeSet<QueueName> = jobs.iter().map(|job| job.queue.clone()).collect();
    recorded(queues, &names.into_iter().collect::<Vec<_>>()).await?;
    let cancelled = store.job_cancel_many(&jobs).await?;
    announce(queues, jobs.iter().filter(|job| cancelled.contains(&job.id))).await?;
    // A push may have been on its way meanwhile.
    in_queue(queues, jobs).await?;
    Ok(cancelled.len() as u64)
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
async fn announce(
    queues: &Queues,
    jobs: impl Iterator<Item = &UnfinishedJob>,
) -> Result<(), jobs::error::Error> {
    let mut by_queue = BTreeMap::<&QueueName, Vec<(JobId, u32, &str)>>::new();
    for job in jobs {
        let told = by_queue.entry(&job.queue).or_default();
        told.push((job.id, job.attempt, &job.function));
    }
    for (queue, jobs) in by_queue {
        for some in jobs.chunks(ANNOUNCED) {
            queues.announce_cancelled(queue, some).await?;
        }
    }
    Ok(())
}

/// Waits until SQL knows everything that the queues have done so far.
async fn recorded(queues: &Queues, names: &[QueueName]) -> Result<(), CallOffError> {
    let recorder = queues.recorder(names, "calling-off");
    let start = Instant::now();
    while !recorder.drained().await? {
        if start.elapsed() > PATIENCE {
            return Err(CallOffError::Behind);
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}
