//! The table `batches`: many jobs that were called as one. Its rows, and the queries that read them; [`insert`] makes
//! them, [`close`] ends them, `prune` deletes them.

pub mod close;
pub mod insert;
#[cfg(test)]
mod plans;

use std::{collections::HashMap, fmt, str::FromStr};

use chrono::{DateTime, Utc};
use jobs::job::{JobId, JobState, QueueName};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, FromQueryResult, Iterable, QueryFilter,
    QueryOrder, QuerySelect, Select, sea_query::Expr,
};
use serde::Deserialize;

use super::jobs::{UnfinishedJob, row as job_row};
use super::{Store, StoreError};
use crate::domain::ids::BatchId;

pub(super) mod row {
    use sea_orm::entity::prelude::*;

    use crate::db::json::JsonText;

    #[expect(unreachable_pub, reason = "what is derived from it is public")]
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "batches")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub total: i32,
        pub duplicates: i32,
        pub on_finish_job_id: Option<String>,
        #[sea_orm(column_type = "JsonBinary", nullable)]
        pub(in crate::db) on_finish: Option<JsonText>,
        pub completed: Option<i32>,
        pub dead: Option<i32>,
        pub cancelled: Option<i32>,
        pub created_at: DateTimeUtc,
        pub finished_at: Option<DateTimeUtc>,
    }

    #[expect(unreachable_pub, reason = "the derived entity, which is public, names it")]
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Many jobs that were called as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    pub id: BatchId,
    /// How many jobs were made.
    pub total: u64,
    /// How many were not made, because the job of an earlier call has their `unique_key`.
    pub duplicates: u64,
    /// How the jobs stand; of a finished batch, how they stood when it finished.
    pub counts: Counts,
    pub on_finish: Option<OnFinish>,
    pub created_at: DateTime<Utc>,
    /// When all jobs were found finished. What becomes of one of them later does not change it.
    pub finished_at: Option<DateTime<Utc>>,
}

/// What is called when all jobs of a batch are finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnFinish {
    pub function: String,
    /// The job that the call became when the batch finished.
    pub job: Option<JobId>,
}

/// How many jobs are in each state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    pub scheduled: u64,
    pub queued: u64,
    pub running: u64,
    pub retrying: u64,
    pub completed: u64,
    pub dead: u64,
    pub cancelled: u64,
}

/// A part of the list of batches, newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchPage {
    pub batches: Vec<Batch>,
    /// The cursor of the next page; `None` on the last one.
    pub next: Option<BatchId>,
}

impl Counts {
    fn of(&mut self, state: JobState) -> &mut u64 {
        match state {
            JobState::Scheduled => &mut self.scheduled,
            JobState::Queued => &mut self.queued,
            JobState::Running => &mut self.running,
            JobState::Retrying => &mut self.retrying,
            JobState::Completed => &mut self.completed,
            JobState::Dead => &mut self.dead,
            JobState::Cancelled => &mut self.cancelled,
        }
    }

    /// How many are not finished.
    pub fn unfinished(&self) -> u64 {
        self.scheduled + self.queued + self.running + self.retrying
    }
}

impl Store {
    pub async fn batch_get(&self, id: BatchId) -> Result<Option<Batch>, StoreError> {
        let query = without_inputs(row::Entity::find_by_id(id.to_string()), self.backend());
        let row = self.bounded("batch_get", query.one(&self.database)).await?;
        let rows = self.with_counts(row.into_iter().collect()).await?;
        Ok(rows.into_iter().next())
    }

    /// Newest first, older than `cursor`.
    pub async fn batch_list(&self, cursor: Option<BatchId>, limit: u64) -> Result<BatchPage, StoreError> {
        let query = without_inputs(list(cursor, limit), self.backend());
        let mut rows = self
            .bounded_search("batch_list", query.all(&self.database))
            .await?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let batches = self.with_counts(rows).await?;
        Ok(BatchPage {
            next: batches.last().filter(|_| more).map(|batch| batch.id),
            batches,
        })
    }

    /// The jobs of a batch that have no outcome and are younger than `after`, oldest first.
    pub async fn batch_unfinished(
        &self,
        id: BatchId,
        after: Option<JobId>,
        limit: u64,
    ) -> Result<Vec<UnfinishedJob>, StoreError> {
        let query = unfinished(id, after, limit).into_tuple::<(String, String, String, i32)>();
        let rows = self
            .bounded("batch_unfinished", query.all(&self.database))
            .await?;
        rows.into_iter()
            .map(|(job, queue, function, attempt)| {
                Ok(UnfinishedJob {
                    id: parsed::<JobId>(&job, "job", &job)?,
                    queue: parsed::<QueueName>(&job, "queue", &queue)?,
                    function,
                    attempt: u32::try_from(attempt).unwrap_or_default(),
                })
            })
            .collect()
    }

