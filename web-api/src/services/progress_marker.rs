//! Reports how long ago a role last completed a pass, for `/readyz`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Cheap to clone: the role updates it, others read it.
#[derive(Debug, Clone, Default)]
pub struct ProgressMarker(Arc<Mutex<Option<Instant>>>);

impl ProgressMarker {
    /// The role has completed a pass.
    pub fn passed(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether it has completed a pass since `moment`.
    pub fn has_passed_since(&self, moment: Instant) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some_and(|passed| passed >= moment)
    }

    /// The time since the last completed pass; `None` before the first.
    pub fn age(&self) -> Option<Duration> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .map(|passed| passed.elapsed())
    }
}
