//! Redis's clock as seen from here, for what must not happen after a moment of it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::cmd;
use tokio::time::Instant;

use super::connection::Connection;
use crate::error::Error;

/// Two clocks drift apart by some milliseconds in this time.
const TRUSTED_FOR: Duration = Duration::from_secs(10);

/// A moment by Redis's clock.
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

/// What Redis's clock said last, and when that was by a clock that also runs while this process is stopped.
#[derive(Debug, Clone, Default)]
pub(super) struct Clock {
    seen: Arc<Mutex<Option<(Instant, u64)>>>,
}

impl Clock {
    pub(super) async fn deadline(
        &self,
        connection: &Connection,
        within: Duration,
    ) -> Result<Deadline, Error> {
        let now = self.now(connection).await?;
        let within = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
        Ok(Deadline {
            ms: now.saturating_add(within),
        })
    }

    async fn now(&self, connection: &Connection) -> Result<u64, Error> {
        let seen = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, ms)) = seen.filter(|(at, _)| at.elapsed() < TRUSTED_FOR) {
            return Ok(ms + u64::try_from(at.elapsed().as_millis()).unwrap_or_default());
        }
        let asked = Instant::now();
        let (seconds, micros): (u64, u64) = connection.command(&cmd("TIME")).await?;
        let ms = seconds * 1_000 + micros / 1_000;
        // As if it had been answered at once: off by the way there and back at the most.
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some((asked, ms));
        Ok(ms + u64::try_from(asked.elapsed().as_millis()).unwrap_or_default())
    }
}
