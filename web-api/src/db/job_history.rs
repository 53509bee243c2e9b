//! The table `job_history`: what people have done to jobs. A row is written in the transaction that does it; a cancellation,
//! which Redis may carry out, before it is asked for.

use std::collections::HashSet;
use std::str::FromStr;

use chrono::{DateTime, SubsecRound as _, Utc};
use jobs::clock;
use jobs::job::{JobId, JobState, QueueName};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect, Set, sea_query::OnConflict,
};

use super::jobs::{FINAL, UnfinishedJob, parsed, row as job};
use super::{Store, StoreError, attempts};
use crate::db::values::saturated;

/// Rows in one statement.
const CHUNK: usize = 500;
/// Entries of one job that are read: more were made by a program.
const MOST: u64 = 1_000;

pub(super) mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "job_history")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub job_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub at: DateTimeUtc,
        pub action: String,
        pub role: Option<String>,
        pub address: Option<String>,
        pub job_action_id: Option<String>,
        pub attempt: i32,
        pub state: Option<String>,
        pub ended_at: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Somebody, as far as it is known who.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    pub role: String,
    pub address: String,
}

/// Why something happens to jobs: somebody wants it, for one of them or for many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// The same when it is done once more to the same job: then it is not told twice.
    pub id: JobId,
    pub actor: Option<Actor>,
    pub job_action: Option<JobId>,
}

/// What somebody does to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManualAction {
    Retry,
    RunNow,
    Change,
    Cancel,
}

/// Something that somebody has done to a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    pub at: DateTime<Utc>,
    pub action: ManualAction,
    pub actor: Option<Actor>,
    pub job_action: Option<JobId>,
    /// Attempts that had been made until then.
    pub attempt: u32,
    /// The state that a retry has ended.
    pub state: Option<JobState>,
    /// When the job had reached it.
    pub ended_at: Option<DateTime<Utc>>,
}

/// A job that has ended, before it is retried.
pub(super) struct Ended {
    id: String,
    state: String,
    attempt: i32,
    worker: Option<String>,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
}

impl Cause {
    pub fn by(actor: Actor) -> Self {
        Self {
            id: JobId::new(),
            actor: Some(actor),
            job_action: None,
        }
    }

    /// Nobody has said who wants it.
    pub fn unknown() -> Self {
        Self {
            id: JobId::new(),
            actor: None,
            job_action: None,
        }
    }

    fn row(&self, job: &str, action: ManualAction, at: DateTime<Utc>, attempt: i32) -> row::Model {
        let (role, address) = self
            .actor
            .clone()
            .map(|actor| (actor.role, actor.address))
            .unzip();
        row::Model {
            job_id: job.to_owned(),
            id: self.id.to_string(),
            at: at.trunc_subsecs(3),
            action: action.as_str().to_owned(),
            role,
            address,
            job_action_id: self.job_action.map(|id| id.to_string()),
            attempt,
            state: None,
            ended_at: None,
        }
    }
}

impl ManualAction {
    const ALL: [Self; 4] = [Self::Retry, Self::RunNow, Self::Change, Self::Cancel];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::RunNow => "run_now",
            Self::Change => "change",
            Self::Cancel => "cancel",
        }
    }
}

impl FromStr for ManualAction {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let action = Self::ALL.into_iter().find(|action| action.as_str() == text);
        action.ok_or_else(|| format!("{text:?} is no action"))
    }
}

impl Store {
    /// What people have done to a job, the first thing first.
    pub async fn job_history_list(&self, job: JobId) -> Result<Vec<HistoryEntry>, StoreError> {
        let query = row::Entity::find()
            .filter(row::Column::JobId.eq(job.to_string()))
            .order_by_asc(row::Column::At)
            .order_by_asc(row::Column::Id)
            .limit(MOST);
        let rows = self
            .bounded("job_history_list", query.all(&self.database))
            .await?;
        rows.into_iter().map(HistoryEntry::try_from).collect()
    }

    /// Writes that somebody wants these jobs cancelled. The same cause once more changes nothing.
    pub async fn job_history_cancel(&self, jobs: &[UnfinishedJob], cause: &Cause) -> Result<(), StoreError> {
        let now = clock::now();
        let rows: Vec<row::Model> = jobs
            .iter()
            .map(|job| {
                cause.row(
                    &job.id.to_string(),
                    ManualAction::Cancel,
                    now,
                    saturated(job.attempt),
                )
            })
            .collect();
        if rows.is_empty() {
            return Ok(());
        }
        let _turn = self.write_turn().await?;
        self.bounded("job_history_cancel", insert(&self.database, rows))
            .await
    }
}

