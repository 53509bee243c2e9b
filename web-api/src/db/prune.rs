//! Deletes rows that are no longer needed, a bounded number at a time: finished jobs (with their attempts,
//! history, log lines and tags) and batches past their retention, and expired keys. Walks by the primary key,
//! which rises with time, so that no index is needed for it.
//!
//! Several processes may do it at once: rows that another one is deleting are skipped.

#[cfg(test)]
mod plans;

use chrono::{DateTime, Utc};
use jobs::job::JobId;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait, Select,
    sea_query::{Expr, ExprTrait, LockBehavior, LockType, Query, SelectStatement},
};

use super::attempts::row as attempt;
use super::batches::row as batch;
use super::job_keys::{any_of, row as key};
use super::jobs::row as job;
use super::log_lines::row as log_line;
use super::{Store, StoreError, job_history, tags};

/// One step of the walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pruned {
    /// Rows that were deleted.
    pub deleted: u64,
    /// Where the walk continues; `None` at its end.
    pub next: Option<String>,
}

/// Which keys are deleted with their holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keys {
    /// An operator deletes the job: the same call may be made again from now on.
    All,
    /// The job is past its retention: a key that is held for a time is held for all of it.
    WithoutTime,
}

impl Store {
    /// Reads up to `limit` jobs after `after` that were created before `time`, and deletes those that had
    /// finished by then. Jobs of a batch that is under way are kept: its counts include them.
    pub async fn job_prune(
        &self,
        after: Option<&str>,
        time: DateTime<Utc>,
        limit: u64,
    ) -> Result<Pruned, StoreError> {
        let turn = self.write_turn().await?;
        let pruning = async {
            let page = page::<job::Entity>(job::Column::Id, after, time, limit);
            let page: Vec<String> = page.into_tuple().all(&self.database).await?;
            let Some(last) = page.last() else {
                return Ok((0, page));
            };
            let transaction = self.begin().await?;
            let old = old_jobs(&page[0], last, time);
            let ids = ids(&transaction, locked(old.into_query(), self.backend())).await?;
            let deleted = if ids.is_empty() {
                0
            } else {
                delete_jobs(&transaction, &ids, Keys::WithoutTime).await?
            };
            transaction.commit().await?;
            Ok::<_, DbErr>((deleted, page))
        };
        let (deleted, page) = self.bounded("job_prune", pruning).await?;
        drop(turn);
        Ok(pruned(deleted, page, limit))
    }

    /// Deletes those of `ids` that have ended and that no batch waits for, and returns how many.
    pub async fn job_delete_many(&self, ids: &[JobId]) -> Result<u64, StoreError> {
        if ids.is_empty() {
            return Ok(0);
        }
        let turn = self.write_turn().await?;
        let deleting = async {
            let transaction = self.begin().await?;
            let mut ended = without_batch()
                .filter(job::Column::Id.is_in(ids.iter().map(JobId::to_string)))
                .filter(job::Column::FinishedAt.is_not_null())
                .order_by_asc(job::Column::Id)
                .into_query();
            if self.backend() == DbBackend::Postgres {
                ended.lock(LockType::Update);
            }
            let ids = self::ids(&transaction, ended).await?;
            let deleted = if ids.is_empty() {
                0
            } else {
                delete_jobs(&transaction, &ids, Keys::All).await?
            };
            transaction.commit().await?;
            Ok::<_, DbErr>(deleted)
        };
        let deleted = self.bounded("job_delete_many", deleting).await?;
        drop(turn);
        Ok(deleted)
    }

    /// The same for batches. Their jobs are deleted by their own age.
    pub async fn batch_prune(
        &self,
        after: Option<&str>,
        time: DateTime<Utc>,
        limit: u64,
    ) -> Result<Pruned, StoreError> {
        let turn = self.write_turn().await?;
        let pruning = async {
            let page = page::<batch::Entity>(batch::Column::Id, after, time, limit);
            let page: Vec<String> = page.into_tuple().all(&self.database).await?;
            if page.is_empty() {
                return Ok((0, page));
            }
            let transaction = self.begin().await?;
            let old = batch::Entity::find()
                .select_only()
                .column(batch::Column::Id)
                .filter(batch::Column::Id.is_in(&page))
                .filter(batch::Column::FinishedAt.lt(time));
            let ids = ids(&transaction, locked(old.into_query(), self.backend())).await?;
            if !ids.is_empty() {
                batch::Entity::delete_many()
                    .filter(batch::Column::Id.is_in(&ids))
                    .exec(&transaction)
                    .await?;
                delete_keys_of(&transaction, &ids, Keys::WithoutTime).await?;
            }
            transaction.commit().await?;
            Ok::<_, DbErr>((ids.len() as u64, page))
        };
        let (deleted, page) = self.bounded("batch_prune", pruning).await?;
        drop(turn);
        Ok(pruned(deleted, page, limit))
    }

    /// Deletes up to `limit` expired keys, and returns how many.
    pub async fn job_key_prune(&self, now: DateTime<Utc>, limit: u64) -> Result<u64, StoreError> {
        let turn = self.write_turn().await?;
        let pruning = async {
            let transaction = self.begin().await?;
            let expired = locked(expired_keys(now, limit).into_query(), self.backend());
            let deleted = delete_keys(&transaction, &expired).await?;
            transaction.commit().await?;
            Ok::<_, DbErr>(deleted)
        };
        let deleted = self.bounded("job_key_prune", pruning).await?;
        drop(turn);
        Ok(deleted)
    }
}

