//! Deletes jobs and batches that have been finished for longer than the retention, and expired keys: in small
//! transactions with pauses, so that deleting a million of them blocks nothing. Every process does this.
//!
//! Errors do not end it: what could not be deleted is found again in the next pass.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use jobs::clock;
use tokio_util::sync::CancellationToken;

use crate::db::{Store, StoreError};
use crate::services::retry_loop::{RetryLoop, jittered};

/// What is deleted, and how fast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PruneSettings {
    /// How long finished jobs and batches are kept; for ever when it is `None`.
    pub retention: Option<Duration>,
    /// The same for entries of the audit log.
    pub audit_retention: Option<Duration>,
    /// Time between two passes.
    pub interval: Duration,
    /// Rows that are examined in one transaction.
    pub rows: u64,
    /// Pause between two transactions.
    pub pause: Duration,
}

impl PruneSettings {
    pub fn of(retention: Option<Duration>, audit_retention: Option<Duration>) -> Self {
        Self {
            retention,
            audit_retention,
            interval: Duration::from_mins(1),
            rows: 500,
            pause: Duration::from_millis(50),
        }
    }
}

/// Prunes until `shutdown`.
pub async fn run(store: Store, settings: PruneSettings, shutdown: CancellationToken) {
    let mut retries = RetryLoop::new("pruner");
    loop {
        // A pass is safe to cancel at any point.
        let result = tokio::select! {
            () = shutdown.cancelled() => return,
            result = round(&store, &settings) => result,
        };
        let pause = match result {
            Ok(()) => {
                retries.over();
                jittered(settings.interval)
            }
            Err(error) => retries.failed(&error),
        };
        if tokio::time::timeout(pause, shutdown.cancelled()).await.is_ok() {
            return;
        }
    }
}

async fn round(store: &Store, settings: &PruneSettings) -> Result<(), StoreError> {
    store.follow_clock().await?;
    if !clock::is_certain() {
        tracing::warn!("pruning is paused: the clock of this machine has jumped");
        return Ok(());
    }
    let now = clock::now();
    loop {
        let deleted = store.job_key_prune(now, settings.rows).await?;
        count("job_keys", deleted);
        if deleted < settings.rows {
            break;
        }
        tokio::time::sleep(settings.pause).await;
    }
    if let Some(time) = settings.retention.and_then(|retention| before(now, retention)) {
        // Batches first, so that no job is kept for a batch that is about to be deleted.
        for table in [Table::Batches, Table::Jobs] {
            walk(store, settings, table, time).await?;
        }
        count("failures", store.failure_prune(time).await?);
        count("job_actions", store.job_action_prune(time).await?);
    }
    if let Some(time) = settings
        .audit_retention
        .and_then(|retention| before(now, retention))
    {
        loop {
            let deleted = store.audit_prune(time, settings.rows).await?;
            count("audit", deleted);
            if deleted < settings.rows {
                break;
            }
            tokio::time::sleep(settings.pause).await;
        }
    }
    Ok(())
}

/// Nothing is deleted when the time is out of range.
fn before(now: DateTime<Utc>, retention: Duration) -> Option<DateTime<Utc>> {
    now.checked_sub_signed(TimeDelta::from_std(retention).ok()?)
}

/// What is deleted by its age.
#[derive(Debug, Clone, Copy)]
enum Table {
    Batches,
    Jobs,
}

async fn walk(
    store: &Store,
    settings: &PruneSettings,
    table: Table,
    time: DateTime<Utc>,
) -> Result<(), StoreError> {
    let name = match table {
        Table::Batches => "batches",
        Table::Jobs => "jobs",
    };
    let mut after = None;
    let mut deleted = 0;
    loop {
        let pruned = match table {
            Table::Batches => store.batch_prune(after.as_deref(), time, settings.rows).await?,
            Table::Jobs => store.job_prune(after.as_deref(), time, settings.rows).await?,
        };
        deleted += pruned.deleted;
        count(name, pruned.deleted);
        after = pruned.next;
        if after.is_none() {
            break;
        }
        tokio::time::sleep(settings.pause).await;
    }
    if deleted > 0 {
        tracing::info!(table = name, rows = deleted, "deleted expired rows");
    }
    Ok(())
}

fn count(table: &'static str, deleted: u64) {
    metrics::counter!("spiral_rows_pruned_total", "table" => table).increment(deleted);
}
