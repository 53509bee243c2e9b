//! The table `failures`: each kind of error that was met, with the time at which it was first and last seen. Which jobs
//! have met it, their rows say.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, SubsecRound, Utc};
use jobs::{
    job::{JobId, QueueName},
    queue::events::{JobEvent, Outcome},
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, ExprTrait, QueryFilter, Set,
    sea_query::{CaseStatement, Expr, OnConflict},
};

use super::jobs::parsed;
use super::{Store, StoreError, job_counts};
use crate::db;
use crate::db::values::storable;
use crate::domain::fingerprint::{Fingerprint, pattern};

pub(super) mod row {
    use sea_orm::entity::prelude::*;

    #[expect(unreachable_pub, reason = "what is derived from it is public")]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "failures")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub fingerprint: String,
        pub function: String,
        pub queue: String,
        pub kind: String,
        pub pattern: String,
        pub first_seen_at: DateTimeUtc,
        pub last_seen_at: DateTimeUtc,
    }

    #[expect(unreachable_pub, reason = "the derived entity, which is public, names it")]
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Rows in one statement.
const CHUNK: usize = 500;

/// Jobs that are dead or retrying because of the same error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub fingerprint: Fingerprint,
    pub function: String,
    /// Where it was first seen.
    pub queue: QueueName,
    pub kind: String,
    /// The message without what differs from one error to the next.
    pub pattern: String,
    pub first_seen_at: DateTime<Utc>,
    pub last_seen_at: DateTime<Utc>,
    pub jobs: u64,
    /// How many of them are retrying.
    pub retrying: u64,
    /// The newest of them.
    pub example: JobId,
}

impl Store {
    /// The failures that most jobs have, and these jobs counted.
    pub async fn failure_list(&self, limit: u64) -> Result<Vec<Failure>, StoreError> {
        let counts = self
            .bounded_search("failure_list", self.most_common(limit))
            .await?;
        let query = row::Entity::find()
            .filter(row::Column::Fingerprint.is_in(counts.iter().map(|(fingerprint, ..)| fingerprint)));
        let rows = self
            .bounded_search("failure_list", query.all(&self.database))
            .await?;
        let mut rows: HashMap<String, row::Model> = rows
            .into_iter()
            .map(|row| (row.fingerprint.clone(), row))
            .collect();
        let mut failures = Vec::with_capacity(counts.len());
        for (fingerprint, jobs, retrying, example) in counts {
            // One that was pruned between the two looks is gone with its jobs.
            let Some(row) = rows.remove(&fingerprint) else {
                continue;
            };
            failures.push(Failure {
                fingerprint: parsed(&example, "failure", &fingerprint)?,
                function: row.function,
                queue: parsed(&example, "queue", &row.queue)?,
                kind: row.kind,
                pattern: row.pattern,
                first_seen_at: row.first_seen_at,
                last_seen_at: row.last_seen_at,
                jobs: jobs.unsigned_abs(),
                retrying: retrying.unsigned_abs(),
                example: parsed(&example, "id", &example)?,
            });
        }
        Ok(failures)
    }

    /// The failures by the counts that are kept of them, each with the newest of its jobs.
    async fn most_common(&self, limit: u64) -> Result<Vec<(String, i64, i64, String)>, DbErr> {
        let statement = job_counts::failures(self.backend(), limit);
        let mut failures = Vec::new();
        for row in self.database.query_all_raw(statement).await? {
            let newest_dead: Option<String> = row.try_get_by_index(3)?;
            let newest_retrying: Option<String> = row.try_get_by_index(4)?;
            let newest = Ord::max(newest_dead, newest_retrying);
            let fingerprint = row.try_get_by_index(0)?;
            let (jobs, retrying) = (row.try_get_by_index(1)?, row.try_get_by_index(2)?);
            failures.extend(newest.map(|newest| (fingerprint, jobs, retrying, newest)));
        }
        Ok(failures)
    }

