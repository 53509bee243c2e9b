//! New rows of `jobs`: a whole batch in one transaction. What the keys of their callers mean for it, `once` decides.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use jobs::clock;
use jobs::job::JobId;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, Set,
    sea_query::{OnConflict, Query},
};

use super::dedupe::{self, Verdict};
use super::{Job, NewJob, Place, light, millis, row};
use crate::db::json::{self, JsonText};
use crate::db::stats::Notes;
use crate::db::values::saturated;
use crate::db::{Store, StoreError, demo, tags};
use crate::domain::tag::Tag;

/// Rows in one statement: PostgreSQL takes at most 65,535 parameters, SQLite half as many.
const CHUNK: usize = 500;

/// What became of a new job.
#[derive(Debug, Clone, PartialEq)]
pub enum Inserted {
    /// It has its row now.
    Created(Job),
    /// The same request came before, under the same key, or another job has its `unique_key`: this is that job.
    Existing(Job),
    /// The key belongs to another request of the same function, whose job this is.
    KeyReused(JobId),
    /// The same as [`Inserted::Existing`], of a job that was deleted while its key is still held.
    Gone(JobId),
}

/// What [`insert`] did, before the rows that were there already are read as jobs.
pub(in crate::db) struct Insertion {
    /// The jobs that have their rows now, in the order of the calls.
    pub(in crate::db) made: Vec<Job>,
    verdicts: Vec<Verdict>,
    existing: Vec<row::Model>,
}

impl Store {
    /// Inserts the jobs, and counts the Fibonacci indices among them, all or nothing; answers in their order.
    ///
    /// Safe to repeat when it is not known whether it was done: an id that is there already counts as created.
    pub async fn job_insert_many(&self, jobs: &[NewJob]) -> Result<Vec<Inserted>, StoreError> {
        if jobs.is_empty() {
            return Ok(Vec::new());
        }
        let now = clock::now();
        let _turn = self.write_turn().await?;
        let inserting = async {
            let transaction = self.begin().await?;
            let insertion = insert(&transaction, jobs, now).await?;
            transaction.commit().await?;
            Ok(insertion)
        };
        self.bounded("job_insert_many", inserting).await?.answers()
    }
}

/// Takes the keys of the jobs and inserts those that are to be made.
pub(in crate::db) async fn insert(
    transaction: &DatabaseTransaction,
    jobs: &[NewJob],
    now: DateTime<Utc>,
) -> Result<Insertion, DbErr> {
    let verdicts = dedupe::settle(transaction, jobs, now).await?;
    let new = jobs
        .iter()
        .zip(&verdicts)
        .filter(|(_, verdict)| **verdict == Verdict::New);
    let made: Vec<Job> = new.map(|(job, _)| job.clone().into_job(now)).collect();

    let mut created = HashSet::with_capacity(jobs.len());
    for chunk in made.chunks(CHUNK) {
        let rows = chunk.iter().map(active);
        let mut statement = json::insert(transaction.get_database_backend(), rows, &[row::Column::Input])?;
        statement.on_conflict(OnConflict::new().do_nothing().to_owned());
        statement.returning(Query::returning().column(row::Column::Id));
        for row in transaction.query_all(&statement).await? {
            created.insert(row.try_get_by_index::<String>(0)?);
        }
    }
    let new = || made.iter().filter(|job| created.contains(&job.id.to_string()));
    tags::record(transaction, new()).await?;
    demo::record(transaction, new().filter_map(demo::asked_by)).await?;
    Notes::enqueued(new(), now).write(transaction).await?;

    let ids: HashSet<String> = verdicts
        .iter()
        .filter_map(|verdict| match verdict {
            Verdict::Same(id) => Some(id.to_string()),
            Verdict::New | Verdict::Reused(_) => None,
        })
        .collect();
    let mut existing = Vec::with_capacity(ids.len());
    for chunk in ids.into_iter().collect::<Vec<_>>().chunks(CHUNK) {
        let query = row::Entity::find().filter(row::Column::Id.is_in(chunk));
        existing.extend(query.all(transaction).await?);
    }
    Ok(Insertion {
        made,
        verdicts,
        existing,
    })
}

impl Insertion {
    /// What became of each call, in their order.
    pub(in crate::db) fn answers(self) -> Result<Vec<Inserted>, StoreError> {
        let gone = || {
            StoreError::new(
                "job_insert_many",
                DbErr::RecordNotFound("the job of a key".to_owned()),
            )
        };
        let mut made = self.made.into_iter();
        let existing = self.existing.into_iter().map(Job::try_from);
        let existing: HashMap<JobId, Job> = existing
            .map(|job| job.map(|job| (job.id, job)))
            .collect::<Result<_, _>>()?;
        let answer = |verdict| match verdict {
            Verdict::New => made.next().map(Inserted::Created).ok_or_else(gone),
            Verdict::Same(id) => Ok(existing
                .get(&id)
                .cloned()
                .map_or(Inserted::Gone(id), Inserted::Existing)),
            Verdict::Reused(first) => Ok(Inserted::KeyReused(first)),
        };
        self.verdicts.into_iter().map(answer).collect()
    }
}

fn active(job: &Job) -> row::ActiveModel {
    let (input_size, input_preview) = light::measured(&job.input);
    row::ActiveModel {
        input_size: Set(input_size),
        input_preview: Set(input_preview),
        unique_key: Set(job.unique_key.clone()),
        id: Set(job.id.to_string()),
        function: Set(job.function.clone()),
        queue: Set(job.queue.to_string()),
        input: Set(JsonText(job.input.clone())),
        state: Set(job.state.to_string()),
        attempt: Set(saturated(job.attempt)),
        max_attempts: Set(saturated(job.max_attempts)),
        timeout_ms: Set(i64::try_from(millis(job.timeout)).unwrap_or(i64::MAX)),
        run_at: Set(job.run_at),
        traceparent: Set(job.traceparent.clone()),
        schedule_id: Set(job.schedule.map(|id| id.to_string())),
        batch_id: Set(job.batch.map(|batch| batch.to_string())),
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
        tags: Set((!job.tags.is_empty()).then(|| job.tags.iter().map(Tag::as_str).collect())),
        parked_until: Set(job.run_at.filter(|_| job.place == Place::Parked)),
        ..Default::default()
    }
}
