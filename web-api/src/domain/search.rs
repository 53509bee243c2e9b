//! The search over jobs as people write it: `state:dead function:fibonacci index>1000 "timed out"`. Reads a
//! [`JobFilter`](crate::domain::job_filter::JobFilter) from a text and writes it as one; a filter that is written and read again is the same.
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
/// Words, and values in the input, in one search: each is a condition in SQL.
const MOST_TERMS: usize = 32;
/// Names in the path to a value in the input.
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
    /// Where it is wrong: the number of the character, counted from 1.
    pub at: usize,
    pub message: String,
}

/// What stands between a name and a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    Is,
    Above,
    AtLeast,
    Below,
    AtMost,
}

impl Sign {
    /// The longer ones first: one begins with another.
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

/// The first character of a name. No digit: an element of an array is not reached by its place.
fn begins_name(character: char) -> bool {
    character.is_ascii_alphabetic() || character == '_'
}
