//! The responses of the health routes.

use salvo::oapi::ToSchema;
use serde::Serialize;

/// The process is alive.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "Health"))]
pub struct Health {
    /// Always `ok`.
    #[salvo(schema(example = "ok"))]
    pub status: String,
    #[salvo(schema(example = "0.1.0"))]
    pub version: String,
    /// The commit of the build; `null` when it is not known.
    pub commit: Option<String>,
    /// Seconds since the process started.
    pub uptime_seconds: u64,
}

/// Whether the process is ready, with each dependency.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "Readiness"))]
pub struct Readiness {
    /// `ready` or `not_ready`.
    #[salvo(schema(example = "ready"))]
    pub status: String,
    pub checks: Vec<Check>,
    /// Settings that work now but can lose jobs later, such as a Redis that may evict keys. Each says what to
    /// change.
    pub warnings: Vec<String>,
}

/// A dependency of the process.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "ReadinessCheck"))]
pub struct Check {
    /// `sql`, `redis` or `recorder`.
    #[salvo(schema(example = "redis"))]
    pub name: String,
    pub ok: bool,
    /// What is wrong, or the current condition.
    pub message: String,
}
