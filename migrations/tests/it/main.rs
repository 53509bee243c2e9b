//! The migrations against a real PostgreSQL and SQLite: through the library and through the binary.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]
#![expect(clippy::panic, reason = "a failed expectation ends the test")]

mod binary;
mod job_keys;
mod library;
mod sessions;
mod support;
