//! Batches: makes them, and closes each when all of its jobs are finished, which may call a function.
//!
//! The recorder says which batches it touched, so that one closes at once; now and then all open ones are looked at, so
//! that none is forgotten, whatever died in between. Every process does this; the database sees to it that a batch is
//! closed once.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jobs::clock;
use jobs::job::{JobId, QueueName};
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::db::batches::Batch;
use crate::db::batches::insert::{BatchInserted, NewBatch};
use crate::db::jobs::{Job, Place};
use crate::db::{Store, StoreError};
use crate::domain::ids::BatchId;
use crate::services::dispatcher::window::Windows;
use crate::services::enqueuer::EnqueueError;
use crate::services::retry_loop::{RetryLoop, jittered};
use jobs::error::chain;

/// Jobs in one batch.
pub const MOST_JOBS: usize = 10_000;

/// Batches that are read, checked and recorded at the same time: each may take a hundred megabytes on the way.
const AT_ONCE: usize = 2;
/// How long a caller waits for its turn.
const CALLER_TIMEOUT: Duration = Duration::from_secs(10);
/// A commit that failed faster than this met a connection that had died in the pool: the next one is likely good.
const WORTH_ANOTHER_TRY: Duration = Duration::from_millis(500);
/// Between two looks at batches that were touched, so that one whose jobs end one by one is not looked at for each.
const MIN_PAUSE: Duration = Duration::from_millis(20);
/// Between two looks at all open batches.
const SWEEP: Duration = Duration::from_secs(5);
/// Open batches in one look.
const PAGE: u64 = 200;
/// Batches in one statement: a database takes so many parameters and no more.
const SOME: usize = 500;

/// Says which batches may have their last outcome. Cheap to clone.
#[derive(Clone, Default)]
pub struct DirtyBatches {
    ids: Arc<Mutex<BTreeSet<BatchId>>>,
    notify: Arc<Notify>,
}

/// The way in for requests. Cheap to clone.
#[derive(Clone)]
pub struct Batches {
    store: Store,
    windows: Windows,
    places: Arc<Semaphore>,
    dirty: DirtyBatches,
}

/// A batch that has its row.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    pub batch: Batch,
    /// False when an earlier request with the same key had made it.
    pub created: bool,
}

impl DirtyBatches {
    pub fn add(&self, ids: impl IntoIterator<Item = BatchId>) {
        let mut known = self.lock();
        let before = known.len();
        known.extend(ids);
        if known.len() > before {
            self.notify.notify_one();
        }
    }

    fn take(&self) -> Vec<BatchId> {
        std::mem::take(&mut *self.lock()).into_iter().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<BatchId>> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Batches {
    /// The way in, and the role behind it that has to run for batches to be closed.
    pub fn new(
        store: &Store,
        windows: Windows,
        dirty: DirtyBatches,
        shutdown: CancellationToken,
    ) -> (Self, impl Future<Output = ()> + Send + use<>) {
        let batches = Self {
            store: store.clone(),
            windows: windows.clone(),
            places: Arc::new(Semaphore::new(AT_ONCE)),
            dirty: dirty.clone(),
        };
        let closer = Closer {
            store: store.for_roles(),
            windows,
        };
        let role = async move {
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = closer.run(dirty) => {}
            }
        };
        (batches, role)
    }

    /// A turn to read, check and record a batch, given back when it is dropped.
    ///
    /// # Errors
    /// When too many others do that, for too long.
    pub async fn turn(&self) -> Result<OwnedSemaphorePermit, EnqueueError> {
        match tokio::time::timeout(CALLER_TIMEOUT, Arc::clone(&self.places).acquire_owned()).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_closed)) => Err(EnqueueError::Stopping),
            Err(_elapsed) => Err(EnqueueError::Full),
        }
    }

    /// Records the batch with all its jobs, or nothing; they line up for the dispatcher. Returns when it is committed.
    pub async fn make(&self, mut new: NewBatch) -> Result<Made, EnqueueError> {
        let now = clock::now();
        for job in &mut new.jobs {
            // Ids tell when jobs were made: the wait for a turn does not count.
            job.id = JobId::new();
            if self.windows.is_far_off(job.run_at, now) {
                job.place = Place::Parked;
            }
        }
        let start = Instant::now();
        let inserted = match self.store.batch_insert(&new).await {
            Err(error) if error.is_unavailable() && start.elapsed() < WORTH_ANOTHER_TRY => {
                self.store.batch_insert(&new).await
            }
            result => result,
        };
        match inserted.map_err(|error| EnqueueError::Store(Arc::new(error)))? {
            BatchInserted::Created { batch, jobs } => {
                count(&jobs);
                enqueued(&self.windows, &jobs);
                if jobs.is_empty() {
                    self.dirty.add([batch.id]);
                }
                Ok(Made { batch, created: true })
            }
            BatchInserted::Existing(batch) => Ok(Made {
                batch,
                created: false,
            }),
            BatchInserted::KeyReused(first) => Err(EnqueueError::BatchKeyReused { first }),
            BatchInserted::Gone(first) => Err(EnqueueError::BatchGone { first }),
        }
    }

    /// Says that jobs of this batch were ended other than by an event.
    pub fn touch(&self, id: BatchId) {
        self.dirty.add([id]);
    }
}

