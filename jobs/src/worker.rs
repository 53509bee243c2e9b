//! The worker runtime.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::catalog::Catalog;
use crate::error::Error;

mod settings;

pub use settings::WorkerSettings;

/// Runs jobs until `shutdown`.
pub async fn run(_s: WorkerSettings, _c: Arc<Catalog>, shutdown: CancellationToken) -> Result<(), Error> {
    shutdown.cancelled().await;
    Ok(())
}
