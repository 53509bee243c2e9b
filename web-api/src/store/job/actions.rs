//! What an operator does to jobs: run again what had ended, run now what waits for its time, another input. Each is one
//! guarded statement: a row that is not in the state it takes is left as it is.

use chrono::{DateTime, SubsecRound, Utc};
use jobs::job::{JobId, JobState, QueueName};
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, UpdateMany,
    sea_query::{Expr, ExprTrait},
};
use serde_json::Value;

use super::{
    FINAL, Job,
    row::{Column, Entity},
};
use crate::store::{Store, StoreError};

/// The states in which a job waits for a time.
const FOR_A_TIME: [&str; 2] = [JobState::Scheduled.as_str(), JobState::Retrying.as_str()];

impl Store {
    /// Puts those of `ids`, all of one queue, that have ended into the backlog, with as many attempts as they had in
    /// the beginning, and returns them. `now` is by the clock of the queue: no event that is older concerns them.
    pub async fn job_run_again(
        &self,
        queue: &QueueName,
        ids: &[JobId],
        now: DateTime<Utc>,
    ) -> Result<Vec<Job>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let statement = run_again(queue, ids, now);
        self.changed("job_run_again", statement).await
    }

    /// Makes a job that SQL keeps and that waits for its time due now. `None` when it is not such a job any more.
    pub async fn job_run_now(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        let statement = due_now(id)
            .col_expr(Column::ParkedUntil, Expr::value(Option::<DateTime<Utc>>::None))
            .filter(Column::DispatchedAt.is_null());
        Ok(self.changed("job_run_now", statement).await?.pop())
    }

    /// Writes that a job, which was seen after `attempt` attempts, has become due in Redis.
    pub async fn job_is_due(&self, id: JobId, attempt: u32) -> Result<(), StoreError> {
        let statement = due_now(id).filter(Column::Attempt.eq(super::insert::saturated(attempt)));
        self.changed("job_is_due", statement).await?;
        Ok(())
    }

    /// Gives a job that SQL keeps another input. `None` when SQL does not keep it any more.
    pub async fn job_edit_kept(&self, id: JobId, input: Value) -> Result<Option<Job>, StoreError> {
        let statement = edit(id, input)
            .filter(Column::FinishedAt.is_null())
            .filter(Column::DispatchedAt.is_null());
        Ok(self.changed("job_edit", statement).await?.pop())
    }

    /// Writes the input that a job has in Redis already.
    pub async fn job_edited(&self, id: JobId, input: Value) -> Result<Option<Job>, StoreError> {
        Ok(self.changed("job_edit", edit(id, input)).await?.pop())
    }

    async fn changed(
        &self,
        operation: &'static str,
        statement: UpdateMany<Entity>,
    ) -> Result<Vec<Job>, StoreError> {
        let _turn = self.write_turn().await;
        let rows = self
            .bounded(operation, statement.exec_with_returning(&self.database))
            .await?;
        rows.into_iter().map(Job::try_from).collect()
    }
}

fn run_again(queue: &QueueName, ids: &[JobId], now: DateTime<Utc>) -> UpdateMany<Entity> {
    let no_time = || Expr::value(Option::<DateTime<Utc>>::None);
    let no_number = || Expr::value(Option::<i64>::None);
    // Attempts are counted on, so that each has a number of its own in the history and in Redis.
    let attempts = Expr::col(Column::MaxAttempts).sub(Expr::col(Column::AttemptsBefore));
    Entity::update_many()
        .col_expr(Column::State, Expr::value(JobState::Queued.as_str()))
        .col_expr(Column::MaxAttempts, Expr::col(Column::Attempt).add(attempts))
        .col_expr(Column::AttemptsBefore, Expr::col(Column::Attempt))
        .col_expr(Column::AgainAt, Expr::value(now))
        .col_expr(Column::RunAt, no_time())
        .col_expr(Column::StartedAt, no_time())
        .col_expr(Column::FinishedAt, no_time())
        .col_expr(Column::Worker, Expr::value(Option::<String>::None))
        .col_expr(Column::DispatchedAt, no_time())
        .col_expr(Column::ParkedUntil, no_time())
        .col_expr(Column::Output, Expr::value(Option::<Value>::None))
        .col_expr(Column::OutputSize, no_number())
        .col_expr(Column::OutputLength, no_number())
        .col_expr(Column::OutputPreview, Expr::value(Option::<String>::None))
        .col_expr(Column::Progress, Expr::value(Option::<f64>::None))
        .filter(Column::Id.is_in(ids.iter().map(JobId::to_string)))
        .filter(Column::Queue.eq(queue.as_str()))
        .filter(Column::State.is_in(FINAL.map(JobState::as_str)))
}

fn due_now(id: JobId) -> UpdateMany<Entity> {
    Entity::update_many()
        .col_expr(Column::State, Expr::value(JobState::Queued.as_str()))
        .col_expr(Column::RunAt, Expr::value(Utc::now().trunc_subsecs(3)))
        .filter(Column::Id.eq(id.to_string()))
        .filter(Column::State.is_in(FOR_A_TIME))
}

fn edit(id: JobId, input: Value) -> UpdateMany<Entity> {
    Entity::update_many()
        .col_expr(Column::Input, Expr::value(input))
        .filter(Column::Id.eq(id.to_string()))
}
