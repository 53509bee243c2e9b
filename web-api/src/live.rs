//! The live feed: ONE task per process follows the event streams and hands each step to every client of this process.
//!
//! A client that comes back with a position reads the streams itself from there until it has caught up with the shared
//! feed, and then joins it: nothing is missing and nothing comes twice. The feed also tells waiting requests of
//! outcomes that another process may record.

mod client;
mod frame;
mod patch;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use jobs::error::Error;
use jobs::job::{JobId, QueueName};
use jobs::queue::Queues;
use jobs::queue::events::{EventBatch, EventId, JobEvent, Outcome, Position};
use tokio::sync::{Semaphore, broadcast};
use tokio_util::sync::CancellationToken;

pub use self::client::Client;
use crate::config::ServerSettings;
use crate::error::{ApiError, chain};
use crate::outage::Outage;
use crate::outcomes::Outcomes;

/// Entries that a slow client may fall behind before it has to read everything again.
const BACKLOG: usize = 1_024;
/// How long one read waits for news; also how long an end takes at most.
const BLOCK: Duration = Duration::from_secs(5);

/// What all clients get: one entry of a stream, written out once.
#[derive(Debug, Clone)]
enum Item {
    Entry {
        queue: QueueName,
        id: EventId,
        frames: Bytes,
        /// What visitors get of it.
        public: Bytes,
    },
    /// The feed lost its place: everything has to be read again.
    Lost,
}

/// The handle on the shared feed. Cheap to clone.
#[derive(Clone)]
pub struct Feed {
    queues: Queues,
    names: Arc<[QueueName]>,
    items: broadcast::Sender<Item>,
    position: Arc<Mutex<Position>>,
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
        settings: &ServerSettings,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            queues,
            names: names.into(),
            items: broadcast::Sender::new(BACKLOG),
            position: Arc::default(),
            places: Arc::new(Semaphore::new(settings.event_clients)),
            most_clients: settings.event_clients,
            public_functions: Arc::new(settings.access.public_functions.clone()),
            shutdown,
        }
    }

    /// A new client, going on after the event with the id `last_event_id` or beginning now. A visitor gets the events
    /// that name a public function, and no others.
    ///
    /// # Errors
    /// When there are too many already.
    pub fn join(&self, last_event_id: Option<&str>, visitor: bool) -> Result<Client, ApiError> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_full| ApiError::TooManyClients {
            limit: self.most_clients,
        })?;
        // In this order: what comes after the position that is read here is in the subscription already.
        let items = self.items.subscribe();
        let joined = self.position();
        Ok(Client::new(self, place, items, joined, last_event_id, visitor))
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
        let mut outage = Outage::new("live feed");
        loop {
            let mut tail = self.queues.tail(&self.names, None);
            while let Err(error) = tail.begin().await {
                tokio::time::sleep(outage.failed(&error)).await;
            }
            // From here on nothing is missed. Who joined before reads again what there was until now.
            *self.lock() = tail.position().clone();
            self.items.send(Item::Lost).ok();
            loop {
                match tail.next(BLOCK).await {
                    Ok(batches) => {
                        outage.over();
                        for batch in batches {
                            self.tell(&batch);
                            wake_waiting(&batch, outcomes);
                        }
                    }
                    Err(Error::Expired) => {
                        tracing::warn!("the live feed lost its place: clients read everything again");
                        break;
                    }
                    Err(error) => tokio::time::sleep(outage.failed(&error)).await,
                }
            }
        }
    }

    fn tell(&self, batch: &EventBatch) {
        let mut position = self.lock();
        position.advance(&batch.queue, batch.id);
        let frames = frame::of_batch(batch, &position, None);
        let public = if self.public_functions.is_empty() {
            Bytes::new()
        } else {
            frame::of_batch(batch, &position, Some(&self.public_functions))
        };
        // Sent under the lock, so that a client never sees the position without the item.
        self.items
            .send(Item::Entry {
                queue: batch.queue.clone(),
                id: batch.id,
                frames,
                public,
            })
            .ok();
    }

    fn position(&self) -> Position {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Position> {
        self.position.lock().unwrap_or_else(PoisonError::into_inner)
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
