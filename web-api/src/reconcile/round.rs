//! One walk over the rows that Redis should hold.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use jobs::{
    job::{JobId, QueueName},
    queue::Queues,
};

use crate::{
    pulse::Pulse,
    store::{Store, StoreError},
    windows::Windows,
};

/// Rows read, and taken back, at once.
const PAGE: u64 = 500;
/// Lost jobs that are gathered before they are taken back: one wait for the recorder serves them all.
const GATHERED: usize = 10_000;
/// Between two pages, so that a long walk leaves room for the jobs themselves.
const BREATH: Duration = Duration::from_millis(5);
/// How long the outcomes may take to be recorded.
const PATIENCE: Duration = Duration::from_secs(10);
const RECORDED_PAUSE: Duration = Duration::from_millis(10);

/// Why a round was broken off. The next one begins from the start.
#[derive(Debug, thiserror::Error)]
pub(super) enum RoundError {
    #[error("the database failed")]
    Store(#[from] StoreError),
    #[error("the queue failed")]
    Queue(#[from] jobs::error::Error),
    #[error("the recorder was busy for {PATIENCE:?}, so that it is not known which jobs are lost")]
    Behind,
}

/// Takes back every job that is unfinished in SQL, was dispatched `min_age` ago or longer, and is unknown to its queue,
/// unless that is `away`.
pub(super) async fn round(
    store: &Store,
    queues: &Queues,
    windows: &Windows,
    recorder: &Pulse,
    away: &[&QueueName],
    min_age: Duration,
) -> Result<(), RoundError> {
    let before = Utc::now() - min_age;
    let mut after = None;
    let mut lost = BTreeMap::<QueueName, Vec<JobId>>::new();
    let mut count = 0;
    loop {
        let page = store.job_dispatched(after, PAGE).await?;
        after = page.last().map(|job| job.id);
        let more = page.len() as u64 == PAGE;
        let old = page.into_iter().filter(|job| job.dispatched_at <= before);
        for (queue, ids) in by_queue(old.map(|job| (job.queue, job.id))) {
            if away.contains(&&queue) {
                continue;
            }
            let unknown = queues.unknown(&queue, &ids).await?;
            count += unknown.len();
            lost.entry(queue).or_default().extend(unknown);
        }
        if count > 0 && (!more || count >= GATHERED) {
            for (queue, ids) in std::mem::take(&mut lost) {
                recorded(queues, recorder, &queue, &ids).await?;
                take_back(store, windows, &queue, &ids, before).await?;
            }
            count = 0;
        }
        if !more {
            return Ok(());
        }
        tokio::time::sleep(BREATH).await;
    }
}

async fn take_back(
    store: &Store,
    windows: &Windows,
    queue: &QueueName,
    ids: &[JobId],
    before: DateTime<Utc>,
) -> Result<(), RoundError> {
    let mut taken = 0;
    for ids in ids.chunks(usize::try_from(PAGE).unwrap_or(usize::MAX)) {
        // Those that have finished, as is known by now, stay as they are.
        taken += store.job_take_back(ids, before).await?;
    }
    if taken > 0 {
        windows.lined_up(queue);
        metrics::counter!("spiral_jobs_reconciled_total", "queue" => queue.to_string()).increment(taken);
        tracing::info!(%queue, jobs = taken, "jobs that the queue did not know wait for it again");
    }
    Ok(())
}

/// Waits until SQL knows everything that the queue has done so far.
async fn recorded(
    queues: &Queues,
    recorder: &Pulse,
    queue: &QueueName,
    ids: &[JobId],
) -> Result<(), RoundError> {
    if ids.is_empty() {
        return Ok(());
    }
    let group = queues.recorder(std::slice::from_ref(queue), "reconciler");
    let marks = group.marks().await?;
    let start = Instant::now();
    // The group's progress says nothing of entries that were read from a stream which has been lost since.
    while !(recorder.has_beaten_since(start) && group.recorded(&marks).await?) {
        if start.elapsed() > PATIENCE {
            return Err(RoundError::Behind);
        }
        tokio::time::sleep(RECORDED_PAUSE).await;
    }
    Ok(())
}

fn by_queue(jobs: impl Iterator<Item = (QueueName, JobId)>) -> BTreeMap<QueueName, Vec<JobId>> {
    let mut queues = BTreeMap::<_, Vec<_>>::new();
    for (queue, id) in jobs {
        queues.entry(queue).or_default().push(id);
    }
    queues
}
