//! What a role of the worker does while Redis is away: it waits longer and longer, with jitter, and logs it once.

use std::time::Duration;

use tokio::time::Instant;

use crate::backoff::Backoff;
use crate::error::{Error, chain};

/// The waits of one role between calls that fail.
pub(crate) struct RetryLoop {
    role: &'static str,
    failures: u32,
    since: Option<Instant>,
}

impl RetryLoop {
    pub(crate) fn new(role: &'static str) -> Self {
        Self {
            role,
            failures: 0,
            since: None,
        }
    }

    /// A call succeeded.
    pub(crate) fn succeeded(&mut self) {
        if let Some(since) = self.since.take() {
            tracing::info!(
                role = self.role,
                seconds = since.elapsed().as_secs(),
                "Redis is back"
            );
            self.failures = 0;
        }
    }

    /// A call failed: logs it the first time and waits.
    pub(crate) async fn failed(&mut self, error: &Error) {
        if self.since.is_none() {
            self.since = Some(Instant::now());
            let message = if error.is_full() {
                "Redis is full; waiting for room"
            } else {
                "Redis does not answer; waiting for it"
            };
            tracing::warn!(role = self.role, error = chain(error), message);
        } else {
            tracing::debug!(
                role = self.role,
                error = chain(error),
                "Redis still does not answer"
            );
        }
        self.failures = self.failures.saturating_add(1);
        let longest = Backoff::Exponential {
            base: Duration::from_millis(100),
            cap: Duration::from_secs(2),
        };
        let wait = longest.wait(self.failures, &mut rand::rng());
        tokio::time::sleep(wait + Duration::from_millis(20)).await;
    }
}
