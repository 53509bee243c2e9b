//! Hands committed jobs to the queue, behind the backs of their callers. What it cannot hand over it leaves to
//! `reconcile`, which it wakes: the rows are there. Jobs that SQL keeps are announced alone.

use std::{collections::BTreeMap, future::Future, time::Duration};

use jobs::{
    job::QueueName,
    queue::{Deadline, Queues},
};
use tokio::sync::mpsc;

use super::Seats;

use crate::{
    dispatch::{bytes_of, end_refused, envelopes},
    outage::Outage,
    reconcile::Wake,
    store::job::{Job, Place},
    windows::Windows,
};

/// Batches that may wait for a push.
const WAITING: usize = 16;
/// How long the next commit waits for room among them: a queue that is slow slows the callers down, one that is away
/// does not stop them.
const ROOM: Duration = Duration::from_millis(200);

pub(super) struct Pusher {
    batches: mpsc::Sender<Batch>,
    windows: Windows,
    wake: Wake,
}

struct Batch {
    /// Of every queue that jobs are to be pushed to.
    seats: Seats,
    jobs: Vec<Job>,
}

/// The way to the queue and the role behind it, which ends when the way in is dropped.
pub(super) fn pusher(
    queues: Queues,
    windows: Windows,
    wake: Wake,
) -> (Pusher, impl Future<Output = ()> + Send) {
    let (batches, arrivals) = mpsc::channel(WAITING);
    let pusher = Pusher {
        batches,
        windows: windows.clone(),
        wake: wake.clone(),
    };
    (pusher, run(queues, windows, wake, arrivals))
}

impl Pusher {
    /// Takes jobs that have their rows.
    pub(super) async fn push(&self, jobs: Vec<Job>, seats: Seats) {
        for job in &jobs {
            if job.place == Place::Backlog {
                self.windows.lined_up(&job.queue);
            }
        }
        let batch = Batch { seats, jobs };
        if !batch.jobs.is_empty() && self.batches.send_timeout(batch, ROOM).await.is_err() {
            self.wake.wake();
        }
    }
}

async fn run(queues: Queues, windows: Windows, wake: Wake, mut batches: mpsc::Receiver<Batch>) {
    let mut outage = Outage::new("enqueuer, pushing to the queue");
    while let Some(Batch { seats, jobs }) = batches.recv().await {
        for (queue, jobs) in by_queue(jobs) {
            let deadline = seats.deadlines.get(&queue).copied();
            let pushes = jobs.iter().any(|job| matches!(job.place, Place::Window(_)));
            match hand_over(&queues, &windows, &queue, jobs, deadline).await {
                Ok(late) => {
                    outage.over();
                    if late > 0 {
                        wake.wake();
                    }
                }
                Err(error) => {
                    // No pause: what comes next is the reconciler's by then.
                    outage.failed(&error);
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
