//! Keeps counters and time series small: rolls up the changes that transactions have recorded, and deletes
//! old rows. Every process does this; the numbers are right whichever process does it, and also before it is
//! done.
//!
//! Errors do not end it.

use std::time::Duration;

use jobs::clock;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::db::{Store, StoreError};
use crate::services::admission::Backlogs;
use crate::services::retry_loop::{RetryLoop, jittered};

/// Time between two passes.
const TICK: Duration = Duration::from_secs(1);
/// Time between two deletions of old rows.
const PRUNE: Duration = Duration::from_mins(5);

/// Rolls up until `shutdown`, and passes `backlogs` how many jobs wait.
pub async fn run(store: Store, backlogs: Backlogs, shutdown: CancellationToken) {
    let mut retries = RetryLoop::new("counters and time series");
    let mut prune_at = Instant::now();
    loop {
        let result = tokio::select! {
            () = shutdown.cancelled() => return,
            result = round(&store, &backlogs, &mut prune_at) => result,
        };
        let pause = match result {
            Ok(()) => {
                retries.over();
                jittered(TICK)
            }
            Err(error) => retries.failed(&error),
        };
        if tokio::time::timeout(pause, shutdown.cancelled()).await.is_ok() {
            return;
        }
    }
}

async fn round(store: &Store, backlogs: &Backlogs, prune_at: &mut Instant) -> Result<(), StoreError> {
    store.job_count_fold().await?;
    store.stat_fold().await?;
    backlogs.look(store).await?;
    if Instant::now() >= *prune_at && clock::is_certain() {
        store.follow_clock().await?;
        let deleted = store.stat_prune(clock::now()).await?;
        metrics::counter!("spiral_rows_pruned_total", "table" => "stats").increment(deleted);
        *prune_at = Instant::now() + PRUNE;
    }
    Ok(())
}
