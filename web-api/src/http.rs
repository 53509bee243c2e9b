//! The HTTP half: the server, the list of routes, what stands before the handlers, and the handlers.
//!
//! Handlers read a request, call a service or the database, and shape the answer. None of them sees sea-orm, Redis or apalis.

pub mod demo;
pub mod dto;
pub mod error;
pub mod extract;
pub mod health;
pub mod healthcheck;
pub mod metrics;
pub mod middleware;
pub mod openapi;
pub mod response;
pub mod routes;
pub mod server;
pub mod state;
pub mod static_files;
pub mod v1;
