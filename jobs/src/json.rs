//! JSON to its last digit: exact numbers.

pub mod decimal;
