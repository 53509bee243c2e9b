//! The HTTP API of Spiral: it records jobs in SQL, enqueues them in Redis and tells browsers what happens.

pub mod all_in_one;
pub mod answer;
pub mod app;
pub mod body;
pub mod config;
pub mod endpoints;
pub mod enqueue;
pub mod error;
pub mod guard;
pub mod healthcheck;
pub mod live;
pub mod metrics;
pub mod observe;
pub mod openapi;
mod outage;
pub mod outcomes;
pub mod problem;
pub mod pulse;
pub mod query;
pub mod reconcile;
pub mod record;
pub mod schedule;
pub mod serve;
pub mod server;
pub mod state;
pub mod store;
pub mod wire;
