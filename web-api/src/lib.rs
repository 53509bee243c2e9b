//! The HTTP API of Spiral: it records jobs in SQL, enqueues them in Redis and tells browsers what happens.

pub mod all_in_one;
pub mod app;
pub mod auth;
pub mod config;
pub mod db;
pub mod domain;
pub mod http;
pub mod live;
pub mod serve;
pub mod services;
