//! What every request passes before its handler.

pub mod audit;
pub mod authorize;
pub mod base_path;
pub mod catch;
pub mod request_log;
