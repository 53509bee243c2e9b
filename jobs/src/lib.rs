//! Spiral's functions, the queue engine on Redis, and the worker that runs them.
//!
//! Read in this order: [`function`] (what a team writes), [`catalog`] (the list of them), [`job`] (what travels),
//! [`queue`] (how it travels), [`worker`] (how it runs). This crate knows neither SQL nor the HTTP API;
//! HTTP is what [`functions::http_request`] speaks to others.

pub mod apalis_queue;
pub mod backoff;
pub mod catalog;
pub mod clock;
pub mod context;
pub mod error;
pub mod format;
pub mod function;
pub mod functions;
pub mod job;
pub mod json;
pub mod logging;
pub mod output;
mod panics;
pub mod queue;
pub mod settings;
pub mod signals;
pub mod version;
pub mod worker;
