//! The search over jobs: `state:dead function:fibonacci index>1000 "timed out"`. Parses a
//! [`JobFilter`](crate::domain::job_filter::JobFilter) from a text and prints it as one; parsing what was
//! printed gives the same filter.
//!
//! | term | means |
//! | --- | --- |
//! | `timed`, `"timed out"` | the error message has it |
//! | `state:dead,retrying` | in one of these states |
//! | `id:A,B`, or just the ids | one of these jobs |
//! | `function:` `queue:` `worker:` `batch:` `schedule:` `priority:` | what its name says |
//! | `tag:customer-17` | marked with it; several terms, several tags |
//! | `failure:` | the latest error is of this kind (see `fingerprint`) |
//! | `created>TIME`, `created<TIME`, `finished>`, `finished<` | from that time on; before it (RFC 3339) |
//! | `index:90`, `index>1000`, `user.age<=18` | a value in the input, by the path to it |
//! | `input.state:open` | the same for fields that have the name of another term, or nearly so |
//!
//! It knows no SQL and no HTTP.

mod near;
mod parse;
mod print;
#[cfg(test)]
mod properties;
mod terms;

use jobs::json::decimal::Decimal;

pub(crate) use self::parse::{in_order, stored};

use crate::domain::job_filter::Test;

/// The longest text of a search, in characters.
pub const LONGEST: usize = 2_000;
/// The most words, and the most values in the input, in one search: each is a condition in SQL.
const MOST_TERMS: usize = 32;
/// The most names in the path to a value in the input.
const DEEPEST: usize = 8;

/// The terms that are not about the input.
const NAMES: [&str; 14] = [
    "id", "state", "function", "queue", "tag", "priority", "batch", "schedule", "worker", "created",
    "finished", "error", "failure", "input",
];

/// A search that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("character {at}: {message}")]
pub struct SearchError {
    /// The position of the error: the number of the character, from 1.
    pub at: usize,
    pub message: String,
}

/// The operator between a name and a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    Is,
    Above,
    AtLeast,
    Below,
    AtMost,
}

impl Sign {
    /// The longer ones first, since one is a prefix of another.
    const ALL: [(&'static str, Self); 5] = [
        (">=", Self::AtLeast),
        ("<=", Self::AtMost),
        (">", Self::Above),
        ("<", Self::Below),
        (":", Self::Is),
    ];

    /// The test for a number.
    fn number(self, number: Decimal) -> Option<Test> {
        match self {
            Self::Is => None,
            Self::Above => Some(Test::Above(number)),
            Self::AtLeast => Some(Test::AtLeast(number)),
            Self::Below => Some(Test::Below(number)),
            Self::AtMost => Some(Test::AtMost(number)),
        }
    }
}

/// What may follow the first character of a name.
fn is_of_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '-')
}

/// The first character of a name. Not a digit: elements of arrays cannot be searched by their index.
fn begins_name(character: char) -> bool {
    character.is_ascii_alphabetic() || character == '_'
}
