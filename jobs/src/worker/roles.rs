//! The tasks of a worker. None of them may end before the worker does: without its heartbeat, say, it would lose its jobs
//! to others and go on. So the end of one ends the worker, with an error.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::error::Error;
use crate::panics::{self, Panicked};

#[derive(Clone)]
pub(crate) struct Roles {
    /// Ends the worker in order.
    stop: CancellationToken,
    /// What went wrong first.
    failure: Arc<Mutex<Option<Error>>>,
}

impl Roles {
    pub(crate) fn new(stop: &CancellationToken) -> Self {
        Self {
            stop: stop.clone(),
            failure: Arc::default(),
        }
    }

    /// Starts a task. It ends with the worker, also when that is dropped; before that it must not end.
    pub(crate) fn start(
        &self,
        name: &'static str,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> AbortOnDropHandle<()> {
        let roles = self.clone();
        AbortOnDropHandle::new(tokio::spawn(async move {
            match panics::caught(work).await {
                Ok(()) if roles.stop.is_cancelled() => {}
                Ok(()) => roles.fail(name, "it ended by itself"),
                Err(Panicked(message)) => roles.fail(name, &message),
            }
        }))
    }

    /// Something has ended that must not: the worker ends as well.
    pub(crate) fn fail(&self, name: &'static str, message: &str) {
        tracing::error!(
            role = name,
            error = message,
            "a part of the worker has ended; the worker stops"
        );
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert_with(|| Error::Role(name, message.to_owned()));
        self.stop.cancel();
    }

    pub(crate) fn has_failed(&self) -> bool {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.is_some()
    }

    /// What went wrong first, if anything did.
    pub(crate) fn take_failure(&self) -> Option<Error> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn outcome_of(work: impl Future<Output = ()> + Send + 'static) -> (String, bool) {
        let stop = CancellationToken::new();
        let roles = Roles::new(&stop);
        let task = roles.start("heartbeat", work);
        stop.cancelled().await;
        task.await.unwrap();
        let message = roles.take_failure().map(|error| error.to_string());
        (message.unwrap_or_default(), roles.has_failed())
    }

    #[tokio::test]
    async fn a_task_that_panics_ends_the_worker_and_says_why() {
        let (message, _) = outcome_of(async { panic!("no such queue") }).await;
        assert!(
            message.contains("heartbeat") && message.contains("no such queue"),
            "{message}"
        );
    }

    #[tokio::test]
    async fn a_task_that_ends_early_ends_the_worker() {
        let (message, _) = outcome_of(async {}).await;
        assert!(
            message.contains("heartbeat") && message.contains("by itself"),
            "{message}"
        );
    }

    #[tokio::test]
    async fn a_task_that_ends_after_the_order_to_stop_is_no_failure() {
        let stop = CancellationToken::new();
        let roles = Roles::new(&stop);
        let task = roles.start("fetcher", stop.clone().cancelled_owned());
        stop.cancel();
        task.await.unwrap();
        assert!(!roles.has_failed());
    }
}
