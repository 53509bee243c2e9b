//! Takes new jobs from requests to their rows and on to the queue.
//!
//! Group commit: the jobs that arrive while one commit runs share the next one. Nobody waits for company: a lone job
//! is committed at once. A caller is answered right after the commit; the push follows, and when it fails the row is
//! there for `reconcile`. Jobs for which Redis has no room, or whose time is far off, are left to `dispatch`. This
//! module picks no HTTP status and reads no request.

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
/// Jobs that may wait for their commit. At that point the database is seconds behind, and "try later" is kinder.
const WAITING: usize = 5_000;
/// And bytes of their inputs, about.
const WAITING_BYTES: usize = 128 << 20;
/// Bytes of inputs in one commit, about; one job is always allowed.
const BATCH_BYTES: usize = 4 << 20;
/// Longest `Idempotency-Key`, and `unique_key`, in characters. PostgreSQL's index would take ten times as much.
pub const KEY_MAX: usize = 255;
/// How long a commit waits for the clock of a queue that has not told it lately, and how long one that did not tell it in
/// time is not asked. Its jobs line up meanwhile; those of other queues do not wait for them.
const CLOCK_WITHIN: Duration = Duration::from_millis(250);
const CLOCK_LATER: Duration = Duration::from_secs(1);
/// A commit that failed faster than this met a connection that had died in the pool: the next one is likely good.
const WORTH_ANOTHER_TRY: Duration = Duration::from_millis(500);

/// A job that has its row.
#[derive(Debug, Clone, PartialEq)]
pub struct Enqueued {
    pub job: Job,
    /// False when an earlier request with the same key had made it.
    pub created: bool,
}

/// Why there is no new job. Nothing is stored, unless the database failed after it was told to commit.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EnqueueError {
    /// The key belongs to another request.
    #[error("the idempotency key was used for another request, that of job {first}")]
    KeyReused { first: JobId },
    /// The same of a batch.
    #[error("the idempotency key was used for another request, that of batch {first}")]
    BatchKeyReused { first: BatchId },
    /// The key is held by a job that was deleted since.
    #[error("a call with this key was made before, as job {first}, which has been deleted since")]
    JobGone { first: JobId },
    /// The same of a batch.
    #[error("a call with this key was made before, as batch {first}, which has been deleted since")]
    BatchGone { first: BatchId },
    #[error("an idempotency key has 1 to {KEY_MAX} characters")]
    Key,
    #[error("must have 1 to {KEY_MAX} characters, none of them U+0000")]
    UniqueKey,
    /// A value in the input cannot be kept.
    #[error("the input cannot be kept: {0}")]
    Unkept(#[from] Unkept),
    /// Too many jobs wait for their commit.
    #[error("{WAITING} jobs wait to be recorded already")]
    Full,
    /// This process is about to end.
    #[error("this process is stopping")]
    Stopping,
    #[error("the job could not be recorded")]
    Store(#[source] Arc<StoreError>),
}

impl EnqueueError {
    /// The same call may succeed later; HTTP says 503.
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

/// The way in for requests. Cheap to clone.
#[derive(Clone)]
pub struct Enqueuer {
    waiting: mpsc::Sender<PendingCall>,
    bytes: Arc<Semaphore>,
}

struct PendingCall {
    job: NewJob,
    /// Bytes of its input, about, which nobody else may have while it waits.
    bytes: u32,
    _weight: OwnedSemaphorePermit,
    answer: oneshot::Sender<Result<Enqueued, EnqueueError>>,
}

impl Enqueuer {
    /// The way in, and the role behind it that has to run for anything to happen. The role ends after `shutdown`, when
    /// everything that was taken in is committed and pushed.
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
    /// A job that is dropped half-way (its caller went away) may still be recorded and run.
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
                        // Those behind them, and those that came meanwhile, would wait as long for the same answer.
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
    /// Until when the jobs of each queue may be pushed.
    deadlines: HashMap<QueueName, Deadline>,
    /// Until Redis counts them itself.
    _places: Places,
}

/// Where jobs are committed.
struct Committer {
    store: Store,
    queues: Queues,
    windows: Windows,
    pusher: push::Pusher,
    /// Queues whose clock could not be had, and since when.
    silent: Mutex<HashMap<QueueName, Instant>>,
}

impl Committer {
    /// Commits a batch and answers its callers. A job that the database refuses fails alone.
    ///
    /// # Errors
    /// When the database is away: its callers know, and so should those behind them.
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

    /// Until when jobs may be pushed to a queue. `None` when its clock cannot be had soon.
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

    /// Says who keeps each job. The deadlines of their pushes are set before their rows exist: whoever finds them
    /// dispatched and unknown later on knows that the push is over. Without Redis they line up.
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

/// In commits of so many bytes.
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

/// Counts a job that has its row now.
pub(crate) fn count(inserted: &Inserted) {
    if let Inserted::Created(job) = inserted {
        let labels = [
            ("queue", job.queue.to_string()),
            ("function", job.function.clone()),
        ];
        metrics::counter!("spiral_jobs_enqueued_total", &labels).increment(1);
    }
}

/// A caller that has gone needs no answer.
fn answer(waiting: PendingCall, outcome: Result<Enqueued, EnqueueError>) {
    waiting.answer.send(outcome).ok();
}

fn fits(key: &str) -> bool {
    (1..=KEY_MAX).contains(&key.chars().count()) && !key.contains('\0')
}
