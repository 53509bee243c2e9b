//! Gives back what this worker holds and will not begin soon, so that idle workers get it: jobs behind others that turn
//! out to run long, those that were cancelled before they began, and at the order to stop all that have not begun.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::each_queue::for_each_queue;
use super::in_flight::InFlight;
use super::retry_loop::RetryLoop;
use crate::error::Error;
use crate::job::QueueName;
use crate::queue::leases::Claims;

/// Half of the time within which what is held should begin.
const LOOK_EVERY: Duration = Duration::from_millis(50);

pub(crate) struct Surplus {
    pub(crate) claims: Claims,
    pub(crate) queues: Vec<QueueName>,
    pub(crate) in_flight: Arc<InFlight>,
    pub(crate) stop: CancellationToken,
}

impl Surplus {
    /// Runs until it is dropped: a fetch may bring something after the order to stop.
    pub(crate) async fn run(self) {
        let mut retry = RetryLoop::new("give back");
        loop {
            let stopping = self.stop.is_cancelled();
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = self.in_flight.wait_for_returning() => {}
                () = self.stop.cancelled(), if !stopping => {}
            }
            self.in_flight.return_surplus(self.stop.is_cancelled());
            let mut queues = self.in_flight.queues_of_returning();
            queues.retain(|queue| self.queues.contains(queue));
            let (_, result) = for_each_queue(&queues, |queue| self.give_back(queue)).await;
            match result {
                Ok(()) => retry.succeeded(),
                Err(error) => retry.failed(&error).await,
            }
        }
    }

    async fn give_back(&self, queue: &QueueName) -> Result<(), Error> {
        let jobs = self.in_flight.returning(queue);
        self.claims.give_back(queue, &jobs, Duration::ZERO).await?;
        tracing::debug!(%queue, jobs = jobs.len(), "gave back jobs that had not begun");
        self.in_flight.remove_all(jobs);
        Ok(())
    }
}
