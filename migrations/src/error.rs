//! Why a run of migrations ended without a change, and how long it had waited for locks.

use std::time::Duration;

use sea_orm::DbErr;

/// The longest wait for one lock.
pub(crate) const LOCK_TIMEOUT: Duration = Duration::from_secs(3);
/// How often that is tried.
pub(crate) const LOCK_TRIES: u32 = 5;
/// Why the schema is as it was: a run that fails changes nothing.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    #[error("could not take the migration lock")]
    Lock(#[source] DbErr),
    #[error("could not read which migrations are applied")]
    Status(#[source] DbErr),
    /// A later release has been here, and this one was taken back: it works with the newer schema.
    #[error("the schema is newer than this build, which does not know {}; nothing was changed", .unknown.join(", "))]
    Newer { unknown: Vec<String> },
    #[error("a migration failed; nothing was changed")]
    Run(#[source] DbErr),
    #[error("{migration} failed; nothing was changed")]
    Step {
        migration: String,
        #[source]
        source: DbErr,
    },
    /// Others would have to wait for a migration that waits, so it does not wait for long.
    #[error(
        "{migration} waited in vain for a lock ({LOCK_TRIES} times {} s; nothing was changed); {}",
        LOCK_TIMEOUT.as_secs(), .holders.describe()
    )]
    Locked {
        /// The migration that could not go on.
        migration: String,
        holders: LockHolders,
        #[source]
        source: DbErr,
    },
    #[error("could not commit; nothing was changed")]
    Commit(#[source] DbErr),
}

/// The sessions that held locks on tables when a migration had waited in vain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockHolders(pub(crate) Vec<String>);

impl LockHolders {
    pub(crate) fn describe(&self) -> String {
        if self.0.is_empty() {
            return "nobody holds one any more: try again".to_owned();
        }
        format!("those who hold locks: {}", self.0.join("; "))
    }
}
