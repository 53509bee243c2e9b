//! How a role that never ends meets a database or queue that is away: it says so once, waits ever longer, with jitter,
//! and says once that it is over.

use std::{
    error::Error as StdError,
    hash::{BuildHasher, Hasher, RandomState},
    time::{Duration, Instant},
};

use crate::db::StoreError;
use jobs::error::chain;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// One of the two that everything leans on failed.
#[derive(Debug, thiserror::Error)]
pub enum PartError {
    #[error("the database failed")]
    Store(#[from] StoreError),
    #[error("the queue failed")]
    Queue(#[from] jobs::error::Error),
}

/// The trouble that a role is in, if any.
pub(crate) struct RetryLoop {
    role: &'static str,
    since: Option<Instant>,
    pause: Duration,
}

impl RetryLoop {
    pub(crate) fn new(role: &'static str) -> Self {
        Self {
            role,
            since: None,
            pause: FIRST_PAUSE,
        }
    }

    /// Notes a failure and returns how long to wait before the next try.
    pub(crate) fn failed(&mut self, error: &(dyn StdError + 'static)) -> Duration {
        if self.since.is_none() {
            tracing::warn!(role = self.role, error = %chain(error), "cannot go on, and will try again and again");
            self.since = Some(Instant::now());
        }
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        jittered(pause)
    }

    /// Notes a success.
    pub(crate) fn over(&mut self) {
        if let Some(since) = self.since.take() {
            tracing::info!(role = self.role, after = ?since.elapsed(), "goes on");
            self.pause = FIRST_PAUSE;
        }
    }
}

/// Between half of `pause` and all of it, so that processes that failed together do not come back together.
pub(crate) fn jittered(pause: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish();
    let share = u32::try_from(random % 1_000).unwrap_or_default();
    pause / 2 + pause / 2 * share / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_begin_anew_after_a_success() {
        let mut retries = RetryLoop::new("test");
        let error = std::io::Error::other("away");
        let pauses: Vec<Duration> = (0..10).map(|_| retries.failed(&error)).collect();
        assert!(pauses[0] <= FIRST_PAUSE && pauses[0] >= FIRST_PAUSE / 2);
        assert!(pauses[9] <= LONGEST_PAUSE && pauses[9] >= LONGEST_PAUSE / 2);
        retries.over();
        assert!(retries.failed(&error) <= FIRST_PAUSE);
    }
}
