//! Looks now and then whether Redis is set up to keep what it is given, and remembers what is wrong for `/readyz` and
//! the pages. What changes is logged once.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jobs::queue::{Queues, ServerWarning};
use tokio_util::sync::CancellationToken;

use crate::services::retry_loop::{RetryLoop, jittered};

/// Between two looks: an operator who sets a policy right sees it soon, and so does who waits for a full Redis.
const PAUSE: Duration = Duration::from_secs(5);

/// What is wrong with Redis's settings, as of the last look. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct RedisWarnings(Arc<Mutex<Vec<ServerWarning>>>);

impl RedisWarnings {
    pub fn current(&self) -> Vec<ServerWarning> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts new ones in place and returns the old ones.
    fn replace(&self, warnings: Vec<ServerWarning>) -> Vec<ServerWarning> {
        std::mem::replace(
            &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner),
            warnings,
        )
    }
}

/// Looks until `shutdown`. Never ends of an error.
pub async fn watch(queues: Queues, warnings: RedisWarnings, shutdown: CancellationToken) {
    let mut retries = RetryLoop::new("look at Redis's settings");
    loop {
        let pause = match queues.server_warnings().await {
            Ok(found) => {
                retries.over();
                let before = warnings.replace(found.clone());
                report(&before, &found);
                jittered(PAUSE)
            }
            Err(error) => retries.failed(&error),
        };
        if tokio::time::timeout(pause, shutdown.cancelled()).await.is_ok() {
            return;
        }
    }
}

fn report(before: &[ServerWarning], now: &[ServerWarning]) {
    let new = |warning: &&ServerWarning, among: &[ServerWarning]| {
        !among.iter().any(|other| warning.is_about_the_same(other))
    };
    for warning in now.iter().filter(|warning| new(warning, before)) {
        tracing::warn!("{warning}");
    }
    for warning in before.iter().filter(|warning| new(warning, now)) {
        tracing::info!(server = warning.server, kind = ?warning.kind, "no longer so");
    }
}
