//! The live feed: ONE task per process follows the event streams and hands each step to every client of this process.
//!
//! What happened lately is kept here, within a bound of bytes that all clients share. One that comes back with a position
//! goes on from there; with an older one it reads the streams itself until it has caught up with the shared feed, and then
//! joins it: nothing is missing and nothing comes twice. The feed also tells waiting requests of
//! outcomes that another process may record.

mod client;
mod patch;
mod ring;
mod sse;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jobs::error::Error;
use jobs::job::{JobId, QueueName};
use jobs::queue::Queues;
use jobs::queue::events::{EventBatch, JobEvent, Outcome};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

pub use self::client::Client;
use self::ring::Ring;
use crate::services::outcome_waiters::Outcomes;
use crate::services::retry_loop::RetryLoop;
use jobs::error::chain;

/// Bytes of entries that are kept for slow clients, and for those that come back, all together.
const KEPT_BYTES: usize = 16 << 20;
/// Clients that read Redis by themselves at the same time, to catch up: after a restart all of them come back at once.
const CATCHING_UP: usize = 4;
/// How long one read waits for news; also how long an end takes at most.
const BLOCK: Duration = Duration::from_secs(5);

/// No more clients may follow the feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{limit} clients follow the live feed, and no more are allowed")]
pub struct TooManyClients {
    pub limit: usize,
}

/// The handle on the shared feed. Cheap to clone.
#[derive(Clone)]
pub struct Feed {
    queues: Queues,
    names: Arc<[QueueName]>,
    ring: Arc<Ring>,
    /// Who comes back to what the ring does not know reads Redis, these many at a time.
    catching_up: Arc<Semaphore>,
    places: Arc<Semaphore>,
    most_clients: usize,
    /// What visitors may see.
    public_functions: Arc<BTreeSet<String>>,
    shutdown: CancellationToken,
}

impl Feed {
    /// The feed, which does nothing until [`Feed::run`] runs. `shutdown` ends it and all its clients.
    pub fn new(
        queues: Queues,
        names: Vec<QueueName>,
        most_clients: usize,
        public_functions: BTreeSet<String>,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            queues,
            names: names.into(),
            ring: Arc::new(Ring::new(KEPT_BYTES)),
            catching_up: Arc::new(Semaphore::new(CATCHING_UP)),
            places: Arc::new(Semaphore::new(most_clients)),
            most_clients,
            public_functions: Arc::new(public_functions),
            shutdown,
        }
    }

    /// A new client, going on after the event with the id `last_event_id` or beginning now. A visitor gets the events
    /// that name a public function, and no others.
    ///
    /// # Errors
    /// When there are too many already.
    pub fn join(&self, last_event_id: Option<&str>, visitor: bool) -> Result<Client, TooManyClients> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_full| TooManyClients {
            limit: self.most_clients,
        })?;
        Ok(Client::new(self, place, last_event_id, visitor))
    }

    /// How many clients follow at the moment.
    pub fn clients(&self) -> usize {
        self.most_clients.saturating_sub(self.places.available_permits())
    }

    /// Follows the streams until the shutdown. Never ends of an error.
    pub async fn run(self, outcomes: Outcomes) {
        let shutdown = self.shutdown.clone();
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = self.follow(&outcomes) => {}
        }
    }

    async fn follow(&self, outcomes: &Outcomes) {
        let mut retries = RetryLoop::new("live feed");
        loop {
            let mut tail = self.queues.tail(&self.names, None);
            while let Err(error) = tail.begin().await {
                tokio::time::sleep(retries.failed(&error)).await;
            }
            // From here on nothing is missed. Who joined before reads again what there was until now.
            self.ring.reset(tail.position());
            loop {
                match tail.next(BLOCK).await {
                    Ok(batches) => {
                        retries.over();
                        for batch in batches {
                            self.publish(&batch);
                            wake_waiting(&batch, outcomes);
                        }
                    }
                    Err(Error::Expired) => {
                        tracing::warn!("the live feed lost its place: clients read everything again");
                        break;
                    }
                    Err(error) => tokio::time::sleep(retries.failed(&error)).await,
                }
            }
        }
    }

    fn publish(&self, batch: &EventBatch) {
        self.ring.push(&batch.queue, batch.id, |position| {
            let public = if self.public_functions.is_empty() {
                Bytes::new()
            } else {
                sse::of_batch(batch, position, Some(&self.public_functions))
            };
            (sse::of_batch(batch, position, None), public)
        });
    }
}

/// Another process may record this outcome: tell who waits for it here as soon as the row is there.
fn wake_waiting(batch: &EventBatch, outcomes: &Outcomes) {
    for id in batch.events.iter().filter_map(final_outcome) {
        if outcomes.is_waited_for(id) {
            let outcomes = outcomes.clone();
            tokio::spawn(async move {
                if let Err(error) = outcomes.resolve(id).await {
                    tracing::warn!(job = %id, error = chain(&error), "a finished job cannot be read for who waits for it");
                }
            });
        }
    }
}

/// The job that this event brings to its end.
fn final_outcome(event: &JobEvent) -> Option<JobId> {
    let JobEvent::Finished(finished) = event else {
        return None;
    };
    match finished.outcome {
        Outcome::Completed { .. } | Outcome::Dead { .. } | Outcome::Cancelled => Some(finished.id),
        Outcome::Retrying { .. } => None,
    }
}
