//! What can go wrong with the database, in the two kinds that matter to callers: it is away, or the data is at fault.

use std::time::Duration;

use sea_orm::{
    DbErr, RuntimeErr,
    sqlx::{self, error::DatabaseError},
};

/// What the error of a database that is read-only says when none of its own does.
pub(super) const READ_ONLY: &str = "the database is read-only (transaction_read_only is on)";

/// What keeps a database that answers from doing what it was asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Its disk has no room left.
    Full,
    /// It is a standby, was set so, or the file may not be written.
    ReadOnly,
    /// It cannot read or write its files.
    Files,
    /// Its files do not hold what they should.
    Damaged,
    /// Another program keeps SQLite's write lock, or PostgreSQL's locks.
    Locked,
}

impl Reason {
    /// A whole sentence for whoever called.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Full => {
                "The disk of the database is full, so nothing can be recorded until it has room again."
            }
            Self::ReadOnly => "The database is read-only at the moment, so nothing can be recorded.",
            Self::Files => "The database cannot read or write its files. The log says more.",
            Self::Damaged => "The files of the database are damaged. The log says more.",
            Self::Locked => "Another program keeps the database locked. Try again in a few seconds.",
        }
    }
}

/// Why a query has no answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database is away, overloaded, starting, read-only, full or not migrated: the same call may succeed later.
    #[error("{operation}: the database cannot do it now")]
    Unavailable {
        operation: &'static str,
        /// What it said, when it is one of these.
        reason: Option<Reason>,
        #[source]
        source: DbErr,
    },
    /// It did not answer in time. Whether it did what was asked is not known.
    #[error("{operation}: the database did not answer within {limit:?}")]
    Timeout {
        operation: &'static str,
        limit: Duration,
    },
    /// Nothing was asked: others kept their connections, or the turn to write, for so long.
    #[error("{operation}: no connection was free within {limit:?}")]
    Busy {
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
            Self::Unavailable {
                operation,
                reason: reason(&source),
                source,
            }
        }
    }

    /// The same call may succeed later; HTTP says 503.
    pub fn is_unavailable(&self) -> bool {
        matches!(
            self,
            Self::Unavailable { .. } | Self::Timeout { .. } | Self::Busy { .. }
        )
    }

    /// What keeps the database from doing it, when it said so.
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Self::Unavailable { reason, .. } => *reason,
            Self::Timeout { .. } | Self::Busy { .. } | Self::Data { .. } | Self::Row { .. } => None,
        }
    }
}

fn reason(error: &DbErr) -> Option<Reason> {
    if matches!(error, DbErr::Query(RuntimeErr::Internal(text)) if text == READ_ONLY) {
        return Some(Reason::ReadOnly);
    }
    code_of(error).and_then(|code| reason_of_code(&code))
}

/// The code that the database gave its error.
fn code_of(error: &DbErr) -> Option<String> {
    let (DbErr::Exec(RuntimeErr::SqlxError(error))
    | DbErr::Query(RuntimeErr::SqlxError(error))
    | DbErr::Conn(RuntimeErr::SqlxError(error))) = error
    else {
        return None;
    };
    let code = error.as_database_error().and_then(DatabaseError::code)?;
    Some(code.into_owned())
}

fn reason_of_code(code: &str) -> Option<Reason> {
    if code.len() == 5 {
        return match code {
            "53100" => Some(Reason::Full),
            "25006" => Some(Reason::ReadOnly),
            // I/O error, undefined file, and a file that is not what it should be.
            "58030" | "58P01" => Some(Reason::Files),
            "XX001" | "XX002" => Some(Reason::Damaged),
            "55P03" => Some(Reason::Locked),
            _ => None,
        };
    }
    // The low byte, since extended codes carry the reason above it.
    match code.parse::<u32>().ok()? & 0xff {
        5 | 6 => Some(Reason::Locked),
        8 => Some(Reason::ReadOnly),
        // I/O error, cannot open.
        10 | 14 => Some(Reason::Files),
        // Malformed, not a database.
        11 | 26 => Some(Reason::Damaged),
        13 => Some(Reason::Full),
        _ => None,
    }
}

/// Whether the database refused the values, not the call. Anything unknown is taken for a passing trouble: waiting
/// for nothing is repaired by a person, throwing away an outcome is not.
fn is_fault_of_data(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(cause))
    | DbErr::Query(RuntimeErr::SqlxError(cause))
    | DbErr::Conn(RuntimeErr::SqlxError(cause))) = error
    else {
        return false;
    };
    matches!(cause.as_ref(), sqlx::Error::Encode(_)) || code_of(error).is_some_and(|code| is_data_code(&code))
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

    #[test]
    fn what_keeps_a_database_from_its_work_is_told_apart() {
        for (code, expected) in [
            ("53100", Some(Reason::Full)),
            ("13", Some(Reason::Full)),
            ("25006", Some(Reason::ReadOnly)),
            ("1032", Some(Reason::ReadOnly)),
            ("58030", Some(Reason::Files)),
            ("778", Some(Reason::Files)),
            ("XX001", Some(Reason::Damaged)),
            ("11", Some(Reason::Damaged)),
            ("26", Some(Reason::Damaged)),
            ("5", Some(Reason::Locked)),
            ("517", Some(Reason::Locked)),
            ("57P01", None),
            ("1", None),
            ("", None),
        ] {
            assert_eq!(reason_of_code(code), expected, "{code}");
        }
    }
}
