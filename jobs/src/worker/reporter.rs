//! Tells that attempts have begun, and what they say of themselves, a few times a second.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::held::{Held, News};
use super::patience::Patience;
use crate::job::QueueName;
use crate::queue::claims::Claims;
use crate::queue::events::wire::ReportOnWire;

/// Often enough for eyes.
const PAUSE: Duration = Duration::from_millis(100);

pub(crate) struct Reporter {
    pub(crate) claims: Claims,
    pub(crate) held: Arc<Held>,
}

impl Reporter {
    /// Runs until it is dropped.
    pub(crate) async fn run(self) {
        let mut patience = Patience::new("report");
        loop {
            self.held.wait_for_news().await;
            tokio::time::sleep(PAUSE).await;
            let mut by_queue = BTreeMap::<QueueName, Vec<News>>::new();
            for news in self.held.news() {
                by_queue.entry(news.job.queue.clone()).or_default().push(news);
            }
            for (queue, news) in by_queue {
                let reports: Vec<ReportOnWire> = news.iter().map(|news| news.report.clone()).collect();
                match self.claims.report(&queue, &reports).await {
                    Ok(()) => patience.succeeded(),
                    Err(error) => {
                        news.into_iter().for_each(News::put_back);
                        self.held.noted();
                        patience.failed(&error).await;
                    }
                }
            }
        }
    }
}