    /// Deletes failures that were last seen before `time` and that no job has any more, and says how many.
    pub async fn failure_prune(&self, time: DateTime<Utc>) -> Result<u64, StoreError> {
        let of_jobs = sea_orm::sea_query::Query::select()
            .expr(Expr::val(1))
            .from(db::jobs::row::Entity)
            .and_where(
                Expr::col((db::jobs::row::Entity, db::jobs::row::Column::Failure))
                    .eq(Expr::col((row::Entity, row::Column::Fingerprint))),
            )
            .take();
        let statement = row::Entity::delete_many()
            .filter(row::Column::LastSeenAt.lt(time))
            .filter(Expr::exists(of_jobs).not());
        let _turn = self.write_turn().await?;
        let deleted = self
            .bounded("failure_prune", statement.exec(&self.database))
            .await?;
        Ok(deleted.rows_affected)
    }
}

/// Writes which errors were met, and when. The same once more changes nothing.
pub(super) async fn write(
    transaction: &DatabaseTransaction,
    seen: impl Iterator<Item = row::Model>,
) -> Result<(), DbErr> {
    // In one order: two recorders must not wait for each other in a circle.
    let mut rows = BTreeMap::<String, row::Model>::new();
    for row in seen {
        rows.entry(row.fingerprint.clone())
            .and_modify(|known| {
                known.first_seen_at = Ord::min(known.first_seen_at, row.first_seen_at);
                known.last_seen_at = Ord::max(known.last_seen_at, row.last_seen_at);
            })
            .or_insert(row);
    }
    let rows: Vec<row::Model> = rows.into_values().collect();
    for chunk in rows.chunks(CHUNK) {
        row::Entity::insert_many(chunk.iter().cloned().map(active))
            .on_conflict(widen())
            .exec_without_returning(transaction)
            .await?;
    }
    Ok(())
}

/// The fingerprint of an error of this function, and its pattern.
pub(super) fn of_error(function: &str, kind: &str, message: &str) -> (Fingerprint, String) {
    let pattern = pattern(message);
    (Fingerprint::of(function, kind, &pattern), pattern)
}

/// The failure that this event tells of, and its job.
pub(super) fn seen(event: &JobEvent, queue: &QueueName) -> Option<(JobId, row::Model)> {
    let JobEvent::Finished(finished) = event else {
        return None;
    };
    let (Outcome::Retrying { error, .. } | Outcome::Dead { error }) = &finished.outcome else {
        return None;
    };
    let kind = error.kind.as_str();
    let (fingerprint, pattern) = of_error(&finished.function, kind, &storable(&error.message));
    let at = finished.finished_at.trunc_subsecs(3);
    let row = row::Model {
        fingerprint: fingerprint.to_string(),
        function: storable(&finished.function),
        queue: queue.to_string(),
        kind: kind.to_owned(),
        pattern,
        first_seen_at: at,
        last_seen_at: at,
    };
    Some((finished.id, row))
}

/// A known failure was first seen at the earlier of two times, and last at the later one.
fn widen() -> OnConflict {
    let stored = |column: row::Column| Expr::col((row::Entity, column));
    let new = |column: row::Column| Expr::col(("excluded", column));
    let (first, last) = (row::Column::FirstSeenAt, row::Column::LastSeenAt);
    let mut conflict = OnConflict::column(row::Column::Fingerprint);
    let earlier = CaseStatement::new().case(new(first).lt(stored(first)), new(first));
    conflict.value(first, earlier.finally(stored(first)));
    let later = CaseStatement::new().case(new(last).gt(stored(last)), new(last));
    conflict.value(last, later.finally(stored(last)));
    conflict
}

fn active(row: row::Model) -> row::ActiveModel {
    row::ActiveModel {
        fingerprint: Set(row.fingerprint),
        function: Set(row.function),
        queue: Set(row.queue),
        kind: Set(row.kind),
        pattern: Set(row.pattern),
        first_seen_at: Set(row.first_seen_at),
        last_seen_at: Set(row.last_seen_at),
    }
}
