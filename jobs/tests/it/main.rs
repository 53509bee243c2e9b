//! The queue and the worker against a real Redis.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]
#![expect(clippy::panic, reason = "a failed expectation ends the test")]

mod cancel;
mod cluster;
mod contract;
mod crash;
mod functions;
mod lifecycle;
mod model;
mod process;
mod sentinel;
mod streams;
mod support;
