//! The table `log_lines`: what functions said while they ran.

use chrono::{DateTime, SubsecRound, Utc};
use jobs::{
    job::JobId,
    queue::events::{JobEvent, Notes},
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait, OnConflict},
};

use super::{Store, StoreError};
use crate::db::values::saturated;
use crate::db::values::storable;

/// Rows in one statement.
const CHUNK: usize = 500;

pub(super) mod row {
    use sea_orm::entity::prelude::*;

    #[expect(unreachable_pub, reason = "what is derived from it is public")]
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "log_lines")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub job_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub attempt: i32,
        #[sea_orm(primary_key, auto_increment = false)]
        pub number: i32,
        pub at: DateTimeUtc,
        pub text: String,
    }

    #[expect(unreachable_pub, reason = "the derived entity, which is public, names it")]
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A line that a function logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    pub attempt: u32,
    /// Its place among the lines of the attempt, counted from 1.
    pub number: u32,
    pub at: DateTime<Utc>,
    pub text: String,
}

impl Store {
    /// The lines of all attempts of a job, in their order, at most `limit` of them.
    pub async fn log_line_list(&self, job: JobId, limit: u64) -> Result<Vec<LogLine>, StoreError> {
        let query = row::Entity::find()
            .filter(row::Column::JobId.eq(job.to_string()))
            .order_by_asc(row::Column::Attempt)
            .order_by_asc(row::Column::Number)
            .limit(limit);
        let rows = self
            .bounded_search("log_line_list", query.all(&self.database))
            .await?;
        let lines = rows.into_iter().map(|row| LogLine {
            attempt: row.attempt.unsigned_abs(),
            number: row.number.unsigned_abs(),
            at: row.at,
            text: row.text,
        });
        Ok(lines.collect())
    }
}

/// Writes what was logged. The same once more changes nothing.
pub(super) async fn write(transaction: &DatabaseTransaction, rows: Vec<row::Model>) -> Result<(), DbErr> {
    for chunk in rows.chunks(CHUNK) {
        let rows = chunk.iter().cloned().map(IntoActiveModel::into_active_model);
        row::Entity::insert_many(rows.map(ActiveModelTrait::reset_all))
            .on_conflict(newest())
            .exec_without_returning(transaction)
            .await?;
    }
    Ok(())
}

/// An attempt that was given back is made again under its number, and its lines are counted from 1 again.
fn newest() -> OnConflict {
    let new = |column: row::Column| Expr::col(("excluded", column));
    OnConflict::columns([row::Column::JobId, row::Column::Attempt, row::Column::Number])
        .update_columns([row::Column::At, row::Column::Text])
        .action_and_where(new(row::Column::At).gt(Expr::col(("log_lines", row::Column::At))))
        .to_owned()
}

/// The lines that come with this event, and their job.
pub(super) fn lines_of(event: &JobEvent) -> Vec<(JobId, row::Model)> {
    let (id, attempt, notes): (JobId, u32, &Notes) = match event {
        JobEvent::Noted { id, attempt, notes } => (*id, *attempt, notes),
        JobEvent::Finished(finished) => (finished.id, finished.attempt, &finished.notes),
        JobEvent::Queued { .. }
        | JobEvent::QueuedMany { .. }
        | JobEvent::Started { .. }
        | JobEvent::Returned { .. }
        | JobEvent::Cancelled { .. }
        | JobEvent::Promoted { .. }
        | JobEvent::Again { .. } => return Vec::new(),
    };
    let lines = notes.lines.iter().map(|line| {
        let row = row::Model {
            job_id: id.to_string(),
            attempt: saturated(attempt),
            number: saturated(line.number),
            at: line.at.trunc_subsecs(3),
            text: storable(&line.text),
        };
        (id, row)
    });
    lines.collect()
}
