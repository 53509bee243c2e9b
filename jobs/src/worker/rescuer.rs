//! Puts the jobs of workers whose lease has lapsed back into their queues. Every worker looks; the script decides who was
//! first.

use std::time::Duration;

use rand::RngExt;
use tokio_util::sync::CancellationToken;

use super::each_queue::for_each_queue;
use super::retry_loop::RetryLoop;
use crate::error::Error;
use crate::job::QueueName;
use crate::queue::leases::Claims;

/// Between two looks.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
const FEW_QUEUES: usize = 16;
const PAUSE_FOR_EACH: Duration = Duration::from_millis(50);

pub(crate) struct Rescuer {
    pub(crate) claims: Claims,
    pub(crate) queues: Vec<QueueName>,
    pub(crate) lease: Duration,
    pub(crate) stop: CancellationToken,
}

impl Rescuer {
    pub(crate) async fn run(self) {
        let mut retry = RetryLoop::new("rescue");
        let many = u32::try_from(self.queues.len()).unwrap_or(u32::MAX);
        // With many queues less often: what is lost is seconds of a lease, and only when a worker vanishes.
        let pause = (self.lease / 20).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        let pause = match self.queues.len() {
            ..=FEW_QUEUES => pause,
            _ => pause.max(PAUSE_FOR_EACH.saturating_mul(many).min(self.lease / 6)),
        };
        loop {
            // Jitter, so that workers that started together do not look together.
            let wait = pause.mul_f64(rand::rng().random_range(0.5..=1.0));
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
            let (_, result) = for_each_queue(&self.queues, |queue| self.rescue(queue)).await;
            match result {
                Ok(()) => retry.succeeded(),
                Err(error) => tokio::select! {
                    () = self.stop.cancelled() => return,
                    () = retry.failed(&error) => {}
                },
            }
        }
    }

    async fn rescue(&self, queue: &QueueName) -> Result<(), Error> {
        for worker in self.claims.lapsed(queue).await? {
            while let Some(rescued) = self.claims.rescue(queue, &worker).await? {
                if rescued.queued_again + rescued.dead + rescued.not_begun > 0 {
                    tracing::warn!(
                        %queue,
                        worker,
                        queued_again = rescued.queued_again,
                        dead = rescued.dead,
                        not_begun = rescued.not_begun,
                        "put the jobs of a worker that vanished back into their queue"
                    );
                }
                if !rescued.more {
                    break;
                }
            }
        }
        Ok(())
    }
}
