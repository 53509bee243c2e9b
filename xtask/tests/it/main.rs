//! The commands' parts against real programs.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod docs;
mod names;
mod nginx;
mod stub;
