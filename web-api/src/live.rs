//! The live feed: ONE task per process reads the event streams and passes each entry to every client of this
//! process.
//!
//! Recent entries are kept here, up to a number of bytes that all clients share. A client that reconnects
//! with a recent position continues from there; with an older position it reads the streams itself until it
//! has caught up, and then joins the shared feed, without gaps or duplicates. The feed also resolves waiting
//! requests whose outcome another process may record.

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

/// Bytes of recent entries that are kept, for all clients together.
const KEPT_BYTES: usize = 16 << 20;
/// How many clients read Redis themselves at the same time: after a restart all of them reconnect at once.
const CATCHING_UP: usize = 4;
/// How long one read blocks; also the longest time that a shutdown takes.
const BLOCK: Duration = Duration::from_secs(5);

/// The feed has its largest number of clients.
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
    /// Permits for clients whose position is no longer in the ring, which read Redis.
    catching_up: Arc<Semaphore>,
    places: Arc<Semaphore>,
    most_clients: usize,
    /// The functions whose events visitors may see.
    public_functions: Arc<BTreeSet<String>>,
    shutdown: CancellationToken,
}

impl Feed {
    /// A feed that does nothing until [`Feed::run`] is called. `shutdown` ends it and all its clients.
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

    /// A new client, which continues after the event with the id `last_event_id`, or starts now. A visitor
    /// gets only the events of public functions.
    ///
    /// # Errors
    /// When the feed has its largest number of clients.
    pub fn join(&self, last_event_id: Option<&str>, visitor: bool) -> Result<Client, TooManyClients> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_full| TooManyClients {
            limit: self.most_clients,
        })?;
        Ok(Client::new(self, place, last_event_id, visitor))
    }

    /// The current number of clients.
    pub fn clients(&self) -> usize {
        self.most_clients.saturating_sub(self.places.available_permits())
    }

    /// Reads the streams until the shutdown. Errors are retried.
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
            // From here on nothing is missed. Clients that joined before read the lists again.
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

/// Another process may record this outcome: requests that wait for it here are resolved once the row is
/// written.
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

/// The id of the job when the event is final.
fn final_outcome(event: &JobEvent) -> Option<JobId> {
    let JobEvent::Finished(finished) = event else {
        return None;
    };
    match finished.outcome {
        Outcome::Completed { .. } | Outcome::Dead { .. } | Outcome::Cancelled => Some(finished.id),
        Outcome::Retrying { .. } => None,
    }
}