    /// The rows as batches: those under way with the states of their jobs as they are now.
    async fn with_counts(&self, rows: Vec<row::Model>) -> Result<Vec<Batch>, StoreError> {
        let open: Vec<&str> = rows
            .iter()
            .filter(|row| row.finished_at.is_none())
            .map(|row| row.id.as_str())
            .collect();
        let counted = if open.is_empty() {
            Vec::new()
        } else {
            self.bounded_search("batch_counts", counts(&self.database, &open))
                .await?
        };
        let mut counts = tally(counted)?;
        rows.into_iter()
            .map(|row| {
                let counts = counts.remove(&row.id).unwrap_or_default();
                batch(row, counts)
            })
            .collect()
    }
}

fn list(cursor: Option<BatchId>, limit: u64) -> Select<row::Entity> {
    let mut query = row::Entity::find();
    if let Some(cursor) = cursor {
        query = query.filter(row::Column::Id.lt(cursor.to_string()));
    }
    // One more than asked for tells whether there is a next page.
    query
        .order_by_desc(row::Column::Id)
        .limit(limit.saturating_add(1))
}

/// The same rows without the inputs of their calls, which may be large and which nobody sees here.
fn without_inputs(query: Select<row::Entity>, backend: DbBackend) -> Select<row::Entity> {
    let others = row::Column::iter().filter(|column| !matches!(column, row::Column::OnFinish));
    let call = if backend == DbBackend::Postgres {
        "\"batches\".\"on_finish\" - 'input'"
    } else {
        "json_remove(\"batches\".\"on_finish\", '$.input')"
    };
    query
        .select_only()
        .columns(others)
        .column_as(Expr::cust(call), row::Column::OnFinish)
}

fn unfinished(id: BatchId, after: Option<JobId>, limit: u64) -> Select<job_row::Entity> {
    let mut query = job_row::Entity::find()
        .select_only()
        .columns([
            job_row::Column::Id,
            job_row::Column::Queue,
            job_row::Column::Function,
            job_row::Column::Attempt,
        ])
        .filter(job_row::Column::BatchId.eq(id.to_string()))
        .filter(job_row::Column::FinishedAt.is_null());
    if let Some(after) = after {
        query = query.filter(job_row::Column::Id.gt(after.to_string()));
    }
    query.order_by_asc(job_row::Column::Id).limit(limit)
}

#[derive(Debug, FromQueryResult)]
struct Counted {
    batch_id: String,
    state: String,
    jobs: i64,
}

fn counting(batches: &[&str]) -> Select<job_row::Entity> {
    job_row::Entity::find()
        .select_only()
        .columns([job_row::Column::BatchId, job_row::Column::State])
        .column_as(job_row::Column::Id.count(), "jobs")
        .filter(job_row::Column::BatchId.is_in(batches.iter().copied()))
        .group_by(job_row::Column::BatchId)
        .group_by(job_row::Column::State)
}

async fn counts(database: &impl ConnectionTrait, batches: &[&str]) -> Result<Vec<Counted>, DbErr> {
    counting(batches).into_model::<Counted>().all(database).await
}

fn tally(counted: Vec<Counted>) -> Result<HashMap<String, Counts>, StoreError> {
    let mut tally = HashMap::<String, Counts>::new();
    for row in counted {
        let state = parsed::<JobState>(&row.batch_id, "state", &row.state)?;
        *tally.entry(row.batch_id).or_default().of(state) += row.jobs.unsigned_abs();
    }
    Ok(tally)
}

fn batch(row: row::Model, counts: Counts) -> Result<Batch, StoreError> {
    let number = |count: i32| u64::from(count.unsigned_abs());
    let of = |count: Option<i32>| count.map(number).unwrap_or_default();
    let counts = if row.finished_at.is_some() {
        Counts {
            completed: of(row.completed),
            dead: of(row.dead),
            cancelled: of(row.cancelled),
            ..Counts::default()
        }
    } else {
        counts
    };
    let job = row
        .on_finish_job_id
        .map(|job| parsed(&row.id, "on_finish_job_id", &job))
        .transpose()?;
    let on_finish = row.on_finish.map(|call| {
        let named: Named =
            serde_json::from_str(call.0.text()).map_err(|error| unreadable(&row.id, "on_finish", &error))?;
        Ok::<_, StoreError>(OnFinish {
            function: named.function,
            job,
        })
    });
    Ok(Batch {
        id: parsed(&row.id, "id", &row.id)?,
        total: number(row.total),
        duplicates: number(row.duplicates),
        counts,
        on_finish: on_finish.transpose()?,
        created_at: row.created_at,
        finished_at: row.finished_at,
    })
}

/// The part of a call that everybody sees.
#[derive(Deserialize)]
struct Named {
    function: String,
}

fn parsed<T: FromStr>(row: &str, column: &str, text: &str) -> Result<T, StoreError>
where
    T::Err: fmt::Display,
{
    text.parse().map_err(|error| unreadable(row, column, &error))
}

fn unreadable(row: &str, column: &str, error: &impl fmt::Display) -> StoreError {
    StoreError::Row {
        row: format!("batch {row}"),
        problem: format!("{column}: {error}"),
    }
}
