//! One walk over the unfinished rows.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use chrono::Utc;
use jobs::{
    job::{Envelope, JobId, QueueName},
    queue::Queues,
};

use crate::store::{
    Store, StoreError,
    job::{Job, UnfinishedJob},
};

/// Rows read, and pushed, at once.
const PAGE: u64 = 500;
/// Lost jobs that are gathered before they are pushed: one wait for the recorder serves them all.
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

/// Pushes every job that is unfinished in SQL, older than `min_age`, not older than `from`, and unknown to its queue,
/// unless that is `away`.
pub(super) async fn round(
    store: &Store,
    queues: &Queues,
    away: &[&QueueName],
    from: Option<JobId>,
    min_age: Duration,
) -> Result<(), RoundError> {
    let youngest = JobId::lower_bound(Utc::now() - min_age);
    let mut after = from;
    let mut lost = Vec::new();
    loop {
        let page = store.job_unfinished(after, PAGE).await?;
        after = page.last().map(|job| job.id);
        let full = page.len() as u64 == PAGE;
        let old: Vec<UnfinishedJob> = page.into_iter().take_while(|job| job.id < youngest).collect();
        let more = full && old.last().map(|job| job.id) == after;
        for (queue, ids) in by_queue(old.into_iter().map(|job| (job.queue, job.id))) {
            if away.contains(&&queue) {
                continue;
            }
            lost.extend(
                queues
                    .unknown(&queue, &ids)
                    .await?
                    .into_iter()
                    .map(|id| (queue.clone(), id)),
            );
        }
        if !lost.is_empty() && (!more || lost.len() >= GATHERED) {
            push(store, queues, std::mem::take(&mut lost)).await?;
        }
        if !more {
            return Ok(());
        }
        tokio::time::sleep(BREATH).await;
    }
}

async fn push(store: &Store, queues: &Queues, lost: Vec<(QueueName, JobId)>) -> Result<(), RoundError> {
    let lost = by_queue(lost.into_iter());
    recorded(queues, lost.keys().cloned().collect()).await?;
    for (queue, ids) in lost {
        let mut pushed = 0;
        for ids in ids.chunks(usize::try_from(PAGE).unwrap_or(usize::MAX)) {
            let jobs: Vec<Job> = store
                .job_get_many(ids)
                .await?
                .into_iter()
                .filter(|job| !job.state.is_final())
                .collect();
            // SQL first: should the push fail, the row says what is true, that the job waits.
            store.job_return(&jobs).await?;
            let envelopes: Vec<Envelope> = jobs
                .iter()
                .filter_map(|job| {
                    job.envelope()
                        .inspect_err(|error| tracing::error!(job = %job.id, %error, "no JSON"))
                        .ok()
                })
                .collect();
            pushed += queues.push(&queue, &envelopes).await?.pushed;
        }
        if pushed > 0 {
            metrics::counter!("spiral_jobs_reconciled_total", "queue" => queue.to_string())
                .increment(pushed as u64);
            tracing::info!(%queue, jobs = pushed, "pushed jobs that the queue did not know");
        }
    }
    Ok(())
}

/// Waits until SQL knows everything that the queues have done so far.
async fn recorded(queues: &Queues, names: Vec<QueueName>) -> Result<(), RoundError> {
    let recorder = queues.recorder(&names, "reconciler");
    let start = Instant::now();
    while !recorder.drained().await? {
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
