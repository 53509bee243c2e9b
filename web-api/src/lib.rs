//! The HTTP API of Spiral: it records jobs in SQL, enqueues them in Redis and tells browsers what happens.

pub mod answer;
pub mod endpoints;
pub mod enqueue;
pub mod error;
pub mod metrics;
pub mod observe;
pub mod openapi;
mod outage;
pub mod outcomes;
pub mod problem;
pub mod reconcile;
pub mod record;
pub mod store;
pub mod wire;
