//! Takes over the jobs of workers whose lease has lapsed. Every worker looks; the script decides who was first.

use std::time::Duration;

use rand::RngExt;
use tokio_util::sync::CancellationToken;

use super::each_queue::at_once;
use super::retry_loop::Patience;
use crate::error::Error;
use crate::job::QueueName;
use crate::queue::leases::Claims;

/// Between two looks.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
const FEW_QUEUES: usize = 16;
const PAUSE_FOR_EACH: Duration = Duration::from_millis(50);

pub(crate) struct Recoverer {
    pub(crate) claims: Claims,
    pub(crate) queues: Vec<QueueName>,
    pub(crate) lease: Duration,
    pub(crate) stop: CancellationToken,
}

impl Recoverer {
    pub(crate) async fn run(self) {
        let mut patience = Patience::new("recover");
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
            let (_, result) = at_once(&self.queues, |queue| self.recover(queue)).await;
            match result {
                Ok(()) => patience.succeeded(),
                Err(error) => tokio::select! {
                    () = self.stop.cancelled() => return,
                    () = patience.failed(&error) => {}
                },
            }
        }
    }

    async fn recover(&self, queue: &QueueName) -> Result<(), Error> {
        for worker in self.claims.lapsed(queue).await? {
            while let Some(recovered) = self.claims.recover(queue, &worker).await? {
                if recovered.queued_again + recovered.dead + recovered.not_begun > 0 {
                    tracing::warn!(
                        %queue,
                        worker,
                        queued_again = recovered.queued_again,
                        dead = recovered.dead,
                        not_begun = recovered.not_begun,
                        "took over the jobs of a worker that vanished"
                    );
                }
                if !recovered.more {
                    break;
                }
            }
        }
        Ok(())
    }
}
