//! The HTTP API of Spiral: it records jobs in SQL, enqueues them in Redis and tells browsers what happens.

pub mod answer;
pub mod endpoints;
pub mod error;
pub mod metrics;
pub mod observe;
pub mod openapi;
pub mod problem;
pub mod wire;
