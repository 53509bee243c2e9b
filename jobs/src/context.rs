//! What a running function may use: who it is, whether it should stop, a way to report progress and log lines, and
//! threads for long computations.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::error::JobError;
use crate::job::JobId;
use crate::panics;

/// Given to a function with each attempt. Cheap to clone.
#[derive(Clone)]
pub struct JobContext {
    pub id: JobId,
    /// This attempt, counted from 1.
    pub attempt: u32,
    pub max_attempts: u32,
    pub(crate) handle: Arc<dyn AttemptHandle>,
    pub(crate) threads: Threads,
}

/// What a context needs of the attempt that it belongs to. The worker implements it, so that functions need no worker.
pub(crate) trait AttemptHandle: Send + Sync {
    fn progress(&self, share: f64);

    fn log(&self, line: &str);

    /// Cancelled when the attempt is to stop.
    fn stop(&self) -> &CancellationToken;
}

impl JobContext {
    /// The only attempt of a job that no worker runs.
    #[cfg(test)]
    pub(crate) fn alone() -> Self {
        Self {
            id: JobId::new(),
            attempt: 1,
            max_attempts: 1,
            handle: Arc::new(CancellationToken::new()),
            threads: Threads::one_per_processor(),
        }
    }

    /// Reports how far the attempt is, from 0 to 1. Pages show it a moment later; call it as often as you like, the
    /// latest value is sent a few times a second.
    pub fn progress(&self, share: f64) {
        self.handle.progress(share);
    }

    /// Logs a line for people who look at the job: up to 1,000 characters, 200 lines in an attempt. What is more is
    /// shortened, or dropped with a note.
    pub fn log(&self, line: impl AsRef<str>) {
        self.handle.log(line.as_ref());
    }

    /// True once the attempt is to stop (timeout, cancel, lost lease). Long computations look at it between their steps
    /// and return early; what they return is dropped.
    pub fn is_stopped(&self) -> bool {
        self.handle.stop().is_cancelled()
    }

    /// Resolves when the attempt is to stop.
    pub async fn stopped(&self) {
        self.handle.stop().cancelled().await;
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

/// An attempt without a worker.
#[cfg(test)]
impl AttemptHandle for CancellationToken {
    fn progress(&self, _share: f64) {}

    fn log(&self, _line: &str) {}

    fn stop(&self) -> &CancellationToken {
        self
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
