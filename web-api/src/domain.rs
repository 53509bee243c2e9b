//! Pure rules: no database, no queue, no HTTP.

pub mod cron;
pub mod diagnostics;
pub mod fingerprint;
pub mod histogram;
pub mod queue_position;
pub mod search;
pub mod tag;
pub mod times;
