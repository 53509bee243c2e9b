//! What the comparison asks of each side.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use anyhow::Result;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A boxed future, because the sides are chosen at run time.
pub(super) type Answer<'a, T> = std::pin::Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// A queue with a worker.
pub(super) trait Contestant: Send + Sync {
    fn name(&self) -> &'static str;

    /// Puts jobs into the empty queue.
    fn push(&self, jobs: u64) -> Answer<'_, ()>;

    /// Starts a worker whose jobs count themselves.
    fn start(&self, done: Arc<AtomicU64>) -> Answer<'_, Running>;

    /// Whether Redis knows that all are done.
    fn is_drained(&self, jobs: u64) -> Answer<'_, bool>;
}

/// A worker that runs.
pub(super) struct Running {
    pub(super) task: JoinHandle<()>,
    /// How it is asked to end; without, it is cut off.
    pub(super) shutdown: Option<CancellationToken>,
}

impl Running {
    /// Ends it; its last words are not measured.
    pub(super) async fn stop(self) {
        match self.shutdown {
            Some(shutdown) => shutdown.cancel(),
            None => self.task.abort(),
        }
        // Cut off is an error to the handle, and what was wanted.
        self.task.await.ok();
    }
}
