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

use crate::{outage::Outage, reconcile::Wake, store::job::Job};

/// Batches that may wait for a push.
const WAITING: usize = 16;
/// Older ones are left alone: `reconcile` may look at rows of a few seconds, and a push must not come after it.
const TOO_OLD: Duration = Duration::from_secs(1);

pub(super) struct Pusher {
    batches: mpsc::Sender<Batch>,
    wake: Wake,
}

struct Batch {
    committed: Instant,
    jobs: BTreeMap<QueueName, Vec<Envelope>>,
}

/// The way to the queue and the role behind it, which ends when the way in is dropped.
pub(super) fn pusher(queues: Queues, wake: Wake) -> (Pusher, impl Future<Output = ()> + Send) {
    let (batches, arrivals) = mpsc::channel(WAITING);
    (
        Pusher {
            batches,
            wake: wake.clone(),
        },
        run(queues, wake, arrivals),
    )
}

impl Pusher {
    pub(super) fn push<'a>(&self, committed: impl Iterator<Item = &'a Job>) {
        let mut jobs = BTreeMap::<QueueName, Vec<Envelope>>::new();
        for job in committed {
            match job.envelope() {
                Ok(envelope) => jobs.entry(job.queue.clone()).or_default().push(envelope),
                Err(error) => tracing::error!(job = %job.id, %error, "the job cannot be written as JSON"),
            }
        }
        if !jobs.is_empty()
            && self
                .batches
                .try_send(Batch {
                    committed: Instant::now(),
                    jobs,
                })
                .is_err()
        {
            self.wake.wake();
        }
    }
}

async fn run(queues: Queues, wake: Wake, mut batches: mpsc::Receiver<Batch>) {
    let mut outage = Outage::new("enqueuer, pushing to the queue");
    while let Some(batch) = batches.recv().await {
        if batch.committed.elapsed() > TOO_OLD {
            wake.wake();
            continue;
        }
        for (queue, jobs) in &batch.jobs {
            match queues.push(queue, jobs).await {
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
