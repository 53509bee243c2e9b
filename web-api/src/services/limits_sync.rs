//! Keeps the limits of the queues in Redis as they are in SQL: at the start, after a change, and when Redis came back
//! empty. A change is written to SQL first, so that a pause outlives Redis.

use std::time::Duration;

use jobs::{
    job::QueueName,
    queue::{Limits, Queues},
};
use tokio_util::sync::CancellationToken;

use crate::db::Store;
use crate::db::queues::Limit;
use crate::services::retry_loop::{PartError, RetryLoop, jittered};

/// How often the two are compared.
const PAUSE: Duration = Duration::from_secs(2);

/// Sets these of the limits of a queue, and returns all that it has now.
///
/// # Errors
/// When SQL or Redis is away. Once SQL has them they come into Redis when it is back.
pub async fn set(
    store: &Store,
    queues: &Queues,
    queue: &QueueName,
    limits: &Limits,
    which: &[Limit],
) -> Result<Limits, PartError> {
    let limits = store.queue_set_limits(queue, limits, which).await?;
    queues.set_limits(queue, &limits).await?;
    Ok(limits)
}

/// Compares until `shutdown`. Never ends of an error.
pub async fn run(store: Store, queues: Queues, names: Vec<QueueName>, shutdown: CancellationToken) {
    let mut retries = RetryLoop::new("limits of the queues");
    loop {
        let pause = match compare(&store, &queues, &names).await {
            Ok(()) => {
                retries.over();
                jittered(PAUSE)
            }
            Err(error) => retries.failed(&error),
        };
        if tokio::time::timeout(pause, shutdown.cancelled()).await.is_ok() {
            return;
        }
    }
}

async fn compare(store: &Store, queues: &Queues, names: &[QueueName]) -> Result<(), PartError> {
    let mut away = None;
    let mut present = Vec::with_capacity(names.len());
    for queue in names {
        match queues.limits_if_set(queue).await {
            Ok(limits) => present.push((queue, limits)),
            // The other queues may be on nodes that are there.
            Err(error) => away = Some(error),
        }
    }
    // Read after Redis's: of two changes that cross, the newer one is not undone for longer than a round.
    let wanted = store.queue_limits_all().await?;
    for (queue, present) in present {
        let wanted = wanted.get(queue.as_str()).copied().unwrap_or_default();
        // Also those that allow everything are set: until then workers are given nothing (an emptied Redis must not forget
        // a pause, not even for a moment).
        if present == Some(wanted) {
            continue;
        }
        match queues.set_limits(queue, &wanted).await {
            // A queue without limits is new to Redis at the first start.
            Ok(()) if present.is_none() && wanted == Limits::default() => {}
            Ok(()) => tracing::info!(%queue, limits = ?wanted, "Redis has the limits of the queue again"),
            Err(error) => away = Some(error),
        }
    }
    away.map_or(Ok(()), |error| Err(error.into()))
}
