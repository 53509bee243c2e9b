//! Stops attempts whose job was called off while it ran.

use std::sync::Arc;
use std::time::Duration;

use super::each_queue::at_once;
use super::in_flight::Held;
use super::retry_loop::Patience;
use crate::error::Error;
use crate::job::QueueName;
use crate::queue::leases::Claims;

/// A caller may expect that a running job stops within a second.
const LOOK_EVERY: Duration = Duration::from_millis(400);

pub(crate) struct Canceller {
    pub(crate) claims: Claims,
    pub(crate) queues: Vec<QueueName>,
    pub(crate) held: Arc<Held>,
}

impl Canceller {
    /// Runs until it is dropped.
    pub(crate) async fn run(self) {
        let mut patience = Patience::new("cancel");
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            if self.held.len() == 0 {
                continue;
            }
            let (_, result) = at_once(&self.queues, |queue| self.look(queue)).await;
            match result {
                Ok(()) => patience.succeeded(),
                Err(error) => patience.failed(&error).await,
            }
        }
    }

    async fn look(&self, queue: &QueueName) -> Result<(), Error> {
        for id in self.claims.called_off(queue).await? {
            self.held.call_off(id);
        }
        Ok(())
    }
}
