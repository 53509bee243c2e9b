//! Authentication and authorization: tokens, sessions, roles, and the client address of a request.

pub mod authenticator;
pub mod client_ip;
pub mod error;
pub mod hosts;
pub mod rate_limit;
pub mod roles;
pub mod same_origin;
pub mod sessions;
pub mod settings;