fn pruned(deleted: u64, mut page: Vec<String>, limit: u64) -> Pruned {
    let more = page.len() as u64 >= limit;
    Pruned {
        deleted,
        next: page.pop().filter(|_| more),
    }
}

/// Ids of rows that were created before `time`, oldest first.
fn page<E: EntityTrait>(id: E::Column, after: Option<&str>, time: DateTime<Utc>, limit: u64) -> Select<E> {
    let mut query = E::find()
        .select_only()
        .column(id)
        .filter(id.lt(JobId::lower_bound(time).to_string()));
    if let Some(after) = after {
        query = query.filter(id.gt(after));
    }
    query.order_by_asc(id).limit(limit)
}

/// Of the jobs from `first` to `last`, those that had finished by `time` and that no batch waits for.
fn old_jobs(first: &str, last: &str, time: DateTime<Utc>) -> Select<job::Entity> {
    without_batch()
        .filter(job::Column::Id.gte(first))
        .filter(job::Column::Id.lte(last))
        .filter(job::Column::FinishedAt.lt(time))
}

/// The ids of jobs that no batch waits for.
fn without_batch() -> Select<job::Entity> {
    let mut open = Query::select();
    open.column((batch::Entity, batch::Column::Id))
        .from(batch::Entity)
        .and_where(
            Expr::col((batch::Entity, batch::Column::Id)).eq(Expr::col((job::Entity, job::Column::BatchId))),
        )
        .and_where(Expr::col((batch::Entity, batch::Column::FinishedAt)).is_null());
    job::Entity::find()
        .select_only()
        .column(job::Column::Id)
        .filter(job::Column::BatchId.is_null().or(Expr::from(open).is_null()))
}

/// Deletes everything that belongs to a job.
async fn delete_jobs(transaction: &DatabaseTransaction, ids: &[String], keys: Keys) -> Result<u64, DbErr> {
    let deleted = job::Entity::delete_many()
        .filter(job::Column::Id.is_in(ids))
        .exec(transaction)
        .await?;
    attempt::Entity::delete_many()
        .filter(attempt::Column::JobId.is_in(ids))
        .exec(transaction)
        .await?;
    log_line::Entity::delete_many()
        .filter(log_line::Column::JobId.is_in(ids))
        .exec(transaction)
        .await?;
    job_history::delete(transaction, ids).await?;
    tags::delete(transaction, ids).await?;
    delete_keys_of(transaction, ids, keys).await?;
    Ok(deleted.rows_affected)
}

fn expired_keys(now: DateTime<Utc>, limit: u64) -> Select<key::Entity> {
    keys()
        .filter(key::Column::ExpiresAt.lte(now))
        .order_by_asc(key::Column::ExpiresAt)
        .limit(limit)
}

/// Waits for transactions that are taking one of these keys, in the order in which they take them.
async fn delete_keys_of(
    transaction: &DatabaseTransaction,
    holders: &[String],
    which: Keys,
) -> Result<u64, DbErr> {
    let mut query = keys_of(holders, which).into_query();
    if transaction.get_database_backend() == DbBackend::Postgres {
        query.lock(LockType::Update);
    }
    delete_keys(transaction, &query).await
}

fn keys_of(holders: &[String], which: Keys) -> Select<key::Entity> {
    let mut query = keys().filter(key::Column::Holder.is_in(holders));
    if which == Keys::WithoutTime {
        query = query.filter(key::Column::ExpiresAt.is_null());
    }
    query
        .order_by_asc(key::Column::Kind)
        .order_by_asc(key::Column::Function)
        .order_by_asc(key::Column::Key)
}

fn keys() -> Select<key::Entity> {
    key::Entity::find()
        .select_only()
        .columns([key::Column::Kind, key::Column::Function, key::Column::Key])
}

async fn delete_keys(transaction: &DatabaseTransaction, query: &SelectStatement) -> Result<u64, DbErr> {
    let rows = transaction.query_all(query).await?;
    let names = rows
        .iter()
        .map(|row| {
            Ok((
                row.try_get_by_index::<String>(0)?,
                row.try_get_by_index::<String>(1)?,
                row.try_get_by_index::<String>(2)?,
            ))
        })
        .collect::<Result<Vec<_>, DbErr>>()?;
    if names.is_empty() {
        return Ok(0);
    }
    let names = names
        .iter()
        .map(|(kind, function, key)| (kind.as_str(), function.as_str(), key.as_str()));
    let deleted = key::Entity::delete_many()
        .filter(any_of(names))
        .exec(transaction)
        .await?;
    Ok(deleted.rows_affected)
}

async fn ids(transaction: &DatabaseTransaction, query: SelectStatement) -> Result<Vec<String>, DbErr> {
    let rows = transaction.query_all(&query).await?;
    rows.iter().map(|row| row.try_get_by_index(0)).collect()
}

/// Locks the rows that are not locked by another transaction, and skips the others. SQLite has one writer at
/// a time anyway.
fn locked(mut query: SelectStatement, backend: DbBackend) -> SelectStatement {
    if backend == DbBackend::Postgres {
        query.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
    }
    query
}
