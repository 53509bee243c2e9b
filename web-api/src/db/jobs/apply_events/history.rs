//! What events add to the history of jobs: failed attempts, log lines and the failures that they are of. It is written in
//! the transaction that brings the rows up to date, and only for jobs that are there: events that come again after their
//! job was deleted leave nothing behind.

use std::collections::{BTreeMap, HashSet};

use jobs::{job::JobId, queue::events::EventBatch};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait, sea_query::LockType,
};

use crate::db::jobs::row::{Column, Entity};
use crate::db::{attempts, failures, log_lines};

/// The history of one job, as far as events tell it.
#[derive(Debug, Clone, Default)]
pub(super) struct History {
    /// By their numbers.
    attempts: BTreeMap<i32, attempts::row::Model>,
    /// By attempt and number.
    lines: BTreeMap<(i32, i32), log_lines::row::Model>,
    failures: Vec<failures::row::Model>,
}

/// The histories that these events tell.
pub(super) fn histories(batches: &[EventBatch]) -> BTreeMap<JobId, History> {
    let mut histories = BTreeMap::<JobId, History>::new();
    for batch in batches {
        for event in &batch.events {
            if let Some((id, row)) = attempts::failed(event, batch.at) {
                histories.entry(id).or_default().attempts.insert(row.attempt, row);
            }
            for (id, row) in log_lines::lines_of(event) {
                let lines = &mut histories.entry(id).or_default().lines;
                lines.insert((row.attempt, row.number), row);
            }
            if let Some((id, row)) = failures::seen(event, &batch.queue) {
                histories.entry(id).or_default().failures.push(row);
            }
        }
    }
    histories
}

impl History {
    pub(super) fn is_empty(&self) -> bool {
        self.attempts.is_empty() && self.lines.is_empty() && self.failures.is_empty()
    }

    /// Leaves the attempts with their times, and drops every text that came from outside.
    pub(super) fn strip(&mut self) {
        self.lines.clear();
        self.failures.clear();
        for attempt in self.attempts.values_mut() {
            attempt.worker.clear();
            "the database refused the message".clone_into(&mut attempt.error_message);
        }
    }
}

/// Those of `ids` that there are. Nobody deletes them before the end of the transaction, so what is written for them now
/// goes when they go. In one order, as where they are deleted: nobody waits in a circle.
pub(super) async fn kept(
    transaction: &DatabaseTransaction,
    ids: impl Iterator<Item = JobId>,
) -> Result<HashSet<String>, DbErr> {
    let mut query = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::Id.is_in(ids.map(|id| id.to_string())))
        .order_by_asc(Column::Id)
        .into_query();
    if transaction.get_database_backend() == DbBackend::Postgres {
        query.lock(LockType::KeyShare);
    }
    let rows = transaction.query_all(&query).await?;
    rows.iter().map(|row| row.try_get_by_index(0)).collect()
}

/// Writes attempts and log lines, in the order of their keys: two recorders must not wait for each other in a circle.
/// The same once more changes nothing.
pub(super) async fn write(transaction: &DatabaseTransaction, histories: &[&History]) -> Result<(), DbErr> {
    let attempts = histories.iter().flat_map(|history| history.attempts.values());
    attempts::write(transaction, attempts.cloned().collect()).await?;
    let lines = histories.iter().flat_map(|history| history.lines.values());
    log_lines::write(transaction, lines.cloned().collect()).await
}

/// Writes the failures, of which many jobs share one: last, so that no recorder waits for another one for long.
pub(super) async fn write_failures(
    transaction: &DatabaseTransaction,
    histories: &[&History],
) -> Result<(), DbErr> {
    let failures = histories.iter().flat_map(|history| &history.failures);
    failures::write(transaction, failures.cloned()).await
}
