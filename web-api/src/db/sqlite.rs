//! What is registered on each SQLite connection.

use std::cmp::Ordering;

use jobs::json::decimal::Decimal;

/// The order of numbers that are stored as texts, to their last digit: SQLite's own numbers are floats past
/// 64 bits.
pub(super) const NUMBER_COLLATION: &str = "spiral_number";

/// Texts that are not numbers sort last.
pub(super) fn compare_numbers(one: &str, other: &str) -> Ordering {
    match (one.parse::<Decimal>(), other.parse::<Decimal>()) {
        (Ok(one), Ok(other)) => one.cmp(&other),
        (Ok(_), Err(_)) => Ordering::Less,
        (Err(_), Ok(_)) => Ordering::Greater,
        (Err(_), Err(_)) => one.cmp(other),
    }
}
