//! The table `attempts`: those that failed. An attempt that succeeded, or still runs, is told by the row of its job, until
//! the job is retried.

use chrono::{DateTime, SubsecRound, Utc};
use jobs::{
    job::JobId,
    queue::events::{JobEvent, Outcome, ReturnReason},
};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QueryOrder, Set, sea_query::OnConflict,
};

use super::jobs::JobError;
use super::{Store, StoreError};
use crate::db::values::saturated;
use crate::db::values::storable;

/// Rows in one statement.
const CHUNK: usize = 500;

pub(super) mod row {
    use sea_orm::entity::prelude::*;

    #[expect(unreachable_pub, reason = "what is derived from it is public")]
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "attempts")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub job_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub attempt: i32,
        pub worker: String,
        pub started_at: Option<DateTimeUtc>,
        pub finished_at: DateTimeUtc,
        pub error_kind: String,
        pub error_message: String,
        /// The state in which it left the job, when it did not fail.
        pub outcome: Option<String>,
    }

    #[expect(unreachable_pub, reason = "the derived entity, which is public, names it")]
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// An attempt that ended before the latest one, or failed.
#[derive(Debug, Clone, PartialEq)]
pub struct PastAttempt {
    /// Counted from 1.
    pub number: u32,
    pub worker: String,
    /// Unknown when its worker vanished before it told.
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: DateTime<Utc>,
    pub outcome: PastOutcome,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PastOutcome {
    Failed(JobError),
    Completed,
    Cancelled,
}

impl Store {
    /// The failed attempts of a job, and those of its earlier lives, in their order.
    pub async fn attempt_list(&self, job: JobId) -> Result<Vec<PastAttempt>, StoreError> {
        let query = row::Entity::find()
            .filter(row::Column::JobId.eq(job.to_string()))
            .order_by_asc(row::Column::Attempt);
        let rows = self.bounded("attempt_list", query.all(&self.database)).await?;
        let attempts = rows.into_iter().map(|row| PastAttempt {
            number: row.attempt.unsigned_abs(),
            worker: row.worker,
            started_at: row.started_at,
            finished_at: row.finished_at,
            outcome: match row.outcome.as_deref() {
                Some("completed") => PastOutcome::Completed,
                Some(_) => PastOutcome::Cancelled,
                None => PastOutcome::Failed(JobError {
                    kind: row.error_kind,
                    message: row.error_message,
                }),
            },
        });
        Ok(attempts.collect())
    }
}

/// Writes attempts. The same once more change nothing.
pub(super) async fn write(transaction: &DatabaseTransaction, rows: Vec<row::Model>) -> Result<(), DbErr> {
    for chunk in rows.chunks(CHUNK) {
        row::Entity::insert_many(chunk.iter().cloned().map(active))
            .on_conflict(OnConflict::new().do_nothing().to_owned())
            .exec_without_returning(transaction)
            .await?;
    }
    Ok(())
}

/// The attempt that failed by this event, and its job.
pub(super) fn failed(event: &JobEvent, at: DateTime<Utc>) -> Option<(JobId, row::Model)> {
    let (id, row) = match event {
        JobEvent::Finished(finished) => {
            let (Outcome::Retrying { error, .. } | Outcome::Dead { error }) = &finished.outcome else {
                return None;
            };
            let row = row::Model {
                job_id: finished.id.to_string(),
                attempt: saturated(finished.attempt),
                worker: storable(&finished.worker),
                started_at: Some(finished.started_at.trunc_subsecs(3)),
                finished_at: finished.finished_at.trunc_subsecs(3),
                error_kind: error.kind.as_str().to_owned(),
                error_message: storable(&error.message),
                outcome: None,
            };
            (finished.id, row)
        }
        JobEvent::Returned {
            id,
            attempt,
            reason: ReturnReason::Orphaned,
            worker,
        } => {
            let row = row::Model {
                job_id: id.to_string(),
                attempt: saturated(*attempt),
                worker: storable(worker),
                started_at: None,
                finished_at: at.trunc_subsecs(3),
                error_kind: "crash".to_owned(),
                error_message: format!("the worker {} vanished during this attempt", storable(worker)),
                outcome: None,
            };
            (*id, row)
        }
        // Given back in order: the attempt does not count, and its number is used again.
        JobEvent::Returned {
            reason: ReturnReason::Stopped,
            ..
        }
        | JobEvent::Queued { .. }
        | JobEvent::QueuedMany { .. }
        | JobEvent::Started { .. }
        | JobEvent::Noted { .. }
        | JobEvent::Cancelled { .. }
        | JobEvent::Promoted { .. }
        | JobEvent::Again { .. } => return None,
    };
    Some((id, row))
}

fn active(row: row::Model) -> row::ActiveModel {
    row::ActiveModel {
        job_id: Set(row.job_id),
        attempt: Set(row.attempt),
        worker: Set(row.worker),
        started_at: Set(row.started_at),
        finished_at: Set(row.finished_at),
        error_kind: Set(row.error_kind),
        error_message: Set(row.error_message),
        outcome: Set(row.outcome),
    }
}
