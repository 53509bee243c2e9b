//! Keeps counters and time series short: folds what was written down beside the jobs, and deletes what is old. Every
//! process does this; the numbers are right whoever does, and also while nobody does.
//!
//! Never ends of an error.

use std::time::Duration;

use jobs::clock;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::db::{Store, StoreError};
use crate::services::admission::Backlogs;
use crate::services::retry_loop::{RetryLoop, jittered};

/// Between two rounds.
const TICK: Duration = Duration::from_secs(1);
/// Between two looks at what is old.
const PRUNE: Duration = Duration::from_mins(5);

/// Folds until `shutdown`, and tells `backlogs` how many jobs wait.
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
