//! Asks Redis whether a worker renews its leases, for container runtimes: the worker itself listens nowhere.

use crate::catalog::Catalog;
use crate::error::Error;
use crate::job::QueueName;
use crate::queue::Queues;

use super::WorkerSettings;

/// Why a worker is not known to be healthy.
#[derive(Debug, thiserror::Error)]
pub enum Unhealthy {
    /// Whether it lives cannot be known: it waits for Redis just as this check would have to.
    #[error("Redis cannot be asked")]
    Unknown(#[source] Error),
    #[error("no worker called {worker} holds a lease of the queue {queue}")]
    Absent { worker: String, queue: QueueName },
}

/// Asks for the worker that these settings belong to: the process beside this one, with the same environment.
///
/// # Errors
/// When it does not renew its leases of all its queues.
pub async fn healthcheck(settings: &WorkerSettings, catalog: &Catalog) -> Result<(), Unhealthy> {
    let queues = Queues::connect(&settings.redis)
        .await
        .map_err(Unhealthy::Unknown)?;
    let served = settings
        .serves(catalog.weighted_queues())
        .map_err(|error| Unhealthy::Unknown(error.into()))?;
    for (queue, _) in served {
        let workers = queues.worker_names(&queue).await.map_err(Unhealthy::Unknown)?;
        if !workers.iter().any(|worker| settings.is_name_of(worker)) {
            let worker = settings.name.clone();
            return Err(Unhealthy::Absent { worker, queue });
        }
    }
    Ok(())
}
