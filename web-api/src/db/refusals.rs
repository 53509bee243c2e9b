//! What the database has refused lately, for diagnostics.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{Reason, StoreError};

/// A refusal older than this says nothing about the current state of the database.
const LATELY: Duration = Duration::from_mins(1);

/// For each operation whose last try was refused, why and when. All clones share it.
#[derive(Clone, Default)]
pub(super) struct Refusals(Arc<Mutex<HashMap<&'static str, (Reason, Instant)>>>);

impl Refusals {
    pub(super) fn note(&self, operation: &'static str, error: Option<&StoreError>) {
        let reason = error.and_then(StoreError::reason);
        let mut refused = self.lock();
        match reason {
            Some(reason) => {
                refused.insert(operation, (reason, Instant::now()));
            }
            // An operation that failed for another reason does not show that the refusal is over.
            None if error.is_none() && !refused.is_empty() => {
                refused.remove(operation);
            }
            None => {}
        }
    }

    /// Each reason once.
    pub(super) fn current(&self) -> Vec<Reason> {
        let mut refused = self.lock();
        refused.retain(|_, (_, at)| at.elapsed() < LATELY);
        let mut reasons: Vec<Reason> = refused.values().map(|(reason, _)| *reason).collect();
        reasons.sort_unstable();
        reasons.dedup();
        reasons
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<&'static str, (Reason, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::DbErr;

    use super::*;

    #[test]
    fn a_refusal_counts_until_the_same_operation_succeeds() {
        let refusals = Refusals::default();
        let full = StoreError::Unavailable {
            operation: "insert",
            reason: Some(Reason::Full),
            source: DbErr::Custom("full".to_owned()),
        };
        refusals.note("insert", Some(&full));
        refusals.note("update", Some(&full));
        assert_eq!(refusals.current(), [Reason::Full]);
        refusals.note("select", None);
        refusals.note("insert", None);
        assert_eq!(refusals.current(), [Reason::Full], "the other one is refused");
        let limit = Duration::from_secs(1);
        let late = StoreError::Timeout {
            operation: "update",
            limit,
        };
        refusals.note("update", Some(&late));
        assert_eq!(refusals.current(), [Reason::Full], "nothing is known of it");
        refusals.note("update", None);
        assert!(refusals.current().is_empty());
    }
}