/// The job as it is told by its row: `job_run_now` and `job_edit` write this in their transaction.
pub(super) async fn note(
    transaction: &DatabaseTransaction,
    job: JobId,
    attempt: i32,
    action: ManualAction,
    cause: &Cause,
) -> Result<(), DbErr> {
    let row = cause.row(&job.to_string(), action, clock::now(), attempt);
    insert(transaction, vec![row]).await
}

/// Those of `ids` that have ended, locked in the order of their ids: what a retry takes out of their rows is kept.
pub(super) async fn ended(
    transaction: &DatabaseTransaction,
    queue: &QueueName,
    ids: &[JobId],
) -> Result<Vec<Ended>, DbErr> {
    type Columns = (
        String,
        String,
        i32,
        Option<String>,
        Option<DateTime<Utc>>,
        Option<DateTime<Utc>>,
    );
    let mut query = job::Entity::find()
        .select_only()
        .columns([
            job::Column::Id,
            job::Column::State,
            job::Column::Attempt,
            job::Column::Worker,
            job::Column::StartedAt,
            job::Column::FinishedAt,
        ])
        .filter(job::Column::Id.is_in(ids.iter().map(JobId::to_string)))
        .filter(job::Column::Queue.eq(queue.as_str()))
        .filter(job::Column::State.is_in(FINAL.map(JobState::as_str)))
        .order_by_asc(job::Column::Id);
    if transaction.get_database_backend() == DbBackend::Postgres {
        query = query.lock_exclusive();
    }
    let rows = query.into_tuple::<Columns>().all(transaction).await?;
    let ended = rows
        .into_iter()
        .map(|(id, state, attempt, worker, started_at, finished_at)| Ended {
            id,
            state,
            attempt,
            worker,
            started_at,
            finished_at,
        });
    Ok(ended.collect())
}

/// Keeps what the rows of those that were retried no longer tell: how they had ended, and their last attempt, when that
/// one did not fail.
pub(super) async fn retried(
    transaction: &DatabaseTransaction,
    ended: Vec<Ended>,
    retried: &HashSet<String>,
    at: DateTime<Utc>,
    cause: &Cause,
) -> Result<(), DbErr> {
    let (mut attempts, mut entries) = (Vec::new(), Vec::new());
    for job in ended.into_iter().filter(|job| retried.contains(&job.id)) {
        entries.push(row::Model {
            state: Some(job.state.clone()),
            ended_at: job.finished_at,
            ..cause.row(&job.id, ManualAction::Retry, at, job.attempt)
        });
        if let (true, Some(started_at), Some(finished_at)) = (
            job.state != JobState::Dead.as_str(),
            job.started_at,
            job.finished_at,
        ) {
            attempts.push(attempts::row::Model {
                job_id: job.id,
                attempt: job.attempt,
                worker: job.worker.unwrap_or_default(),
                started_at: Some(started_at),
                finished_at,
                error_kind: String::new(),
                error_message: String::new(),
                outcome: Some(job.state),
            });
        }
    }
    attempts::write(transaction, attempts).await?;
    insert(transaction, entries).await
}

/// Forgets what was done to jobs that are deleted.
pub(super) async fn delete(transaction: &DatabaseTransaction, jobs: &[String]) -> Result<(), DbErr> {
    row::Entity::delete_many()
        .filter(row::Column::JobId.is_in(jobs))
        .exec(transaction)
        .await
        .map(drop)
}

async fn insert(connection: &impl ConnectionTrait, rows: Vec<row::Model>) -> Result<(), DbErr> {
    for chunk in rows.chunks(CHUNK) {
        let rows = chunk.iter().cloned().map(|row| row::ActiveModel {
            job_id: Set(row.job_id),
            id: Set(row.id),
            at: Set(row.at),
            action: Set(row.action),
            role: Set(row.role),
            address: Set(row.address),
            job_action_id: Set(row.job_action_id),
            attempt: Set(row.attempt),
            state: Set(row.state),
            ended_at: Set(row.ended_at),
        });
        row::Entity::insert_many(rows)
            .on_conflict(OnConflict::new().do_nothing().to_owned())
            .exec_without_returning(connection)
            .await?;
    }
    Ok(())
}

impl TryFrom<row::Model> for HistoryEntry {
    type Error = StoreError;

    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        let job = &row.job_id;
        Ok(Self {
            at: row.at,
            action: parsed(job, "action", &row.action)?,
            actor: row
                .role
                .zip(row.address)
                .map(|(role, address)| Actor { role, address }),
            job_action: row
                .job_action_id
                .map(|id| parsed(job, "job_action_id", &id))
                .transpose()?,
            attempt: row.attempt.unsigned_abs(),
            state: row.state.map(|state| parsed(job, "state", &state)).transpose()?,
            ended_at: row.ended_at,
        })
    }
}
