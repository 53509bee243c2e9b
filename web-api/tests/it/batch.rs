//! Batches in the database: all or nothing, how they stand, and closed once, whatever dies and however many try.

use std::time::Duration;

use chrono::Utc;
use jobs::{
    job::{JobId, JobState},
    queue::events::{AttemptError, ErrorKind, JobEvent, Outcome},
};
use sea_orm::ConnectionTrait;
use serde_json::json;
use web_api::db::batches::insert::{BatchInserted, NewBatch};
use web_api::db::batches::{Batch, Counts};
use web_api::db::jobs::apply_events::AppliedChange;
use web_api::db::jobs::{Idempotency, Job, NewJob, Unique};
use web_api::db::{Store, StoreError};
use web_api::domain::ids::BatchId;
use web_api::domain::job_filter::JobFilter;
use web_api::services::outcome_waiters::Outcomes;

use crate::{
    store::{refuse, waiting_for_locks},
    support::{
        Database, TestDatabase, TestEnv, batch, ended, eventually, finished, new_job, on_both_databases,
        roles::Counted, unfinished,
    },
};

fn new_batch(count: u64) -> NewBatch {
    let id = BatchId::new();
    let job = |number| NewJob {
        batch: Some(id),
        ..new_job(number)
    };
    NewBatch {
        id,
        jobs: (0..count).map(job).collect(),
        on_finish: Some(NewJob {
            function: "report".to_owned(),
            input: json!({"to": "somebody"}).into(),
            max_attempts: 7,
            timeout: Duration::from_secs(3),
            traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
            ..new_job(0)
        }),
        idempotency: None,
    }
}

async fn inserted(store: &Store, new: &NewBatch) -> Batch {
    match store.batch_insert(new).await.unwrap() {
        BatchInserted::Created { batch, .. } => batch,
        other @ (BatchInserted::Existing(_) | BatchInserted::KeyReused(_) | BatchInserted::Gone(_)) => {
            panic!("{other:?}")
        }
    }
}

async fn all_finished(store: &Store, new: &NewBatch) {
    let events = new.jobs.iter().map(|job| finished(job.id, 1)).collect();
    store.job_apply_events(&[batch(events)]).await.unwrap();
}

/// The job that a finished batch has called for.
async fn called(store: &Store, id: BatchId) -> Option<Job> {
    let batch = store.batch_get(id).await.unwrap().unwrap();
    let job = batch.on_finish.unwrap().job;
    assert_eq!(job.is_some(), batch.finished_at.is_some());
    let job = store.job_get(job?).await.unwrap();
    assert!(
        job.is_some(),
        "the call and the end of the batch are committed together"
    );
    job
}

fn dead(id: JobId) -> JobEvent {
    let error = AttemptError {
        kind: ErrorKind::Error,
        message: "no use".to_owned(),
    };
    ended(id, 1, Outcome::Dead { error })
}

