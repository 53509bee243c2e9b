//! Who may do what: tokens, sessions, roles, and the address that a request comes from.

pub mod authenticator;
pub mod client_ip;
pub mod error;
pub mod hosts;
pub mod rate_limit;
pub mod roles;
pub mod same_origin;
pub mod sessions;
pub mod settings;
