//! Values as the databases can keep them.

/// A count in a column of 32 bits; what is larger is the largest.
pub(in crate::db) fn saturated(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// PostgreSQL has no NUL in a text.
pub(in crate::db) fn storable(text: &str) -> String {
    jobs::output::storable(text).into_owned()
}
