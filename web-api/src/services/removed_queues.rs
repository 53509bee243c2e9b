//! Records outcomes of queues that left `SPIRAL_QUEUES` while they had unfinished jobs. Workers with the
//! current setting do not fetch from these queues and nothing is dispatched to them, but their jobs can still
//! be cancelled, or be run by a worker that has the old setting. Without this role such a job would never
//! reach its final state in SQL.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jobs::job::{JobId, QueueName};
use jobs::queue::Queues;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::db::Store;
use crate::db::job_counts::JobCount;
use crate::services::batch_closer::DirtyBatches;
use crate::services::outcome_waiters::Outcomes;
use crate::services::progress_marker::ProgressMarker;
use crate::services::recorder;
use crate::services::retry_loop::{RetryLoop, jittered};

/// How soon a queue is noticed into which a process with the old setting has put a job.
const LOOK: Duration = Duration::from_secs(5);

/// Queues that are not among `names`, and how many jobs of each have not ended.
pub fn unfinished<'c>(
    counts: impl IntoIterator<Item = &'c JobCount>,
    names: &[QueueName],
) -> BTreeMap<QueueName, u64> {
    let mut found = BTreeMap::new();
    for count in counts {
        if count.jobs > 0 && !count.state.is_final() && !names.contains(&count.queue) {
            *found.entry(count.queue.clone()).or_default() += count.jobs;
        }
    }
    found
}

/// The role, with what it needs.
pub struct RemovedQueues {
    store: Store,
    queues: Queues,
    /// The queues of the setting.
    names: Vec<QueueName>,
    outcomes: Outcomes,
    dirty: DirtyBatches,
}

impl RemovedQueues {
    pub fn new(
        store: &Store,
        queues: &Queues,
        names: &[QueueName],
        outcomes: &Outcomes,
        dirty: &DirtyBatches,
    ) -> Self {
        Self {
            store: store.clone(),
            queues: queues.clone(),
            names: names.to_vec(),
            outcomes: outcomes.clone(),
            dirty: dirty.clone(),
        }
    }

    /// Records their outcomes until `shutdown`. Errors do not end it.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut retries = RetryLoop::new("queues that left SPIRAL_QUEUES");
        // A queue that was found stays until the process ends: events may follow the end of its last job.
        let mut known = BTreeSet::new();
        let mut recording: Option<(JoinHandle<()>, CancellationToken)> = None;
        loop {
            let pause = match self.store.job_counts().await {
                Ok(counts) => {
                    retries.over();
                    let found = unfinished(&counts, &self.names);
                    if found.keys().any(|queue| !known.contains(queue)) {
                        known.extend(found.keys().cloned());
                        end(recording.take()).await;
                        recording = Some(self.record(&known));
                        tracing::warn!(
                            jobs = ?found,
                            "jobs wait in queues that are no longer in SPIRAL_QUEUES: add these again, or cancel the jobs"
                        );
                    }
                    jittered(LOOK)
                }
                Err(error) => retries.failed(&error),
            };
            if tokio::time::timeout(pause, shutdown.cancelled()).await.is_ok() {
                return end(recording).await;
            }
        }
    }

    fn record(&self, known: &BTreeSet<QueueName>) -> (JoinHandle<()>, CancellationToken) {
        let names: Vec<QueueName> = known.iter().cloned().collect();
        let reader = self
            .queues
            .recorder(&names, &format!("web-api-removed-{}", JobId::new()));
        let stop = CancellationToken::new();
        let recording = recorder::run(
            self.store.clone(),
            reader,
            self.outcomes.clone(),
            self.dirty.clone(),
            ProgressMarker::default(),
            stop.clone(),
        );
        (tokio::spawn(recording), stop)
    }
}

/// Waits for the recorders that were started.
async fn end(recording: Option<(JoinHandle<()>, CancellationToken)>) {
    if let Some((recording, stop)) = recording {
        stop.cancel();
        if let Err(error) = recording.await {
            tracing::error!(%error, "a recorder failed");
        }
    }
}
