//! What the health routes answer.

use salvo::oapi::ToSchema;
use serde::Serialize;

/// The process is alive.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "Health"))]
pub struct Health {
    /// Always `ok`: a process that cannot say so does not answer.
    #[salvo(schema(example = "ok"))]
    pub status: String,
    #[salvo(schema(example = "0.1.0"))]
    pub version: String,
    /// The commit that it was built from; `null` when the build was not told.
    pub commit: Option<String>,
    /// Seconds since the process started.
    pub uptime_seconds: u64,
}

/// Whether the process can do its work, part by part.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "Readiness"))]
pub struct Readiness {
    /// `ready` or `not_ready`.
    #[salvo(schema(example = "ready"))]
    pub status: String,
    pub checks: Vec<Check>,
    /// What works today and will cost jobs one day, such as a Redis that may evict keys; each says what to set.
    pub warnings: Vec<String>,
}

/// One part that the process depends on.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "ReadinessCheck"))]
pub struct Check {
    /// `sql`, `redis` or `recorder`.
    #[salvo(schema(example = "redis"))]
    pub name: String,
    pub ok: bool,
    /// What is wrong, or how it is doing.
    pub message: String,
}
