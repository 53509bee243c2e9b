//! Tells how long ago a role last did its work, for `/readyz`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Cheap to clone: the role beats it, others read it.
#[derive(Debug, Clone, Default)]
pub struct ProgressMarker(Arc<Mutex<Option<Instant>>>);

impl ProgressMarker {
    /// The role got through its round.
    pub fn passed(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether it has got through a round since `moment`.
    pub fn has_passed_since(&self, moment: Instant) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some_and(|passed| passed >= moment)
    }

    /// The time since the last beat; `None` before the first.
    pub fn age(&self) -> Option<Duration> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .map(|passed| passed.elapsed())
    }
}
