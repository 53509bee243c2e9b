//! New batches: the row, all its jobs and the keys of all callers, in one transaction.

use std::{collections::BTreeMap, time::Duration};

use jobs::clock;
use jobs::{job::QueueName, json::Json};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, Set, sea_query::OnConflict};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Batch, Counts, batch, row};
use crate::db::job_keys::{self, Hold, Kind};
use crate::db::jobs::insert::{Insertion, insert};
use crate::db::jobs::{Idempotency, Job, NewJob};
use crate::db::json::{self, JsonText};
use crate::db::{Store, StoreError};
use crate::domain::ids::BatchId;

/// A batch that is to be.
#[derive(Debug, Clone, PartialEq)]
pub struct NewBatch {
    pub id: BatchId,
    /// Their keys of the request are that of the batch; their `unique_key` is their own.
    pub jobs: Vec<NewJob>,
    /// The job that is made when all of these are finished; it gets its id then.
    pub on_finish: Option<NewJob>,
    pub idempotency: Option<Idempotency>,
}

/// What became of a new batch.
#[derive(Debug, Clone, PartialEq)]
pub enum BatchInserted {
    /// It has its row now, and these jobs theirs.
    Created { batch: Batch, jobs: Vec<Job> },
    /// The same request came before, under the same key: this is its batch.
    Existing(Batch),
    /// The key belongs to another request, whose batch this is.
    KeyReused(BatchId),
    /// The same as [`BatchInserted::Existing`], of a batch that was deleted while its key is still held.
    Gone(BatchId),
}

/// A call that is yet to become a job, as it lies in its batch's row.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Call {
    function: String,
    queue: QueueName,
    input: Json,
    max_attempts: u32,
    timeout_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    traceparent: Option<String>,
}

enum Done {
    Created(Box<row::Model>, Insertion),
    Held(Hold),
}

impl Store {
    /// Inserts the batch and its jobs, all or nothing.
    ///
    /// Safe to repeat when it is not known whether it was done: what is there already counts as created.
    pub async fn batch_insert(&self, new: &NewBatch) -> Result<BatchInserted, StoreError> {
        let turn = self.write_turn().await?;
        let done = self.bounded("batch_insert", self.insert_batch(new)).await?;
        drop(turn);
        match done {
            Done::Created(row, insertion) => {
                let mut counts = Counts::default();
                for job in &insertion.made {
                    *counts.of(job.state) += 1;
                }
                Ok(BatchInserted::Created {
                    batch: batch(*row, counts)?,
                    jobs: insertion.made,
                })
            }
            Done::Held(hold) => {
                let id = super::parsed(&hold.holder, "key", &hold.holder)?;
                let wanted = new.idempotency.as_ref().map(|wanted| &wanted.request_hash);
                if hold.request_hash.as_ref() != wanted {
                    return Ok(BatchInserted::KeyReused(id));
                }
                let first = self.batch_get(id).await?;
                Ok(first.map_or(BatchInserted::Gone(id), BatchInserted::Existing))
            }
        }
    }

    async fn insert_batch(&self, new: &NewBatch) -> Result<Done, DbErr> {
        let now = clock::now();
        let transaction = self.begin().await?;
        if let Some(idempotency) = &new.idempotency {
            let name = job_keys::of_batch(&idempotency.key);
            let hold = idempotency.hold(new.id.to_string(), now);
            let wanted = BTreeMap::from([(name.clone(), hold)]);
            let mut holds = job_keys::claim(&transaction, Kind::Batch, &wanted, now).await?;
            if let Some(hold) = holds
                .remove(&name)
                .filter(|hold| hold.holder != new.id.to_string())
            {
                return Ok(Done::Held(hold));
            }
        }
        let insertion = insert(&transaction, &new.jobs, now).await?;
        let row = self.insert_row(&transaction, new, insertion.made.len()).await?;
        transaction.commit().await?;
        Ok(Done::Created(Box::new(row), insertion))
    }

    async fn insert_row(
        &self,
        transaction: &DatabaseTransaction,
        new: &NewBatch,
        made: usize,
    ) -> Result<row::Model, DbErr> {
        let number = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
        let call = new.on_finish.as_ref().map(Call::of);
        let call = call
            .map(|call| serde_json::value::to_raw_value(&call))
            .transpose();
        let row = row::Model {
            id: new.id.to_string(),
            total: number(made),
            duplicates: number(new.jobs.len() - made),
            on_finish_job_id: None,
            on_finish: call
                .map_err(|error| DbErr::Json(error.to_string()))?
                .map(|call| JsonText(call.into())),
            completed: None,
            dead: None,
            cancelled: None,
            created_at: new.id.created_at(),
            finished_at: None,
        };
        let mut ignored = OnConflict::column(row::Column::Id);
        ignored.do_nothing();
        let mut insert = json::insert(self.backend(), [active(row.clone())], &[row::Column::OnFinish])?;
        insert.on_conflict(ignored);
        transaction.execute(&insert).await?;
        Ok(row)
    }
}

fn active(row: row::Model) -> row::ActiveModel {
    row::ActiveModel {
        id: Set(row.id),
        total: Set(row.total),
        duplicates: Set(row.duplicates),
        on_finish: Set(row.on_finish),
        created_at: Set(row.created_at),
        ..Default::default()
    }
}

impl Call {
    fn of(job: &NewJob) -> Self {
        Self {
            function: job.function.clone(),
            queue: job.queue.clone(),
            input: job.input.clone(),
            max_attempts: job.max_attempts,
            timeout_ms: u64::try_from(job.timeout.as_millis()).unwrap_or(u64::MAX),
            traceparent: job.traceparent.clone(),
        }
    }

    /// The job that the call becomes now, with one more field in its input.
    pub(super) fn into_job(mut self, field: &str, value: Value) -> NewJob {
        if let Some(mut fields) = self.input.as_object() {
            fields.insert(field.to_owned(), value.into());
            self.input = Json::of_object(&fields);
        }
        let timeout = Duration::from_millis(self.timeout_ms);
        NewJob {
            traceparent: self.traceparent,
            ..NewJob::new(self.function, self.queue, self.input, self.max_attempts, timeout)
        }
    }
}
