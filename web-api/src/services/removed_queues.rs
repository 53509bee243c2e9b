//! Looks after queues that left `SPIRAL_QUEUES` while jobs of them are unfinished. No worker of this setting takes them,
//! and nobody dispatches them, but what happens in them has to be recorded: jobs there are cancelled by people, and by a
//! worker that still has the old setting they are run. Without that a cancelled job stays as it was, for ever.

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

/// How soon a queue is looked after that a process with the old setting put a job into.
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

/// The role, with all that it works with.
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

    /// Looks after them until `shutdown`. Never ends of an error.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut retries = RetryLoop::new("queues that left SPIRAL_QUEUES");
        // One that was found stays until the end of the process: there may be events of it after its last job has ended.
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

/// Waits for what was begun.
async fn end(recording: Option<(JoinHandle<()>, CancellationToken)>) {
    if let Some((recording, stop)) = recording {
        stop.cancel();
        if let Err(error) = recording.await {
            tracing::error!(%error, "a recorder ended badly");
        }
    }
}