on_both_databases! {
    async fn a_batch_and_its_jobs_are_made_together(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let new = new_batch(3);
        let BatchInserted::Created { batch, jobs } = store.batch_insert(&new).await.unwrap() else { panic!("not created") };
        assert_eq!(jobs.iter().map(|job| job.id).collect::<Vec<_>>(), new.jobs.iter().map(|job| job.id).collect::<Vec<_>>());
        assert!(jobs.iter().all(|job| job.batch == Some(new.id)));
        assert_eq!((batch.id, batch.total, batch.duplicates, batch.finished_at), (new.id, 3, 0, None));
        assert_eq!(batch.counts, Counts { queued: 3, ..Counts::default() });
        let on_finish = batch.on_finish.clone().unwrap();
        assert_eq!((on_finish.function.as_str(), on_finish.job), ("report", None));
        assert_eq!(store.batch_get(new.id).await.unwrap(), Some(batch.clone()), "what is told is what is stored");
        assert_eq!(store.batch_get(BatchId::new()).await.unwrap(), None);
        // After a lost connection it is not known whether a commit went through.
        assert_eq!(inserted(&store, &new).await, batch);
        assert_eq!(unfinished(&store, None).await.len(), 3);

        let other = new_batch(2);
        inserted(&store, &other).await;
        let filter = JobFilter { batch: Some(new.id), ..JobFilter::default() };
        let listed = store.job_list(&filter, None, 10).await.unwrap().jobs;
        assert_eq!(listed.iter().map(|job| job.id).collect::<Vec<_>>(), new.jobs.iter().rev().map(|job| job.id).collect::<Vec<_>>());
        let page = store.batch_list(None, 1).await.unwrap();
        assert_eq!((page.batches[0].id, page.next), (other.id, Some(other.id)));
        let page = store.batch_list(page.next, 1).await.unwrap();
        assert_eq!((page.batches[0].clone(), page.next), (batch, None));
    }

    async fn ten_thousand_jobs_are_one_transaction(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let new = new_batch(10_000);
        let batch = inserted(&store, &new).await;
        assert_eq!((batch.total, batch.counts.queued), (10_000, 10_000));
        assert_eq!(store.index_list(20_000).await.unwrap().len(), 10_000);
        all_finished(&store, &new).await;
        store.batch_close(new.id).await.unwrap().unwrap();
        let closed = store.batch_get(new.id).await.unwrap().unwrap();
        assert_eq!(closed.counts, Counts { completed: 10_000, ..Counts::default() });
    }

    async fn one_job_that_is_refused_leaves_nothing_of_the_batch(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        refuse(&database, kind, "BEFORE INSERT", "traceparent", "poison").await;
        let mut new = new_batch(1_200);
        new.jobs[1_100].traceparent = Some("poison".to_owned());
        new.idempotency = Some(Idempotency { key: "k".to_owned(), request_hash: "h".to_owned(), held_for: Duration::from_hours(1) });
        let error = store.batch_insert(&new).await.unwrap_err();
        assert!(matches!(error, StoreError::Data { .. }), "{error:?}");
        assert_eq!(store.batch_get(new.id).await.unwrap(), None);
        assert!(unfinished(&store, None).await.is_empty());
        assert!(store.index_list(10).await.unwrap().is_empty());
        let next = NewBatch { idempotency: new.idempotency, ..new_batch(1) };
        inserted(&store, &next).await;
    }

    async fn the_same_request_with_the_same_key_gives_the_first_batch(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let keyed = |hash: &str| NewBatch {
            idempotency: Some(Idempotency { key: "k".to_owned(), request_hash: hash.to_owned(), held_for: Duration::from_hours(1) }),
            ..new_batch(2)
        };
        let first = keyed("h");
        let batch = inserted(&store, &first).await;
        assert_eq!(inserted(&store, &first).await, batch, "the same attempt once more");
        assert_eq!(store.batch_insert(&keyed("h")).await.unwrap(), BatchInserted::Existing(batch));
        assert_eq!(store.batch_insert(&keyed("other")).await.unwrap(), BatchInserted::KeyReused(first.id));
        assert_eq!(unfinished(&store, None).await.len(), 2);
        // A job's key is another one.
        let idempotency = first.idempotency.clone();
        store.job_insert_many(&[NewJob { idempotency, ..new_job(1) }]).await.unwrap();
        assert_eq!(unfinished(&store, None).await.len(), 3);
        let admin = database.connect().await;
        admin.execute_unprepared("DELETE FROM batches").await.unwrap();
        // The key is held for its hour all the same.
        assert_eq!(store.batch_insert(&keyed("h")).await.unwrap(), BatchInserted::Gone(first.id));
        assert_eq!(store.batch_insert(&keyed("other")).await.unwrap(), BatchInserted::KeyReused(first.id));
    }

    async fn jobs_that_others_have_are_duplicates_and_not_waited_for(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let unique = |job: NewJob, key: &str| NewJob { unique: Some(Unique { key: key.to_owned(), held_for: None }), ..job };
        store.job_insert_many(&[unique(new_job(1), "a")]).await.unwrap();
        let mut new = new_batch(4);
        for (job, key) in new.jobs.iter_mut().zip(["a", "b", "b"]) {
            *job = unique(job.clone(), key);
        }
        let batch = inserted(&store, &new).await;
        assert_eq!((batch.total, batch.duplicates, batch.counts.queued), (2, 2, 2));
        assert_eq!(unfinished(&store, None).await.len(), 3);
        all_finished(&store, &new).await;
        assert!(store.batch_close(new.id).await.unwrap().is_some());

        let mut nothing_new = new_batch(1);
        nothing_new.jobs[0] = unique(nothing_new.jobs[0].clone(), "a");
        assert_eq!(inserted(&store, &nothing_new).await.total, 0);
        let closed = store.batch_close(nothing_new.id).await.unwrap().unwrap();
        assert_eq!(closed.job.unwrap().input.rounded()["batch"]["total"], 0);
    }

    async fn a_batch_closes_when_its_last_job_has_ended_and_calls_with_the_counts(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let (new, other) = (new_batch(4), new_batch(1));
        inserted(&store, &new).await;
        inserted(&store, &other).await;
        let jobs: Vec<JobId> = new.jobs.iter().map(|job| job.id).collect();
        let running = JobEvent::Started { id: jobs[3], attempt: 1, worker: "w".to_owned(), started_at: Utc::now() };
        let cancelled = JobEvent::Cancelled { id: jobs[2], attempt: 0, function: "fibonacci".to_owned() };
        let events = vec![finished(jobs[0], 1), dead(jobs[1]), cancelled, running];
        let applied = store.job_apply_events(&[batch(events)]).await.unwrap();
        let dirty: Vec<BatchId> = applied.changes.iter().filter_map(AppliedChange::ended_in).collect();
        assert_eq!(dirty, [new.id; 3], "what runs has not ended");
        assert!(store.batch_done(&[new.id, other.id]).await.unwrap().is_empty());
        assert_eq!(store.batch_close(new.id).await.unwrap(), None);
        assert_eq!(store.batch_unfinished(new.id, None, 10).await.unwrap()[0].id, jobs[3]);
        let counts = Counts { running: 1, completed: 1, dead: 1, cancelled: 1, ..Counts::default() };
        assert_eq!(store.batch_get(new.id).await.unwrap().unwrap().counts, counts);

        store.job_apply_events(&[batch(vec![finished(jobs[3], 1)])]).await.unwrap();
        assert_eq!(store.batch_open(None, 10).await.unwrap(), [new.id, other.id]);
        assert_eq!(store.batch_open(Some(new.id), 10).await.unwrap(), [other.id]);
        assert_eq!(store.batch_done(&[new.id, other.id]).await.unwrap(), [new.id]);
        let closed = store.batch_close(new.id).await.unwrap().unwrap();
        assert_eq!(store.batch_open(None, 10).await.unwrap(), [other.id]);
        let batch = store.batch_get(new.id).await.unwrap().unwrap();
        assert!(batch.finished_at.is_some());
        assert_eq!(batch.counts, Counts { completed: 2, dead: 1, cancelled: 1, ..Counts::default() });
        let job = called(&store, new.id).await.unwrap();
        assert_eq!(closed.job, Some(job.clone()));
        assert!(job.id > jobs[3], "it is as old as its call");
        let summary = json!({"id": new.id.to_string(), "total": 4, "completed": 2, "dead": 1, "cancelled": 1});
        assert_eq!(job.input, json!({"to": "somebody", "batch": summary}));
        let wanted = new.on_finish.clone().unwrap();
        assert_eq!((job.function, job.max_attempts, job.timeout), (wanted.function, wanted.max_attempts, wanted.timeout));
        assert_eq!((job.traceparent, job.batch, job.state), (wanted.traceparent, None, JobState::Queued));
        assert_eq!(store.batch_close(new.id).await.unwrap(), None, "a second time changes nothing");

        // A dead job that somebody runs again opens nothing.
        let admin = database.connect().await;
        let again = format!("UPDATE jobs SET state = 'queued', finished_at = NULL WHERE id = '{}'", jobs[1]);
        admin.execute_unprepared(&again).await.unwrap();
        assert_eq!(store.batch_get(new.id).await.unwrap(), Some(batch));
    }

    async fn of_many_who_close_a_batch_one_does_it(kind) {
        let database = Database::new(kind).await;
        let stores = [database.store().await, database.store().await];
        for round in 0..20 {
            let new = new_batch(5);
            inserted(&stores[0], &new).await;
            all_finished(&stores[0], &new).await;
            let tries = (0..8).map(|n| {
                let (store, id) = (stores[n % 2].clone(), new.id);
                tokio::spawn(async move { store.batch_close(id).await.unwrap() })
            });
            let closed = futures::future::join_all(tries.collect::<Vec<_>>()).await;
            let calls: Vec<Job> = closed.into_iter().filter_map(|closed| closed.unwrap()?.job).collect();
            assert_eq!(calls, [called(&stores[0], new.id).await.unwrap()]);
            assert_eq!(unfinished(&stores[0], None).await.len(), round + 1);
        }
    }

    async fn what_was_recorded_before_a_crash_is_closed_after_it(kind) {
        let env = TestEnv::new(kind).await;
        let new = new_batch(3);
        inserted(&env.store, &new).await;
        all_finished(&env.store, &new).await;
        // The last outcome is recorded, and whoever should have closed the batch is dead.
        assert_eq!(called(&env.store, new.id).await, None);
        let (_batches, _dispatcher) = (env.batches(&env.store), env.dispatch());
        let pushed = async || {
            let job = called(&env.store, new.id).await?;
            env.queues.unknown(&env.queue, &[job.id]).await.unwrap().is_empty().then_some(())
        };
        eventually("what the batch calls for is in the queue", pushed).await;
    }

    async fn roles_that_crash_anywhere_call_once_for_each_batch(kind) {
        let env = TestEnv::new(kind).await;
        let counted = Counted::default();
        let (other_store, outcomes) = (env.database.store().await, Outcomes::new(env.store.clone()));
        let batches: Vec<NewBatch> = (0..60)
            .map(|n| {
                let mut new = new_batch(2);
                for job in &mut new.jobs {
                    *job = NewJob { id: job.id, batch: job.batch, ..Counted::job(n) };
                }
                new.on_finish = Some(Counted::job(1_000 + n));
                new
            })
            .collect();
        let _recorder = env.record(&env.store, "one", &outcomes);
        let _dispatcher = env.dispatch();
        for new in &batches {
            inserted(&env.store, new).await;
        }
        let _worker = env.worker(&counted);
        // Between looking, closing, committing and pushing.
        for milliseconds in 0..25 {
            let crashing = [env.batches(&env.store), env.batches(&other_store)];
            tokio::time::sleep(Duration::from_millis(2 * milliseconds)).await;
            drop(crashing);
        }
        let _batches = env.batches(&env.store);
        for new in &batches {
            let done = async || {
                let job = called(&env.store, new.id).await?;
                (job.state == JobState::Completed).then_some(job.id)
            };
            let job = eventually("the call has run", done).await;
            assert_eq!(counted.runs(job), 1);
        }
        let all = env.store.job_list(&JobFilter::default(), None, 1_000).await.unwrap().jobs;
        assert_eq!(all.len(), 60 * 3, "one call for each batch");
    }
}

/// In the middle of the transaction: the batch is closed, the job is not yet there, and the process dies.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_a_crash_between_closing_and_calling_undoes_both() {
    let env = TestEnv::new(TestDatabase::Postgres).await;
    let new = new_batch(3);
    inserted(&env.store, &new).await;
    all_finished(&env.store, &new).await;
    let gate = env.database.connect().await;
    for statement in ["BEGIN", "LOCK TABLE jobs IN SHARE MODE"] {
        gate.execute_unprepared(statement).await.unwrap();
    }
    let dying = env.batches(&env.store);
    waiting_for_locks(&env.database, 1).await;
    drop(dying);
    gate.execute_unprepared("COMMIT").await.unwrap();
    let store = env.database.store().await;
    let _batches = env.batches(&store);
    let called = async || called(&env.store, new.id).await;
    eventually("the batch has called", called).await;
    let all = env
        .store
        .job_list(&JobFilter::default(), None, 100)
        .await
        .unwrap()
        .jobs;
    assert_eq!(all.len(), 4, "one job for the call");
}
