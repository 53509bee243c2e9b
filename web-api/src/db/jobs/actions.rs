//! What an operator does to jobs: run again what had ended, run now what waits for its time, another input. Each is one
//! guarded statement: a row that is not in the state it takes is left as it is.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, SubsecRound, Utc};
use jobs::{
    clock,
    job::{JobId, JobState, QueueName},
    json::Json,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait, UpdateMany,
    sea_query::{Expr, ExprTrait, Query},
};

use super::{
    FINAL, Job, light,
    row::{Column, Entity},
};
use crate::db::job_history::{self, Cause, ManualAction};
use crate::db::job_keys::{self, Hold, Kind};
use crate::db::values::saturated;
use crate::db::{Store, StoreError, json};

/// The states in which a job waits for a time.
const FOR_A_TIME: [&str; 2] = [JobState::Scheduled.as_str(), JobState::Retrying.as_str()];

impl Store {
    /// Puts those of `ids`, all of one queue, that have ended into the backlog, with as many attempts as they had in
    /// the beginning, and returns them. `now` is by the clock of the queue: no event that is older concerns them.
    pub async fn job_retry(
        &self,
        queue: &QueueName,
        ids: &[JobId],
        now: DateTime<Utc>,
    ) -> Result<Vec<Job>, StoreError> {
        self.job_retry_by(queue, ids, now, &Cause::unknown()).await
    }

    /// The same, with who wants it: that is written to the history of the jobs, together with how they had ended.
    pub async fn job_retry_by(
        &self,
        queue: &QueueName,
        ids: &[JobId],
        now: DateTime<Utc>,
        cause: &Cause,
    ) -> Result<Vec<Job>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let _turn = self.write_turn().await?;
        let running = async {
            let transaction = self.begin().await?;
            let ended = job_history::ended(&transaction, queue, ids).await?;
            let taken = self.take_keys_for_retry(&transaction, queue, ids).await?;
            let ids = ids.iter().filter(|id| !taken.contains(&id.to_string()));
            let ids: Vec<String> = ids.map(JobId::to_string).collect();
            let mut statement = retry(queue, ids).into_query();
            statement.value(Column::AgainAt, now);
            statement.returning(Query::returning().column(Column::Id));
            let rows = transaction.query_all(&statement).await?;
            let ids = rows.iter().map(|row| row.try_get_by_index::<String>(0));
            let ids = ids.collect::<Result<Vec<_>, _>>()?;
            let again = ids.iter().cloned().collect();
            job_history::retried(&transaction, ended, &again, now, cause).await?;
            let query = Entity::find()
                .filter(Column::Id.is_in(ids))
                .order_by_asc(Column::Id);
            let rows = light::without_inputs(query, self.backend())
                .all(&transaction)
                .await?;
            transaction.commit().await?;
            Ok::<_, DbErr>(rows)
        };
        let rows = self.bounded("job_run_again", running).await?;
        rows.into_iter().map(light::job).collect()
    }

    /// Takes the unique keys of those of `ids` that have ended and had one, until they end once more. Answers the ids of
    /// those whose key another job has now. Rows are locked before keys, as where they are deleted.
    async fn take_keys_for_retry(
        &self,
        transaction: &DatabaseTransaction,
        queue: &QueueName,
        ids: &[JobId],
    ) -> Result<HashSet<String>, DbErr> {
        let mut query = Entity::find()
            .select_only()
            .columns([Column::Id, Column::Function, Column::UniqueKey])
            .filter(Column::Id.is_in(ids.iter().map(JobId::to_string)))
            .filter(Column::Queue.eq(queue.as_str()))
            .filter(Column::State.is_in(FINAL.map(JobState::as_str)))
            .filter(Column::UniqueKey.is_not_null())
            .order_by_asc(Column::Id);
        if self.backend() == DbBackend::Postgres {
            query = query.lock_exclusive();
        }
        let keyed = query
            .into_tuple::<(String, String, String)>()
            .all(transaction)
            .await?;
        let mut wanted = BTreeMap::new();
        for (id, function, key) in &keyed {
            let hold = Hold {
                holder: id.clone(),
                request_hash: None,
                expires_at: None,
            };
            wanted.entry((function.clone(), key.clone())).or_insert(hold);
        }
        let holds = job_keys::claim(transaction, Kind::Unique, &wanted, clock::now()).await?;
        let others = keyed.into_iter().filter(|(id, function, key)| {
            let hold = holds.get(&(function.clone(), key.clone()));
            hold.is_some_and(|hold| hold.holder != *id)
        });
        Ok(others.map(|(id, ..)| id).collect())
    }

    /// The other job that has the unique key of this one, and holds it still.
    pub async fn job_key_holder(&self, job: &Job) -> Result<Option<JobId>, StoreError> {
        let Some(key) = &job.unique_key else {
            return Ok(None);
        };
        let name = (job.function.clone(), key.clone());
        let looking = async {
            let transaction = self.snapshot().await?;
            job_keys::holder(&transaction, Kind::Unique, &name, clock::now()).await
        };
        let holder = self.bounded("job_key_holder", looking).await?;
        Ok(holder
            .and_then(|holder| holder.parse().ok())
            .filter(|holder| *holder != job.id))
    }

    /// Makes a job that SQL keeps and that waits for its time due now. `None` when it is not such a job any more.
    pub async fn job_run_now(&self, id: JobId, cause: &Cause) -> Result<Option<Job>, StoreError> {
        let statement = due_now(id)
            .col_expr(Column::ParkedUntil, Expr::value(Option::<DateTime<Utc>>::None))
            .filter(Column::DispatchedAt.is_null());
        let told = (id, ManualAction::RunNow, cause);
        Ok(self.changed("job_run_now", statement, told).await?.pop())
    }

    /// Writes that a job, which was seen after `attempt` attempts, has become due in Redis.
    pub async fn job_is_due(&self, id: JobId, attempt: u32, cause: &Cause) -> Result<(), StoreError> {
        let statement = due_now(id).filter(Column::Attempt.eq(saturated(attempt)));
        self.changed("job_is_due", statement, (id, ManualAction::RunNow, cause))
            .await?;
        Ok(())
    }

    /// Gives a job that SQL keeps another input. `None` when SQL does not keep it any more.
    pub async fn job_edit_kept(
        &self,
        id: JobId,
        input: &Json,
        cause: &Cause,
    ) -> Result<Option<Job>, StoreError> {
        let statement = edit(self.backend(), id, input)
            .filter(Column::FinishedAt.is_null())
            .filter(Column::DispatchedAt.is_null());
        let told = (id, ManualAction::Change, cause);
        Ok(self.changed("job_edit", statement, told).await?.pop())
    }

    /// Writes the input that a job has in Redis already.
    pub async fn job_edited(
        &self,
        id: JobId,
        input: &Json,
        cause: &Cause,
    ) -> Result<Option<Job>, StoreError> {
        let told = (id, ManualAction::Change, cause);
        let statement = edit(self.backend(), id, input);
        Ok(self.changed("job_edit", statement, told).await?.pop())
    }

    async fn changed(
        &self,
        operation: &'static str,
        statement: UpdateMany<Entity>,
        (id, action, cause): (JobId, ManualAction, &Cause),
    ) -> Result<Vec<Job>, StoreError> {
        let _turn = self.write_turn().await?;
        let changing = async {
            let transaction = self.begin().await?;
            let rows = statement.exec_with_returning(&transaction).await?;
            if let Some(row) = rows.first() {
                job_history::note(&transaction, id, row.attempt, action, cause).await?;
            }
            transaction.commit().await?;
            Ok::<_, DbErr>(rows)
        };
        let rows = self.bounded(operation, changing).await?;
        rows.into_iter().map(Job::try_from).collect()
    }
}

