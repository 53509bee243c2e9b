//! Reports that attempts have begun, their progress and their log lines, a few times a second.

use std::sync::Arc;
use std::time::Duration;

use super::each_queue::for_each_queue;
use super::in_flight::{InFlight, News};
use super::retry_loop::RetryLoop;
use crate::error::Error;
use crate::job::QueueName;
use crate::queue::events::codec::EncodedReport;
use crate::queue::leases::Claims;

/// Often enough for people who watch a job.
const PAUSE: Duration = Duration::from_millis(100);

pub(crate) struct Reporter {
    pub(crate) claims: Claims,
    pub(crate) queues: Vec<QueueName>,
    pub(crate) in_flight: Arc<InFlight>,
}

impl Reporter {
    /// Runs until it is dropped.
    pub(crate) async fn run(self) {
        let mut retry = RetryLoop::new("report");
        let mut news = self.in_flight.listen();
        // Ends with the worker: the sender is in what this role holds.
        while news.changed().await.is_ok() {
            tokio::time::sleep(PAUSE).await;
            let (_, result) = for_each_queue(&self.queues, |queue| self.report(queue)).await;
            match result {
                Ok(()) => retry.succeeded(),
                Err(error) => retry.failed(&error).await,
            }
        }
    }

    async fn report(&self, queue: &QueueName) -> Result<(), Error> {
        let news = self.in_flight.news(queue);
        if news.is_empty() {
            return Ok(());
        }
        let reports: Vec<EncodedReport> = news.iter().map(|news| news.report.clone()).collect();
        let result = self.claims.report(queue, &reports).await;
        if result.is_err() {
            news.into_iter().for_each(News::put_back);
            self.in_flight.notify_news();
        }
        result
    }
}
