//! Hands committed jobs to the queue, behind the backs of their callers. What it cannot hand over it leaves to
//! `reconcile`, which it wakes: the rows are there. Jobs that SQL keeps are announced alone.
//!
//! Each queue has a line of its own: on a cluster one may lie on a node that does not answer.

use std::{
    collections::{BTreeMap, HashMap},
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jobs::{
    job::QueueName,
    queue::{Deadline, Queues},
};
use tokio::{sync::mpsc, task::JoinSet};

use super::Reservations;

use crate::db::jobs::{Job, Place};
use crate::services::dispatcher::hand_over::{bytes_of, end_refused, envelopes};
use crate::services::dispatcher::window::Windows;
use crate::services::reconciler::ReconcileRequest;
use crate::services::retry_loop::RetryLoop;

/// Batches of one queue that may wait for a push.
const WAITING: usize = 16;
/// How long the next commit waits for room among them: a queue that is slow slows the callers down, one that is away
/// does not stop them, and is not waited for again until it has room.
const ROOM: Duration = Duration::from_millis(200);

pub(super) struct Pusher {
    lines: Mutex<HashMap<QueueName, Line>>,
    begun: mpsc::UnboundedSender<(QueueName, mpsc::Receiver<Batch>)>,
    windows: Windows,
    wake: ReconcileRequest,
}

/// The way to the pushes of one queue.
#[derive(Clone)]
struct Line {
    batches: mpsc::Sender<Batch>,
    was_full: bool,
}

/// Jobs of one queue.
struct Batch {
    reservations: Arc<Reservations>,
    jobs: Vec<Job>,
}

/// The way to the queues and the role behind it, which ends when the way in is dropped and everything is pushed.
pub(super) fn pusher(
    queues: Queues,
    windows: Windows,
    wake: ReconcileRequest,
) -> (Pusher, impl Future<Output = ()> + Send) {
    let (begun, lines) = mpsc::unbounded_channel();
    let pusher = Pusher {
        lines: Mutex::default(),
        begun,
        windows: windows.clone(),
        wake: wake.clone(),
    };
    (pusher, run(queues, windows, wake, lines))
}

impl Pusher {
    /// Takes jobs that have their rows.
    pub(super) async fn push(&self, jobs: Vec<Job>, reservations: Reservations) {
        for job in &jobs {
            if job.place == Place::Backlog {
                self.windows.enqueued_new(&job.queue, job.id);
            }
        }
        let reservations = Arc::new(reservations);
        for (queue, jobs) in by_queue(jobs) {
            let batch = Batch {
                reservations: Arc::clone(&reservations),
                jobs,
            };
            let line = self.line(&queue);
            let room = if line.was_full { Duration::ZERO } else { ROOM };
            let is_full = line.batches.send_timeout(batch, room).await.is_err();
            if is_full {
                self.wake.wake();
            }
            if is_full != line.was_full
                && let Some(line) = self.lines().get_mut(&queue)
            {
                line.was_full = is_full;
            }
        }
    }

    fn lines(&self) -> std::sync::MutexGuard<'_, HashMap<QueueName, Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn line(&self, queue: &QueueName) -> Line {
        let mut lines = self.lines();
        let line = lines.entry(queue.clone()).or_insert_with(|| {
            let (batches, arrivals) = mpsc::channel(WAITING);
            // The role outlives this way in.
            let _ended = self.begun.send((queue.clone(), arrivals));
            Line {
                batches,
                was_full: false,
            }
        });
        line.clone()
    }
}

async fn run(
    queues: Queues,
    windows: Windows,
    wake: ReconcileRequest,
    mut lines: mpsc::UnboundedReceiver<(QueueName, mpsc::Receiver<Batch>)>,
) {
    let mut pushing = JoinSet::new();
    while let Some((queue, batches)) = lines.recv().await {
        pushing.spawn(push_all(
            queues.clone(),
            windows.clone(),
            wake.clone(),
            queue,
            batches,
        ));
    }
    while let Some(ended) = pushing.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a line of pushes ended early");
        }
    }
}

/// Pushes what comes for one queue, in order.
async fn push_all(
    queues: Queues,
    windows: Windows,
    wake: ReconcileRequest,
    queue: QueueName,
    mut batches: mpsc::Receiver<Batch>,
) {
    let mut retries = RetryLoop::new("enqueuer, pushing to the queue");
    while let Some(Batch { reservations, jobs }) = batches.recv().await {
        let deadline = reservations.deadlines.get(&queue).copied();
        let pushes = jobs.iter().any(|job| matches!(job.place, Place::Window(_)));
        match hand_over(&queues, &windows, &queue, jobs, deadline).await {
            Ok(late) => {
                retries.over();
                if late > 0 {
                    wake.wake();
                }
            }
            Err(error) => {
                // No pause: what comes next is the reconciler's by then.
                retries.failed(&error);
                if error.is_full() {
                    windows.set_full(&queue, true);
                }
                if pushes {
                    wake.wake();
                }
            }
        }
    }
}

/// Pushes the jobs that are Redis's and announces those that SQL keeps. Returns how many pushes came too late.
async fn hand_over(
    queues: &Queues,
    windows: &Windows,
    queue: &QueueName,
    jobs: Vec<Job>,
    deadline: Option<Deadline>,
) -> Result<usize, jobs::error::Error> {
    let (to_push, to_announce): (Vec<Job>, Vec<Job>) = jobs
        .into_iter()
        .partition(|job| matches!(job.place, Place::Window(_)));
    let mut late = 0;
    if let Some(deadline) = deadline.filter(|_| !to_push.is_empty()) {
        let envelopes = envelopes(&to_push);
        let pushed = queues.push_before(deadline, queue, &envelopes).await?;
        windows.held(queue, pushed.held);
        windows.came_in(queue, envelopes.iter().map(bytes_of).sum());
        end_refused(queues, queue, &envelopes, &pushed).await?;
        late = pushed.late;
    }
    if !to_announce.is_empty() {
        queues.announce(queue, &envelopes(&to_announce)).await?;
    }
    Ok(late)
}

fn by_queue(jobs: Vec<Job>) -> BTreeMap<QueueName, Vec<Job>> {
    let mut queues = BTreeMap::<_, Vec<_>>::new();
    for job in jobs {
        queues.entry(job.queue.clone()).or_default().push(job);
    }
    queues
}
