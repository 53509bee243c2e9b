//! What a running function may use: who it is, whether it should stop, and threads for long computations.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::function::JobError;
use crate::job::JobId;
use crate::worker::panics;

/// Given to a function with each attempt.
#[derive(Debug, Clone)]
pub struct JobContext {
    pub id: JobId,
    /// This attempt, counted from 1.
    pub attempt: u32,
    pub max_attempts: u32,
    pub(crate) stop: CancellationToken,
    pub(crate) threads: Threads,
}

impl JobContext {
    /// True once the attempt has been called off (timeout, cancel, lost lease). Long computations look at it
    /// between their steps and return early; what they return is dropped.
    pub fn is_stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Resolves when the attempt is called off.
    pub async fn stopped(&self) {
        self.stop.cancelled().await;
    }

    /// Runs a computation on a thread of its own, so that heartbeats and other jobs never wait for it. At most
    /// one of them per processor runs at a time; the rest wait in order.
    ///
    /// # Errors
    /// [`JobError::Retry`] when the process is ending. A panic goes on as a panic of the attempt.
    pub async fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JobError> {
        let slot = Arc::clone(&self.threads.slots).acquire_owned().await;
        let slot = slot.map_err(|_closed| JobError::retry("the worker is ending"))?;
        let handle = tokio::task::spawn_blocking(move || {
            // Held until the computation ends, even when the attempt was dropped before: processors are what it counts.
            let _slot = slot;
            panics::caught_here(work)
        });
        match handle.await {
            Ok(Ok(value)) => Ok(value),
            // The panic of the computation is the panic of the attempt.
            Ok(Err(panicked)) => std::panic::resume_unwind(Box::new(panicked)),
            Err(_ended) => Err(JobError::retry("the worker is ending")),
        }
    }
}

/// The processors that computations share in one process.
#[derive(Debug, Clone)]
pub(crate) struct Threads {
    slots: Arc<Semaphore>,
}

impl Threads {
    pub(crate) fn one_per_processor() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            slots: Arc::new(Semaphore::new(processors)),
        }
    }
}