fn retry(queue: &QueueName, ids: Vec<String>) -> UpdateMany<Entity> {
    let no_time = || Expr::value(Option::<DateTime<Utc>>::None);
    let no_number = || Expr::value(Option::<i64>::None);
    // Attempts are counted on, so that each has a number of its own in the history and in Redis.
    let attempts = Expr::col(Column::MaxAttempts).sub(Expr::col(Column::AttemptsBefore));
    Entity::update_many()
        .col_expr(Column::State, Expr::value(JobState::Queued.as_str()))
        .col_expr(Column::MaxAttempts, Expr::col(Column::Attempt).add(attempts))
        .col_expr(Column::AttemptsBefore, Expr::col(Column::Attempt))
        .col_expr(Column::RunAt, no_time())
        .col_expr(Column::StartedAt, no_time())
        .col_expr(Column::FinishedAt, no_time())
        .col_expr(Column::Worker, Expr::value(Option::<String>::None))
        .col_expr(Column::DispatchedAt, no_time())
        .col_expr(Column::ParkedUntil, no_time())
        .col_expr(Column::Output, Expr::cust("NULL"))
        .col_expr(Column::OutputSize, no_number())
        .col_expr(Column::OutputLength, no_number())
        .col_expr(Column::OutputPreview, Expr::value(Option::<String>::None))
        .col_expr(Column::Progress, Expr::value(Option::<f64>::None))
        .filter(Column::Id.is_in(ids))
        .filter(Column::Queue.eq(queue.as_str()))
        .filter(Column::State.is_in(FINAL.map(JobState::as_str)))
}

fn due_now(id: JobId) -> UpdateMany<Entity> {
    Entity::update_many()
        .col_expr(Column::State, Expr::value(JobState::Queued.as_str()))
        .col_expr(Column::RunAt, Expr::value(clock::now().trunc_subsecs(3)))
        .filter(Column::Id.eq(id.to_string()))
        .filter(Column::State.is_in(FOR_A_TIME))
}

fn edit(backend: DbBackend, id: JobId, input: &Json) -> UpdateMany<Entity> {
    let (size, preview) = light::measured(input);
    Entity::update_many()
        .col_expr(Column::Input, json::bound(backend, Some(input)))
        .col_expr(Column::InputSize, Expr::value(size))
        .col_expr(Column::InputPreview, Expr::value(preview))
        .filter(Column::Id.eq(id.to_string()))
}
