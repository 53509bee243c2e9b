//! The functions that come with Spiral, one file each. [`crate::catalog`] lists them.

pub mod echo;
pub mod fibonacci;
pub mod flaky;
pub mod http_request;
pub mod sleep;
