//! Stops attempts whose job is to be cancelled while it runs.

use std::sync::Arc;
use std::time::Duration;

use super::each_queue::for_each_queue;
use super::in_flight::InFlight;
use super::retry_loop::RetryLoop;
use crate::error::Error;
use crate::job::QueueName;
use crate::queue::leases::Claims;

/// A caller may expect that a running job stops within a second.
const LOOK_EVERY: Duration = Duration::from_millis(400);

pub(crate) struct Canceller {
    pub(crate) claims: Claims,
    pub(crate) queues: Vec<QueueName>,
    pub(crate) in_flight: Arc<InFlight>,
}

impl Canceller {
    /// Runs until it is dropped.
    pub(crate) async fn run(self) {
        let mut retry = RetryLoop::new("cancel");
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            if self.in_flight.len() == 0 {
                continue;
            }
            let (_, result) = for_each_queue(&self.queues, |queue| self.look(queue)).await;
            match result {
                Ok(()) => retry.succeeded(),
                Err(error) => retry.failed(&error).await,
            }
        }
    }

    async fn look(&self, queue: &QueueName) -> Result<(), Error> {
        for id in self.claims.cancel_requested(queue).await? {
            self.in_flight.cancel(id);
        }
        Ok(())
    }
}
