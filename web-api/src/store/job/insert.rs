//! New rows of `jobs`: a whole batch in one statement, and what an `Idempotency-Key` means for it.

use std::collections::{HashMap, HashSet};

use chrono::Utc;
use jobs::job::JobId;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbErr, EntityTrait,
    QueryFilter, QueryTrait, Set, TransactionTrait,
    sea_query::{ExprTrait, OnConflict, Query},
};

use super::{Idempotency, Job, NewJob, Place, millis, row};
use crate::store::{Store, StoreError, index};

/// Rows in one statement: SQLite takes at most 32,766 parameters.
const CHUNK: usize = 500;

/// What became of a new job.
#[derive(Debug, Clone, PartialEq)]
pub enum Inserted {
    /// It has its row now.
    Created(Job),
    /// The same request came before, under the same key: this is its job.
    Existing(Job),
    /// The key belongs to another request of the same function, whose job this is.
    KeyReused(JobId),
}

impl Store {
    /// Inserts the jobs, and counts the Fibonacci indices among them, all or nothing; answers in their order.
    ///
    /// Safe to repeat when it is not known whether it was done: an id that is there already counts as created.
    pub async fn job_insert_many(&self, jobs: &[NewJob]) -> Result<Vec<Inserted>, StoreError> {
        if jobs.is_empty() {
            return Ok(Vec::new());
        }
        let now = Utc::now();
        let jobs: Vec<Job> = jobs.iter().map(|job| job.clone().into_job(now)).collect();
        let _turn = self.write_turn().await;
        let existing = self
            .bounded("job_insert_many", insert(&self.database, &jobs))
            .await?;
        let mut keyed = HashMap::new();
        for row in existing {
            let job = Job::try_from(row)?;
            if let Some(Idempotency { key, .. }) = &job.idempotency {
                keyed.insert((job.function.clone(), key.clone()), job);
            }
        }
        Ok(jobs
            .into_iter()
            .map(|job| {
                let Some(wanted) = &job.idempotency else {
                    return Inserted::Created(job);
                };
                match keyed.get(&(job.function.clone(), wanted.key.clone())) {
                    Some(first) if first.id == job.id => Inserted::Created(job),
                    Some(first) if first.idempotency.as_ref() == Some(wanted) => {
                        Inserted::Existing(first.clone())
                    }
                    Some(first) => Inserted::KeyReused(first.id),
                    None => Inserted::Created(job),
                }
            })
            .collect())
    }
}

/// Returns the rows that hold the keys of those jobs that were not inserted.
async fn insert(database: &DatabaseConnection, jobs: &[Job]) -> Result<Vec<row::Model>, DbErr> {
    let transaction = database.begin().await?;
    let existing = insert_within(&transaction, jobs).await?;
    transaction.commit().await?;
    Ok(existing)
}

/// The same as a part of a transaction that does more.
pub(in crate::store) async fn insert_within(
    transaction: &DatabaseTransaction,
    jobs: &[Job],
) -> Result<Vec<row::Model>, DbErr> {
    // In the order of their keys: two processes with the same keys must not wait for each other in a circle.
    let mut ordered: Vec<&Job> = jobs.iter().collect();
    ordered.sort_by_key(|job| {
        job.idempotency
            .as_ref()
            .map(|idempotency| (&job.function, &idempotency.key))
    });
    let mut created = HashSet::new();
    for chunk in ordered.chunks(CHUNK) {
        let mut statement = row::Entity::insert_many(chunk.iter().copied().map(active)).into_query();
        statement.on_conflict(OnConflict::new().do_nothing().to_owned());
        statement.returning(Query::returning().column(row::Column::Id));
        for row in transaction.query_all(&statement).await? {
            created.insert(row.try_get_by_index::<String>(0)?);
        }
    }

    let (new, known): (Vec<&Job>, Vec<&Job>) =
        jobs.iter().partition(|job| created.contains(&job.id.to_string()));
    index::record(transaction, new.into_iter().filter_map(index::asked_by)).await?;

    let mut keys = HashMap::<&str, Vec<&str>>::new();
    for job in known {
        if let Some(idempotency) = &job.idempotency {
            keys.entry(&job.function).or_default().push(&idempotency.key);
        }
    }
    if keys.is_empty() {
        Ok(Vec::new())
    } else {
        let any = keys.into_iter().fold(Condition::any(), |any, (function, keys)| {
            any.add(
                row::Column::Function
                    .eq(function)
                    .and(row::Column::IdempotencyKey.is_in(keys)),
            )
        });
        row::Entity::find().filter(any).all(transaction).await
    }
}

fn active(job: &Job) -> row::ActiveModel {
    row::ActiveModel {
        id: Set(job.id.to_string()),
        function: Set(job.function.clone()),
        queue: Set(job.queue.to_string()),
        input: Set(job.input.clone()),
        state: Set(job.state.to_string()),
        attempt: Set(saturated(job.attempt)),
        max_attempts: Set(saturated(job.max_attempts)),
        timeout_ms: Set(i64::try_from(millis(job.timeout)).unwrap_or(i64::MAX)),
        run_at: Set(job.run_at),
        idempotency_key: Set(job
            .idempotency
            .as_ref()
            .map(|idempotency| idempotency.key.clone())),
        request_hash: Set(job
            .idempotency
            .as_ref()
            .map(|idempotency| idempotency.request_hash.clone())),
        traceparent: Set(job.traceparent.clone()),
        schedule_id: Set(job.schedule.map(|id| id.to_string())),
        created_at: Set(job.created_at),
        priority: Set(u8::from(job.priority).into()),
        fairness_key: Set(job.fairness_key.clone().unwrap_or_default()),
        // It was made of texts and numbers: it always has a JSON form.
        backoff: Set(job
            .backoff
            .as_ref()
            .and_then(|backoff| serde_json::to_value(backoff).ok())),
        dispatched_at: Set(match job.place {
            Place::Window(at) => Some(at),
            Place::Backlog | Place::Parked => None,
        }),
        parked_until: Set(job.run_at.filter(|_| job.place == Place::Parked)),
        ..Default::default()
    }
}

pub(in crate::store) fn saturated(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
