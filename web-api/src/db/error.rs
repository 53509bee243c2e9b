//! What can go wrong with the database, in the two kinds that matter to callers: it is away, or the data is at fault.

use std::time::Duration;

use sea_orm::{
    DbErr, RuntimeErr,
    sqlx::{self, error::DatabaseError},
};

/// Why a query has no answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database is away, overloaded, starting, read-only, full or not migrated: the same call may succeed later.
    #[error("{operation}: the database cannot do it now")]
    Unavailable {
        operation: &'static str,
        #[source]
        source: DbErr,
    },
    /// It did not answer in time. Whether it did what was asked is not known.
    #[error("{operation}: the database did not answer within {limit:?}")]
    Timeout {
        operation: &'static str,
        limit: Duration,
    },
    /// The values themselves are refused: the same call fails for ever.
    #[error("{operation}: the database refuses the data")]
    Data {
        operation: &'static str,
        #[source]
        source: DbErr,
    },
    /// A row holds what this build does not understand.
    #[error("the row of {row} cannot be read: {problem}")]
    Row { row: String, problem: String },
}

impl StoreError {
    pub(super) fn new(operation: &'static str, source: DbErr) -> Self {
        if is_fault_of_data(&source) {
            Self::Data { operation, source }
        } else {
            Self::Unavailable { operation, source }
        }
    }

    /// The same call may succeed later; HTTP says 503.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Timeout { .. })
    }
}

/// Whether the database refused the values, not the call. Anything unknown is taken for a passing trouble: waiting
/// for nothing is repaired by a person, throwing away an outcome is not.
fn is_fault_of_data(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(error))
    | DbErr::Query(RuntimeErr::SqlxError(error))
    | DbErr::Conn(RuntimeErr::SqlxError(error))) = error
    else {
        return false;
    };
    matches!(error.as_ref(), sqlx::Error::Encode(_))
        || error
            .as_database_error()
            .and_then(DatabaseError::code)
            .is_some_and(|code| is_data_code(&code))
}

/// SQLSTATE (five characters) of PostgreSQL or a result code (a number) of SQLite.
fn is_data_code(code: &str) -> bool {
    // A result code of SQLite has at most four digits.
    if code.len() == 5 {
        // Data exception, integrity constraint, program limit (such as a key too long for its index).
        return ["22", "23", "54"].iter().any(|class| code.starts_with(class));
    }
    // TOOBIG, CONSTRAINT, MISMATCH, RANGE; the low byte, since extended codes carry the reason above it.
    code.parse::<u32>()
        .is_ok_and(|code| matches!(code & 0xff, 18 | 19 | 20 | 25))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_data_is_blamed_for_ever() {
        for code in ["22P05", "22021", "23505", "54000", "19", "2067", "1555", "18"] {
            assert!(is_data_code(code), "{code}");
        }
        // Stopping, deadlock, no such table, read-only, statement timeout; busy, locked, full, I/O, read-only.
        for code in [
            "57P01", "40P01", "42P01", "25006", "57014", "5", "6", "13", "10", "8", "517", "778", "",
        ] {
            assert!(!is_data_code(code), "{code}");
        }
    }
}
