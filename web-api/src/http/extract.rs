//! Reads bodies and queries, and reports exactly what is wrong with them.

pub mod caller;
pub mod fields;
pub mod json;
pub mod query;
pub mod strict_json;
