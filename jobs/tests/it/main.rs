//! The queue and the worker against a real Redis.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]
#![expect(clippy::panic, reason = "a failed expectation ends the test")]

mod apalis_queue;
mod builtin;
mod cancel;
mod cluster;
mod compatibility;
mod contract;
mod crash;
mod dead_flow;
mod due;
mod full;
mod functions;
mod http_request;
mod http_server;
mod https;
mod in_flight;
mod lanes;
mod large;
mod lifecycle;
mod limits;
mod model;
mod notes;
mod one_bad;
mod process;
mod redis_settings;
mod results;
mod sentinel;
mod streams;
mod support;
mod tls;
mod together;
