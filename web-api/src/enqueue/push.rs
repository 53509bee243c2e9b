//! Hands committed jobs to the queue, behind the backs of their callers. What it cannot hand over in time it leaves to
//! `reconcile`, which it wakes: the rows are there.

use std::{
    collections::BTreeMap,
    future::Future,
    time::{Duration, Instant},
};

use jobs::{
    job::{Envelope, QueueName},
    queue::Queues,
};
use tokio::sync::mpsc;

use crate::{outage::Outage, reconcile::Wake, store::job::Inserted};

/// Batches that may wait for a push.
const WAITING: usize = 16;
/// How long the next commit waits for room among them: a queue that is slow slows the callers down, one that is away
/// does not stop them.
const ROOM: Duration = Duration::from_millis(200);
/// Older ones are left alone: `reconcile` may look at rows of a few seconds, and a push must not come after it.
const TOO_OLD: Duration = Duration::from_secs(1);

pub(crate) struct Pusher {
    batches: mpsc::Sender<Batch>,
    wake: Wake,
}

struct Batch {
    committed: Instant,
    jobs: Vec<(QueueName, Envelope)>,
}

/// The way to the queue and the role behind it, which ends when the way in is dropped.
pub(crate) fn pusher(queues: Queues, wake: Wake) -> (Pusher, impl Future<Output = ()> + Send) {
    let (batches, arrivals) = mpsc::channel(WAITING);
    let pusher = Pusher {
        batches,
        wake: wake.clone(),
    };
    (pusher, run(queues, wake, arrivals))
}

impl Pusher {
    pub(crate) async fn push(&self, jobs: Vec<(QueueName, Envelope)>) {
        let batch = Batch {
            committed: Instant::now(),
            jobs,
        };
        if !batch.jobs.is_empty() && self.batches.send_timeout(batch, ROOM).await.is_err() {
            self.wake.wake();
        }
    }
}

/// What there is to push of what was committed.
pub(crate) fn envelopes(inserted: &[Inserted]) -> impl Iterator<Item = (QueueName, Envelope)> {
    inserted.iter().filter_map(|inserted| {
        let Inserted::Created(job) = inserted else {
            return None;
        };
        job.envelope()
            .inspect_err(|error| tracing::error!(job = %job.id, %error, "the job cannot be written as JSON"))
            .ok()
            .map(|envelope| (job.queue.clone(), envelope))
    })
}

async fn run(queues: Queues, wake: Wake, mut batches: mpsc::Receiver<Batch>) {
    let mut outage = Outage::new("enqueuer, pushing to the queue");
    let mut taken = Vec::with_capacity(WAITING);
    while batches.recv_many(&mut taken, WAITING).await > 0 {
        let mut by_queue = BTreeMap::<QueueName, Vec<Envelope>>::new();
        for batch in taken.drain(..) {
            if batch.committed.elapsed() > TOO_OLD {
                wake.wake();
                continue;
            }
            for (queue, job) in batch.jobs {
                by_queue.entry(queue).or_default().push(job);
            }
        }
        for (queue, jobs) in by_queue {
            match queues.push(&queue, &jobs).await {
                Ok(_) => outage.over(),
                Err(error) => {
                    // No pause: the next batch is the reconciler's by then.
                    outage.failed(&error);
                    wake.wake();
                }
            }
        }
    }
}
