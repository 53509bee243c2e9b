//! The end of a batch: its counts, the time, and the job that it calls for, in one transaction. Any number of processes
//! may try; one of them does it.

use chrono::SubsecRound;
use jobs::clock;
use jobs::job::JobId;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select,
    sea_query::{Expr, ExprTrait, Query, SelectStatement, UpdateStatement},
};
use serde_json::json;

use super::insert::Call;
use super::{Counts, counts, job_row, parsed, row, tally, unreadable};
use crate::db::jobs::insert::insert;
use crate::db::jobs::{Job, NewJob};
use crate::db::{Store, StoreError};
use crate::domain::ids::BatchId;

/// What came of a batch that was closed just now.
#[derive(Debug, Clone, PartialEq)]
pub struct Closed {
    /// The job that was called for.
    pub job: Option<Job>,
}

/// What the input of the function that a batch calls for gets as its field `batch`.
pub fn summary(id: BatchId, total: u64, counts: &Counts) -> serde_json::Value {
    json!({
        "id": id.to_string(),
        "total": total,
        "completed": counts.completed,
        "dead": counts.dead,
        "cancelled": counts.cancelled,
    })
}

impl Store {
    /// Batches that are not closed and younger than `after`, oldest first.
    pub async fn batch_open(&self, after: Option<BatchId>, limit: u64) -> Result<Vec<BatchId>, StoreError> {
        let query = open(after, limit).into_tuple::<String>();
        let ids = self.bounded("batch_open", query.all(&self.database)).await?;
        ids.iter().map(|id| parsed(id, "id", id)).collect()
    }

    /// Those of `ids` that can be closed: all their jobs are finished.
    pub async fn batch_done(&self, ids: &[BatchId]) -> Result<Vec<BatchId>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let statement = done(ids);
        let rows = self
            .bounded("batch_done", self.database.query_all(&statement))
            .await?;
        rows.into_iter()
            .map(|row| {
                let id: String = row
                    .try_get_by_index(0)
                    .map_err(|source| StoreError::new("batch_done", source))?;
                parsed(&id, "id", &id)
            })
            .collect()
    }

    /// Closes the batch and inserts the job that it calls for. `None` when a job is unfinished, or somebody has closed
    /// it before.
    pub async fn batch_close(&self, id: BatchId) -> Result<Option<Closed>, StoreError> {
        let turn = self.write_turn().await?;
        let closing = async {
            let transaction = self.begin().await?;
            let counted = counts(&transaction, &[&id.to_string()]).await?;
            let counts = match tally(counted) {
                Ok(mut tally) => tally.remove(&id.to_string()).unwrap_or_default(),
                Err(error) => return Ok(Err(error)),
            };
            if counts.unfinished() > 0 {
                return Ok(Ok(None));
            }
            let Some(row) = row::Entity::find_by_id(id.to_string()).one(&transaction).await? else {
                return Ok(Ok(None));
            };
            let job = match call(&row, id, &counts) {
                Ok(job) => job,
                Err(error) => return Ok(Err(error)),
            };
            let closing = close(id, &counts, job.as_ref().map(|job| job.id));
            if transaction.query_one(&closing).await?.is_none() {
                return Ok(Ok(None));
            }
            let insertion = match job {
                Some(job) => Some(insert(&transaction, &[job], clock::now()).await?),
                None => None,
            };
            transaction.commit().await?;
            Ok::<_, DbErr>(Ok(Some(insertion)))
        };
        let closed = self.bounded("batch_close", closing).await??;
        drop(turn);
        Ok(closed.map(|insertion| Closed {
            job: insertion.and_then(|insertion| insertion.made.into_iter().next()),
        }))
    }
}

/// The job that the batch calls for.
fn call(row: &row::Model, id: BatchId, counts: &Counts) -> Result<Option<NewJob>, StoreError> {
    let Some(call) = &row.on_finish else {
        return Ok(None);
    };
    let call: Call =
        serde_json::from_str(call.0.text()).map_err(|error| unreadable(&row.id, "on_finish", &error))?;
    let total = u64::from(row.total.unsigned_abs());
    Ok(Some(call.into_job("batch", summary(id, total, counts))))
}

pub(super) fn open(after: Option<BatchId>, limit: u64) -> Select<row::Entity> {
    let mut query = row::Entity::find()
        .select_only()
        .column(row::Column::Id)
        .filter(row::Column::FinishedAt.is_null());
    if let Some(after) = after {
        query = query.filter(row::Column::Id.gt(after.to_string()));
    }
    query.order_by_asc(row::Column::Id).limit(limit)
}

/// As a subquery for each batch, and not as NOT EXISTS, which PostgreSQL may turn into a walk over the unfinished jobs of
/// all batches.
pub(super) fn done(ids: &[BatchId]) -> SelectStatement {
    let mut unfinished = Query::select();
    unfinished
        .column((job_row::Entity, job_row::Column::Id))
        .from(job_row::Entity)
        .and_where(
            Expr::col((job_row::Entity, job_row::Column::BatchId))
                .eq(Expr::col((row::Entity, row::Column::Id))),
        )
        .and_where(Expr::col((job_row::Entity, job_row::Column::FinishedAt)).is_null())
        .limit(1);
    let mut done = Query::select();
    done.column((row::Entity, row::Column::Id))
        .from(row::Entity)
        .and_where(Expr::col((row::Entity, row::Column::Id)).is_in(ids.iter().map(BatchId::to_string)))
        .and_where(Expr::col((row::Entity, row::Column::FinishedAt)).is_null())
        .and_where(Expr::from(unfinished).is_null());
    done
}

/// Of those who try at once, one finds the batch open.
fn close(id: BatchId, counts: &Counts, job: Option<JobId>) -> UpdateStatement {
    let number = |count: u64| i32::try_from(count).unwrap_or(i32::MAX);
    let mut close = Query::update();
    close
        .table(row::Entity)
        .value(row::Column::FinishedAt, clock::now().trunc_subsecs(3))
        .value(row::Column::OnFinishJobId, job.map(|id| id.to_string()))
        .value(row::Column::Completed, number(counts.completed))
        .value(row::Column::Dead, number(counts.dead))
        .value(row::Column::Cancelled, number(counts.cancelled))
        .and_where(Expr::col(row::Column::Id).eq(id.to_string()))
        .and_where(Expr::col(row::Column::FinishedAt).is_null())
        .returning_col(row::Column::Id);
    close
}
