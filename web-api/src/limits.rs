//! Keeps the limits of the queues in Redis as they are in SQL: at the start, after a change, and when Redis came back
//! empty. A change is written to SQL first, so that a pause outlives Redis.

use std::time::Duration;

use jobs::{
    job::QueueName,
    queue::{Limits, Queues},
};
use tokio_util::sync::CancellationToken;

use crate::{
    outage::{Outage, jittered},
    store::{Store, StoreError},
};

/// How often the two are compared.
const PAUSE: Duration = Duration::from_secs(2);

/// Why limits could not be set or compared.
#[derive(Debug, thiserror::Error)]
pub enum LimitsError {
    #[error("the database failed")]
    Store(#[from] StoreError),
    #[error("the queue failed")]
    Queue(#[from] jobs::error::Error),
}

/// Sets the limits of a queue.
///
/// # Errors
/// When SQL or Redis is away. Once SQL has them they come into Redis when it is back.
pub async fn set(
    store: &Store,
    queues: &Queues,
    queue: &QueueName,
    limits: &Limits,
) -> Result<(), LimitsError> {
    store.queue_set_limits(queue, limits).await?;
    queues.set_limits(queue, limits).await?;
    Ok(())
}

/// Compares until `shutdown`. Never ends of an error.
pub async fn run(store: Store, queues: Queues, names: Vec<QueueName>, shutdown: CancellationToken) {
    let mut outage = Outage::new("limits of the queues");
    loop {
        let pause = match compare(&store, &queues, &names).await {
            Ok(()) => {
                outage.over();
                jittered(PAUSE)
            }
            Err(error) => outage.failed(&error),
        };
        if tokio::time::timeout(pause, shutdown.cancelled()).await.is_ok() {
            return;
        }
    }
}

async fn compare(store: &Store, queues: &Queues, names: &[QueueName]) -> Result<(), LimitsError> {
    for queue in names {
        let present = queues.limits(queue).await?;
        // Read after Redis's: of two changes that cross, the newer one is not undone for longer than a round.
        let wanted = store.queue_limits(queue).await?;
        if present != wanted {
            queues.set_limits(queue, &wanted).await?;
            tracing::info!(%queue, limits = ?wanted, "Redis has the limits of the queue again");
        }
    }
    Ok(())
}
