//! Takes new jobs from requests to their rows and on to the queue.
//!
//! Group commit: the jobs that arrive while one commit runs share the next one. A lone job does not wait for
//! others; it is committed at once. The caller gets its response right after the commit. The push follows;
//! when it fails, `reconcile` finds the row. Jobs for which Redis has no room, or whose time is far off, are
//! left to `dispatch`. This module picks no HTTP status and reads no request.

mod push;
mod request_hash;

use std::{
    collections::{HashMap, VecDeque},
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use chrono::SubsecRound as _;
use jobs::clock;
use jobs::{
    job::{JobId, QueueName},
    json::Unkept,
    queue::{Deadline, Queues},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::db::jobs::{Inserted, Job, NewJob, Place};
use crate::db::{Store, StoreError};
use crate::domain::ids::BatchId;
use crate::services::dispatcher::hand_over::PUSH_WITHIN;
use crate::services::dispatcher::window::{Places, Windows};
use crate::services::reconciler::ReconcileRequest;
pub use request_hash::request_hash;

/// Jobs in one commit.
const BATCH: usize = 500;
/// Jobs that may wait for their commit. At that point the database is seconds behind, and refusing is better
/// than letting callers wait longer.
const WAITING: usize = 5_000;
/// Bytes of the inputs of these jobs, approximately.
const WAITING_BYTES: usize = 128 << 20;
/// Bytes of inputs in one commit, approximately; one job is always allowed.
const BATCH_BYTES: usize = 4 << 20;
/// Longest `Idempotency-Key`, and `unique_key`, in characters. PostgreSQL's index takes ten times as much.
pub const KEY_MAX: usize = 255;
/// How long a commit waits for the clock of a queue that has not been read lately, and for how long a queue
/// that did not answer in time is not asked again. Its jobs go to the backlog meanwhile; jobs of other queues
/// are not delayed.
const CLOCK_WITHIN: Duration = Duration::from_millis(250);
const CLOCK_LATER: Duration = Duration::from_secs(1);
/// A commit that failed faster than this used a pooled connection that had died: a retry is likely to
/// succeed.
const WORTH_ANOTHER_TRY: Duration = Duration::from_millis(500);

/// A job that has its row.
#[derive(Debug, Clone, PartialEq)]
pub struct Enqueued {
    pub job: Job,
    /// False when an earlier request with the same key had created it.
    pub created: bool,
}

/// Why there is no new job. Nothing is stored, unless the database failed after it received the commit.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EnqueueError {
    /// The key belongs to another request.
    #[error("the idempotency key was used for another request, that of job {first}")]
    KeyReused { first: JobId },
    /// The key belongs to another batch request.
    #[error("the idempotency key was used for another request, that of batch {first}")]
    BatchKeyReused { first: BatchId },
    /// The key is held by a job that was deleted since.
    #[error("a call with this key was made before, as job {first}, which has been deleted since")]
    JobGone { first: JobId },
    /// The key is held by a batch that was deleted since.
    #[error("a call with this key was made before, as batch {first}, which has been deleted since")]
    BatchGone { first: BatchId },
    #[error("an idempotency key has 1 to {KEY_MAX} characters")]
    Key,
    #[error("must have 1 to {KEY_MAX} characters, none of them U+0000")]
    UniqueKey,
    /// A value in the input cannot be stored.
    #[error("the input cannot be kept: {0}")]
    Unkept(#[from] Unkept),
    /// Too many jobs wait for their commit.
    #[error("{WAITING} jobs wait to be recorded already")]
    Full,
    /// This process is shutting down.
    #[error("this process is stopping")]
    Stopping,
    #[error("the job could not be recorded")]
    Store(#[source] Arc<StoreError>),
}

impl EnqueueError {
    /// The same call may succeed later; HTTP responds with 503.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Full | Self::Stopping => true,
            Self::Store(error) => error.is_unavailable(),
            Self::KeyReused { .. }
            | Self::BatchKeyReused { .. }
            | Self::JobGone { .. }
            | Self::BatchGone { .. }
            | Self::Key
            | Self::UniqueKey
            | Self::Unkept(_) => false,
        }
    }
}

/// The handle for requests. Cheap to clone.
#[derive(Clone)]
pub struct Enqueuer {
    waiting: mpsc::Sender<PendingCall>,
    bytes: Arc<Semaphore>,
}

struct PendingCall {
    job: NewJob,
    /// The job's share of the limit on waiting input bytes, approximately; released when it is dropped.
    bytes: u32,
    _weight: OwnedSemaphorePermit,
    answer: oneshot::Sender<Result<Enqueued, EnqueueError>>,
}

impl Enqueuer {
    /// The handle, and the role behind it that has to run for anything to happen. The role ends after
    /// `shutdown`, when every accepted job is committed and pushed.
    pub fn new(
        store: Store,
        queues: Queues,
        windows: Windows,
        wake: ReconcileRequest,
        shutdown: CancellationToken,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (waiting, arrivals) = mpsc::channel(WAITING);
        (
            Self {
                waiting,
                bytes: Arc::new(Semaphore::new(WAITING_BYTES)),
            },
            run(store, queues, windows, wake, arrivals, shutdown),
        )
    }

    /// Records the job and hands it to the queue. Returns when it is committed.
    ///
    /// If the future is dropped (the caller disconnected), the job may still be recorded and run.
    pub async fn enqueue(&self, job: NewJob) -> Result<Enqueued, EnqueueError> {
        if job
            .idempotency
            .as_ref()
            .is_some_and(|idempotency| !fits(&idempotency.key))
        {
            return Err(EnqueueError::Key);
        }
        if job.unique.as_ref().is_some_and(|unique| !fits(&unique.key)) {
            return Err(EnqueueError::UniqueKey);
        }
        job.input.check()?;
        let bytes = u32::try_from(job.input.text().len().min(WAITING_BYTES)).unwrap_or(u32::MAX);
        let weight = Arc::clone(&self.bytes).try_acquire_many_owned(bytes);
        let weight = weight.map_err(|_none_left| EnqueueError::Full)?;
        let (answer, outcome) = oneshot::channel();
        self.waiting
            .try_send(PendingCall {
                job,
                bytes,
                _weight: weight,
                answer,
            })
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => EnqueueError::Full,
                mpsc::error::TrySendError::Closed(_) => EnqueueError::Stopping,
            })?;
        outcome.await.unwrap_or(Err(EnqueueError::Stopping))
    }
}

