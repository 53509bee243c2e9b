//! Pure rules: no database, no queue, no HTTP.

pub mod base_path;
pub mod catch_up;
pub mod cron;
pub mod fingerprint;
pub mod histogram;
pub mod ids;
pub mod job_filter;
pub mod search;
pub mod tag;
pub mod times;