fn enqueued(windows: &Windows, jobs: &[Job]) {
    let queues: BTreeSet<&QueueName> = jobs.iter().map(|job| &job.queue).collect();
    for queue in queues {
        windows.enqueued(queue);
    }
}

fn count(jobs: &[Job]) {
    let mut numbers = BTreeMap::<(&QueueName, &str), u64>::new();
    for job in jobs {
        *numbers.entry((&job.queue, &job.function)).or_default() += 1;
    }
    for ((queue, function), number) in numbers {
        let labels = [("queue", queue.to_string()), ("function", function.to_owned())];
        metrics::counter!("spiral_jobs_enqueued_total", &labels).increment(number);
    }
}

/// Closes batches until it is dropped. Never ends of an error.
struct Closer {
    store: Store,
    windows: Windows,
}

impl Closer {
    async fn run(self, dirty: DirtyBatches) {
        let mut retries = RetryLoop::new("batches, closing those that are finished");
        let mut next_sweep = Instant::now();
        loop {
            let sweep = tokio::select! {
                () = dirty.notify.notified() => false,
                () = tokio::time::sleep_until(next_sweep) => true,
            };
            let result = if sweep {
                next_sweep = Instant::now() + jittered(SWEEP);
                self.sweep().await
            } else {
                // Should it fail, the next sweep finds them.
                self.close_done(&dirty.take()).await
            };
            let pause = match result {
                Ok(()) => {
                    retries.over();
                    MIN_PAUSE
                }
                Err(error) => retries.failed(&error),
            };
            tokio::time::sleep(pause).await;
        }
    }

    async fn sweep(&self) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let page = self.store.batch_open(after, PAGE).await?;
            self.close_done(&page).await?;
            after = page.last().copied();
            if (page.len() as u64) < PAGE {
                return Ok(());
            }
        }
    }

    async fn close_done(&self, ids: &[BatchId]) -> Result<(), StoreError> {
        for some in ids.chunks(SOME) {
            self.close_some(some).await?;
        }
        Ok(())
    }

    async fn close_some(&self, ids: &[BatchId]) -> Result<(), StoreError> {
        for id in self.store.batch_done(ids).await? {
            match self.store.batch_close(id).await {
                Ok(Some(closed)) => {
                    metrics::counter!("spiral_batches_finished_total").increment(1);
                    let called = closed.job.as_slice();
                    count(called);
                    enqueued(&self.windows, called);
                }
                // Not yet after all, or another process was faster.
                Ok(None) => {}
                Err(error) if error.is_unavailable() => return Err(error),
                // It must not keep the others from being closed.
                Err(error) => {
                    tracing::error!(batch = %id, error = %chain(&error), "the batch cannot be closed");
                }
            }
        }
        Ok(())
    }
}
