//! One walk over the rows that Redis should hold.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use jobs::clock;
use jobs::{
    job::{JobId, QueueName},
    queue::{
        Queues,
        events::{EventId, Recorder},
    },
};

use crate::db::jobs::dispatch::AHEAD;
use crate::db::{Store, StoreError};
use crate::services::dispatcher::window::Windows;
use crate::services::progress_marker::ProgressMarker;

/// Rows read, and taken back, at once.
const PAGE: u64 = 500;
/// Lost jobs that are gathered before they are taken back: one wait for the recorder serves them all.
const GATHERED: usize = 10_000;
/// Between two pages, so that a long walk leaves room for the jobs themselves.
const MIN_PAUSE: Duration = Duration::from_millis(5);
/// How long a round waits for outcomes to be recorded. What takes longer is settled when it has come that far.
const RECORDER_TIMEOUT: Duration = Duration::from_secs(10);
const RECORDED_PAUSE: Duration = Duration::from_millis(10);

/// Why a round was broken off. The next one begins from the start.
#[derive(Debug, thiserror::Error)]
pub(super) enum PassError {
    #[error("the database failed")]
    Store(#[from] StoreError),
    #[error("the queue failed")]
    Queue(#[from] jobs::error::Error),
}

/// Jobs that a queue did not know, while what had happened by then was not recorded yet. A recorder that is a minute behind
/// gets there in the end; to ask anew each time would be to be told the same for ever.
pub(super) struct Unrecorded {
    queue: QueueName,
    ids: Vec<JobId>,
    /// The last event when the queue was asked.
    marks: Vec<EventId>,
    since: Instant,
    /// Rows that were dispatched later are other dispatches.
    before: DateTime<Utc>,
}

impl Unrecorded {
    async fn of(
        queues: &Queues,
        queue: QueueName,
        ids: Vec<JobId>,
        before: DateTime<Utc>,
    ) -> Result<Self, PassError> {
        let marks = recorder(queues, &queue).marks().await?;
        Ok(Self {
            queue,
            ids,
            marks,
            since: Instant::now(),
            before,
        })
    }

    /// Takes its jobs back, if SQL knows by now everything that the queue had done then.
    pub(super) async fn settle(
        &self,
        store: &Store,
        queues: &Queues,
        windows: &Windows,
        pulse: &ProgressMarker,
    ) -> Result<bool, PassError> {
        // The group's progress says nothing of entries that were read from a stream which has been lost since.
        let settled =
            pulse.has_passed_since(self.since) && recorder(queues, &self.queue).recorded(&self.marks).await?;
        if settled {
            take_back(store, windows, &self.queue, &self.ids, self.before).await?;
        }
        Ok(settled)
    }
}

fn recorder(queues: &Queues, queue: &QueueName) -> Recorder {
    queues.recorder(std::slice::from_ref(queue), "reconciler")
}

/// Takes back every job that is unfinished in SQL, was dispatched `min_age` ago or longer, and is unknown to its queue,
/// unless that is `away`. Returns what is not settled when the recorder is behind; the round ends there.
pub(super) async fn round(
    store: &Store,
    queues: &Queues,
    windows: &Windows,
    recorder: &ProgressMarker,
    away: &[&QueueName],
    min_age: Duration,
) -> Result<Vec<Unrecorded>, PassError> {
    let before = clock::now() - min_age;
    let mut after = None;
    let mut lost = BTreeMap::<QueueName, Vec<JobId>>::new();
    let mut count = 0;
    loop {
        let page = store.job_dispatched(after, PAGE).await?;
        after = page.last().map(|job| job.id);
        // A page may be short of rows that cannot be read.
        let more = !page.is_empty();
        let ahead = clock::now() + AHEAD;
        let is_old = |at: DateTime<Utc>| at <= before || at > ahead;
        let old = page.into_iter().filter(|job| is_old(job.dispatched_at));
        for (queue, ids) in by_queue(old.map(|job| (job.queue, job.id))) {
            if away.contains(&&queue) {
                continue;
            }
            let unknown = queues.unknown(&queue, &ids).await?;
            count += unknown.len();
            lost.entry(queue).or_default().extend(unknown);
        }
        if count > 0 && (!more || count >= GATHERED) {
            let mut unsettled = Vec::new();
            for (queue, ids) in std::mem::take(&mut lost) {
                if !ids.is_empty() {
                    unsettled.push(Unrecorded::of(queues, queue, ids, before).await?);
                }
            }
            let start = Instant::now();
            while !unsettled.is_empty() && start.elapsed() < RECORDER_TIMEOUT {
                let mut left = Vec::new();
                for piece in unsettled {
                    if !piece.settle(store, queues, windows, recorder).await? {
                        left.push(piece);
                    }
                }
                unsettled = left;
                tokio::time::sleep(RECORDED_PAUSE).await;
            }
            if !unsettled.is_empty() {
                tracing::warn!(
                    queues = unsettled.len(),
                    "the recorder is behind: jobs that may be lost wait until it is known what became of them"
                );
                return Ok(unsettled);
            }
            count = 0;
        }
        if !more {
            return Ok(Vec::new());
        }
        tokio::time::sleep(MIN_PAUSE).await;
    }
}

async fn take_back(
    store: &Store,
    windows: &Windows,
    queue: &QueueName,
    ids: &[JobId],
    before: DateTime<Utc>,
) -> Result<(), PassError> {
    let mut taken = 0;
    for ids in ids.chunks(usize::try_from(PAGE).unwrap_or(usize::MAX)) {
        // Those that have finished, as is known by now, stay as they are.
        taken += store.job_take_back(ids, before).await?;
    }
    if taken > 0 {
        windows.enqueued(queue);
        metrics::counter!("spiral_jobs_reconciled_total", "queue" => queue.to_string()).increment(taken);
        tracing::info!(%queue, jobs = taken, "jobs that the queue did not know wait for it again");
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
