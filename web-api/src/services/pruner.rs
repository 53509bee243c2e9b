//! Deletes jobs and batches that have been finished for longer than they are to be kept, and keys whose time is over: a
//! little at a time, with pauses, so that a million of them block nothing. Every process does this.
//!
//! Never ends of an error: what could not be deleted is found again in the next round.

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
    /// Between two rounds.
    pub interval: Duration,
    /// Rows that are looked at in one transaction.
    pub rows: u64,
    /// Between two transactions.
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
        // Nothing in a round suffers from being cut off.
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
        tracing::warn!("nothing is deleted as old for now: the clock of this machine has jumped");
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
        // Batches first: then no job is kept for one that is about to go.
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

/// Nothing is older than a time that cannot be told.
fn before(now: DateTime<Utc>, retention: Duration) -> Option<DateTime<Utc>> {
    now.checked_sub_signed(TimeDelta::from_std(retention).ok()?)
}

/// What goes by its age.
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
        tracing::info!(table = name, rows = deleted, "deleted what was old");
    }
    Ok(())
}

fn count(table: &'static str, deleted: u64) {
    metrics::counter!("spiral_rows_pruned_total", "table" => table).increment(deleted);
}
