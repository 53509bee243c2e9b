//! Tells that attempts have begun, and what they say of themselves, a few times a second.

use std::sync::Arc;
use std::time::Duration;

use super::each_queue::at_once;
use super::in_flight::{Held, News};
use super::retry_loop::Patience;
use crate::error::Error;
use crate::job::QueueName;
use crate::queue::events::codec::ReportOnWire;
use crate::queue::leases::Claims;

/// Often enough for eyes.
const PAUSE: Duration = Duration::from_millis(100);

pub(crate) struct Reporter {
    pub(crate) claims: Claims,
    pub(crate) queues: Vec<QueueName>,
    pub(crate) held: Arc<Held>,
}

impl Reporter {
    /// Runs until it is dropped.
    pub(crate) async fn run(self) {
        let mut patience = Patience::new("report");
        let mut news = self.held.listen();
        // Ends with the worker: the sender is in what this role holds.
        while news.changed().await.is_ok() {
            tokio::time::sleep(PAUSE).await;
            let (_, result) = at_once(&self.queues, |queue| self.tell(queue)).await;
            match result {
                Ok(()) => patience.succeeded(),
                Err(error) => patience.failed(&error).await,
            }
        }
    }

    async fn tell(&self, queue: &QueueName) -> Result<(), Error> {
        let news = self.held.news(queue);
        if news.is_empty() {
            return Ok(());
        }
        let reports: Vec<ReportOnWire> = news.iter().map(|news| news.report.clone()).collect();
        let result = self.claims.report(queue, &reports).await;
        if result.is_err() {
            news.into_iter().for_each(News::put_back);
            self.held.noted();
        }
        result
    }
}
