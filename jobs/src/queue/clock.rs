//! Redis's clock as seen from here, for what must not happen after a moment of it. Each node of a cluster has its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::{Queues, millis, scripts};
use crate::error::Error;
use crate::job::QueueName;

/// Two clocks drift apart by some milliseconds in this time.
const TRUSTED_FOR: Duration = Duration::from_secs(10);

/// A moment by the clock of the node that serves a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    ms: u64,
}

impl Deadline {
    /// Milliseconds since 1970.
    pub(super) fn ms(self) -> u64 {
        self.ms
    }
}

/// The last answer of each clock, and when that was by a clock that also runs while this process is stopped.
#[derive(Debug, Clone, Default)]
pub(super) struct Clocks {
    seen: Arc<Mutex<HashMap<QueueName, (Instant, u64)>>>,
}

impl Queues {
    /// The moment in the queue's time that is `within` from now.
    ///
    /// # Errors
    /// When Redis fails.
    pub async fn deadline(&self, queue: &QueueName, within: Duration) -> Result<Deadline, Error> {
        let now = self.expected_now_ms(queue).await?;
        Ok(Deadline {
            ms: now.saturating_add(millis(within)),
        })
    }

    /// The time by the clock that the queue's events go by.
    ///
    /// # Errors
    /// When Redis fails.
    pub async fn now(&self, queue: &QueueName) -> Result<DateTime<Utc>, Error> {
        let ms = self.ask_ms(queue).await?;
        let time = i64::try_from(ms).ok().and_then(DateTime::from_timestamp_millis);
        time.ok_or_else(|| Error::Protocol(format!("{ms} is no time")))
    }

    /// The time of the clock by its answer of the last seconds, without asking it again.
    pub(super) async fn expected_now_ms(&self, queue: &QueueName) -> Result<u64, Error> {
        let clocks = &self.clocks.seen;
        let seen = clocks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(queue)
            .copied();
        if let Some((at, ms)) = seen.filter(|(at, _)| at.elapsed() < TRUSTED_FOR) {
            return Ok(ms + millis(at.elapsed()));
        }
        let asked = Instant::now();
        let ms = self.ask_ms(queue).await?;
        // As if it had been answered at once: off by the way there and back at the most.
        clocks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(queue.clone(), (asked, ms));
        Ok(ms + millis(asked.elapsed()))
    }

    async fn ask_ms(&self, queue: &QueueName) -> Result<u64, Error> {
        let call = scripts::CLOCK.call(&self.keys(queue).of_queue());
        self.connection.script_twice(&call).await
    }
}
