//! The commands' parts against real programs.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod containers;
mod docs;
mod imports;
mod names;
mod nginx;
mod plants;
mod sizes;
mod stub;