async fn run(
    store: Store,
    queues: Queues,
    windows: Windows,
    wake: ReconcileRequest,
    mut arrivals: mpsc::Receiver<PendingCall>,
    shutdown: CancellationToken,
) {
    let (pusher, pushing) = push::pusher(queues.clone(), windows.clone(), wake);
    let committer = Committer {
        store,
        queues,
        windows,
        pusher,
        silent: Mutex::default(),
    };
    let committing = async move {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                () = shutdown.cancelled(), if !arrivals.is_closed() => arrivals.close(),
                taken = arrivals.recv_many(&mut batch, BATCH) => {
                    if taken == 0 {
                        break;
                    }
                    let mut portions = portions(std::mem::take(&mut batch)).into_iter();
                    while let Some(portion) = portions.next() {
                        let Err(error) = committer.commit(portion).await else {
                            continue;
                        };
                        // The callers that wait would only wait as long for the same error.
                        for waiting in portions.by_ref().flatten() {
                            answer(waiting, Err(error.clone()));
                        }
                        while let Ok(waiting) = arrivals.try_recv() {
                            answer(waiting, Err(error.clone()));
                        }
                    }
                }
            }
        }
    };
    tokio::join!(committing, pushing);
}

/// What jobs of a commit need to go into Redis.
struct Reservations {
    /// The push deadline of each queue.
    deadlines: HashMap<QueueName, Deadline>,
    /// Reservations in the queues' windows, kept until Redis counts the jobs itself.
    _places: Places,
}

/// Where jobs are committed.
struct Committer {
    store: Store,
    queues: Queues,
    windows: Windows,
    pusher: push::Pusher,
    /// Queues whose clock could not be read, and since when.
    silent: Mutex<HashMap<QueueName, Instant>>,
}

impl Committer {
    /// Commits a batch and responds to its callers. A job that the database refuses fails alone.
    ///
    /// # Errors
    /// When the database is away: its callers get the error, and those that wait should get it too.
    async fn commit(&self, mut batch: Vec<PendingCall>) -> Result<(), EnqueueError> {
        let reservations = self.place(&mut batch).await;
        let mut batches = VecDeque::from([batch]);
        let mut created = Vec::new();
        let mut away = None;
        while let Some(mut batch) = batches.pop_front() {
            let jobs: Vec<NewJob> = batch.iter().map(|waiting| waiting.job.clone()).collect();
            let result = match &away {
                None => insert(&self.store, &jobs).await.map_err(Arc::new),
                Some(error) => Err(Arc::clone(error)),
            };
            match result {
                Ok(inserted) => {
                    for (waiting, inserted) in batch.into_iter().zip(inserted) {
                        count(&inserted);
                        if let Inserted::Created(job) = &inserted {
                            created.push(job.clone());
                        }
                        answer(waiting, outcome(inserted));
                    }
                }
                Err(error) if !error.is_unavailable() && batch.len() > 1 => {
                    let second = batch.split_off(batch.len() / 2);
                    batches.push_front(second);
                    batches.push_front(batch);
                }
                Err(error) => {
                    if error.is_unavailable() {
                        away = Some(Arc::clone(&error));
                    }
                    for waiting in batch {
                        answer(waiting, Err(EnqueueError::Store(Arc::clone(&error))));
                    }
                }
            }
        }
        self.pusher.push(created, reservations).await;
        away.map_or(Ok(()), |error| Err(EnqueueError::Store(error)))
    }

    /// The push deadline of a queue. `None` when its clock cannot be read soon.
    async fn deadline(&self, queue: &QueueName) -> Option<Deadline> {
        let silent = || self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        let since = silent().get(queue).copied();
        if since.is_some_and(|since| since.elapsed() < CLOCK_LATER) {
            return None;
        }
        let asked = self.queues.deadline(queue, PUSH_WITHIN);
        let asked = tokio::time::timeout(CLOCK_WITHIN, asked).await;
        let deadline = asked.ok().and_then(Result::ok);
        match deadline {
            Some(_) => silent().remove(queue),
            None => silent().insert(queue.clone(), Instant::now()),
        };
        deadline
    }

    /// Decides whether SQL or Redis keeps each job. The push deadlines are set before the rows exist, so that
    /// a later pass that finds a row dispatched but unknown to Redis knows that its push is over. While Redis
    /// is away, the jobs go to the backlog.
    async fn place(&self, batch: &mut [PendingCall]) -> Reservations {
        let now = clock::now().trunc_subsecs(3);
        let mut deadlines = HashMap::<QueueName, Option<Deadline>>::new();
        let mut places = self.windows.places();
        for PendingCall { job, bytes, .. } in batch {
            job.place = Place::Backlog;
            if self.windows.is_far_off(job.run_at, now) {
                job.place = Place::Parked;
            } else if places.take(&job.queue, u64::from(*bytes) + 256) {
                if !deadlines.contains_key(&job.queue) {
                    let deadline = self.deadline(&job.queue).await;
                    deadlines.insert(job.queue.clone(), deadline);
                }
                if deadlines.get(&job.queue).is_some_and(Option::is_some) {
                    job.place = Place::Window(now);
                }
            }
        }
        let known = deadlines
            .into_iter()
            .filter_map(|(queue, deadline)| Some((queue, deadline?)));
        Reservations {
            deadlines: known.collect(),
            _places: places,
        }
    }
}

/// Splits the jobs into commits of limited size in bytes.
fn portions(batch: Vec<PendingCall>) -> Vec<Vec<PendingCall>> {
    let mut portions: Vec<Vec<PendingCall>> = Vec::new();
    let mut bytes = 0;
    for waiting in batch {
        let size = usize::try_from(waiting.bytes).unwrap_or(usize::MAX);
        match portions.last_mut() {
            Some(portion) if bytes + size <= BATCH_BYTES => {
                bytes += size;
                portion.push(waiting);
            }
            _ => {
                bytes = size;
                portions.push(vec![waiting]);
            }
        }
    }
    portions
}

async fn insert(store: &Store, jobs: &[NewJob]) -> Result<Vec<Inserted>, StoreError> {
    let start = Instant::now();
    match store.job_insert_many(jobs).await {
        Err(error) if error.is_unavailable() && start.elapsed() < WORTH_ANOTHER_TRY => {
            store.job_insert_many(jobs).await
        }
        result => result,
    }
}

fn outcome(inserted: Inserted) -> Result<Enqueued, EnqueueError> {
    match inserted {
        Inserted::Created(job) => Ok(Enqueued { job, created: true }),
        Inserted::Existing(job) => Ok(Enqueued { job, created: false }),
        Inserted::KeyReused(first) => Err(EnqueueError::KeyReused { first }),
        Inserted::Gone(first) => Err(EnqueueError::JobGone { first }),
    }
}

/// Counts a job whose row was just created.
pub(crate) fn count(inserted: &Inserted) {
    if let Inserted::Created(job) = inserted {
        let labels = [
            ("queue", job.queue.to_string()),
            ("function", job.function.clone()),
        ];
        metrics::counter!("spiral_jobs_enqueued_total", &labels).increment(1);
    }
}

/// A caller that has disconnected needs no response.
fn answer(waiting: PendingCall, outcome: Result<Enqueued, EnqueueError>) {
    waiting.answer.send(outcome).ok();
}

fn fits(key: &str) -> bool {
    (1..=KEY_MAX).contains(&key.chars().count()) && !key.contains('\0')
}
