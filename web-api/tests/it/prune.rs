//! What is old goes, exactly that, a little at a time, and nobody waits for it.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use jobs::job::JobId;
use jobs::queue::events::{AttemptError, ErrorKind, JobEvent, LogLine, Notes, Outcome};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use web_api::db::Store;
use web_api::db::batches::insert::NewBatch;
use web_api::db::jobs::{Idempotency, NewJob, Unique};
use web_api::domain::ids::BatchId;
use web_api::services;
use web_api::services::pruner::PruneSettings;

use crate::{
    store::waiting_for_locks,
    support::{
        Database, TestDatabase, batch, ended, eventually, finished, new_job, on_both_databases, roles::Role,
    },
};

const RETENTION: Duration = Duration::from_hours(24 * 30);

/// A time well past the retention, different for each number.
fn long_ago(number: i64) -> DateTime<Utc> {
    Utc::now() - TimeDelta::days(90) + TimeDelta::milliseconds(number)
}

/// An id of that time: ten characters tell it, the others are random.
fn old_id(number: i64) -> String {
    let time = JobId::lower_bound(long_ago(number)).to_string();
    format!("{}{}", &time[..10], &JobId::new().to_string()[10..])
}

fn old(number: i64) -> NewJob {
    NewJob {
        id: old_id(number).parse().unwrap(),
        ..new_job(1)
    }
}

fn old_batch(number: i64) -> BatchId {
    old_id(number).parse().unwrap()
}

/// Writes that these rows have been finished since then.
async fn finish(admin: &DatabaseConnection, table: &str, ids: &[String], at: DateTime<Utc>) {
    let ids: Vec<String> = ids.iter().map(|id| format!("'{id}'")).collect();
    let state = if table == "jobs" {
        "state = 'completed', "
    } else {
        ""
    };
    let update = format!(
        "UPDATE {table} SET {state}finished_at = '{}' WHERE id IN ({})",
        at.to_rfc3339(),
        ids.join(", ")
    );
    admin.execute_unprepared(&update).await.unwrap();
}

async fn finish_jobs(admin: &DatabaseConnection, jobs: &[NewJob], at: DateTime<Utc>) {
    let ids: Vec<String> = jobs.iter().map(|job| job.id.to_string()).collect();
    finish(admin, "jobs", &ids, at).await;
}

async fn column(admin: &DatabaseConnection, query: &str) -> Vec<String> {
    let statement = Statement::from_string(admin.get_database_backend(), query);
    let rows = admin.query_all_raw(statement).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

fn settings(retention: Option<Duration>) -> PruneSettings {
    PruneSettings {
        interval: Duration::from_millis(20),
        rows: 7,
        pause: Duration::from_millis(1),
        ..PruneSettings::of(retention, None)
    }
}

fn pruner(store: &Store, retention: Option<Duration>) -> Role {
    let store = store.clone();
    Role::start(move |stop| services::pruner::run(store, settings(retention), stop))
}

fn keyed(key: &str, held_for: Duration, job: NewJob) -> NewJob {
    let idempotency = Some(Idempotency {
        key: key.to_owned(),
        request_hash: "h".to_owned(),
        held_for,
    });
    NewJob { idempotency, ..job }
}

async fn made(store: &Store, id: BatchId, jobs: Vec<NewJob>) {
    let jobs = jobs
        .into_iter()
        .map(|job| NewJob {
            batch: Some(id),
            ..job
        })
        .collect();
    let new = NewBatch {
        id,
        jobs,
        on_finish: None,
        idempotency: Some(Idempotency {
            key: id.to_string(),
            request_hash: "h".to_owned(),
            held_for: Duration::from_hours(1),
        }),
    };
    store.batch_insert(&new).await.unwrap();
}

on_both_databases! {
    async fn exactly_what_is_old_goes(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let admin = database.connect().await;
        let (then, yesterday) = (long_ago(0), Utc::now() - TimeDelta::days(1));
        let hour = Duration::from_hours(1);

        let gone: Vec<NewJob> = (0..20).map(|n| keyed(&format!("gone-{n}"), hour, old(n))).collect();
        let unfinished = keyed("unfinished", hour, old(100));
        let finished_late = old(101);
        let young = keyed("young", hour, new_job(2));
        let expired = keyed("expired", Duration::ZERO, new_job(3));
        let unique = Some(Unique { key: "unique".to_owned(), held_for: None });
        let unique = NewJob { unique, ..old(102) };
        let jobs = [&unfinished, &finished_late, &young, &expired, &unique].map(Clone::clone);
        store.job_insert_many(&gone).await.unwrap();
        store.job_insert_many(&jobs).await.unwrap();
        finish_jobs(&admin, &gone, then).await;
        finish_jobs(&admin, std::slice::from_ref(&unique), then).await;
        finish_jobs(&admin, &[finished_late.clone(), young.clone(), expired.clone()], yesterday).await;

        // Of a batch under way no job goes, of one that has finished each goes by its own age.
        let (under_way, done, old_done) = (old_batch(1), BatchId::new(), old_batch(2));
        let kept = [old(200), old(201)];
        made(&store, under_way, kept.to_vec()).await;
        finish_jobs(&admin, &kept[..1], then).await;
        let of_done = [old(300), new_job(4)];
        made(&store, done, of_done.to_vec()).await;
        finish_jobs(&admin, &of_done[..1], then).await;
        finish_jobs(&admin, &of_done[1..], yesterday).await;
        let of_old_done = [old(301)];
        made(&store, old_done, of_old_done.to_vec()).await;
        finish_jobs(&admin, &of_old_done, then).await;
        finish(&admin, "batches", &[old_done.to_string()], then).await;
        finish(&admin, "batches", &[done.to_string()], yesterday).await;

        let pruner = pruner(&store, Some(RETENTION));
        let mut expected: Vec<String> = [&unfinished, &finished_late, &young, &expired, &kept[0], &kept[1], &of_done[1]]
            .iter()
            .map(|job| job.id.to_string())
            .collect();
        expected.sort();
        let pruned = async || {
            let left = column(&admin, "SELECT id FROM jobs").await.len() == expected.len();
            (left && column(&admin, "SELECT key FROM job_keys WHERE key = 'expired'").await.is_empty()).then_some(())
        };
        eventually("the old rows are gone", pruned).await;
        pruner.stop().await;
        assert_eq!(column(&admin, "SELECT id FROM jobs ORDER BY id").await, expected);
        let mut batches = [under_way.to_string(), done.to_string()];
        batches.sort();
        assert_eq!(column(&admin, "SELECT id FROM batches ORDER BY id").await, batches);
        // A key is held for its time, though its job has gone.
        let mut keys = ["unfinished", "young"].map(str::to_owned).to_vec();
        keys.extend([under_way, done, old_done].map(|batch| batch.to_string()));
        keys.extend((0..20).map(|n| format!("gone-{n}")));
        keys.sort();
        let mut left = column(&admin, "SELECT key FROM job_keys").await;
        left.sort();
        assert_eq!(left, keys);
    }

    async fn attempts_log_lines_and_tags_go_with_their_job(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let admin = database.connect().await;
        let tagged = |job| NewJob { tags: vec!["import".parse().unwrap()], ..job };
        let (gone, kept) = (tagged(old(1)), tagged(new_job(2)));
        store.job_insert_many(&[gone.clone(), kept.clone()]).await.unwrap();
        for id in [gone.id, kept.id] {
            let error = AttemptError { kind: ErrorKind::Error, message: "no luck".to_owned() };
            let failed = Outcome::Retrying { error, run_at: Utc::now(), parked: false };
            let line = |number| LogLine { number, at: Utc::now(), text: format!("line {number}") };
            let notes = Notes { progress: None, lines: vec![line(1), line(2)] };
            let events = vec![ended(id, 1, failed), JobEvent::Noted { id, attempt: 2, notes }, finished(id, 2)];
            let batches = [batch(events)];
            store.job_apply_events(&batches).await.unwrap();
        }
        finish_jobs(&admin, std::slice::from_ref(&gone), long_ago(0)).await;
        let counts = async |id| (store.attempt_list(id).await.unwrap().len(), store.log_line_list(id, 10).await.unwrap().len());
        assert_eq!((counts(gone.id).await, counts(kept.id).await), ((1, 2), (1, 2)));
        let pruner = pruner(&store, Some(RETENTION));
        let pruned = async || store.job_get(gone.id).await.unwrap().is_none().then_some(());
        eventually("the old job is gone", pruned).await;
        pruner.stop().await;
        assert_eq!((counts(gone.id).await, counts(kept.id).await), ((0, 0), (1, 2)));
        for table in ["attempts", "job_tags"] {
            assert_eq!(column(&admin, &format!("SELECT job_id FROM {table}")).await, [kept.id.to_string()]);
        }
    }

    async fn without_a_limit_rows_stay_and_keys_go_all_the_same(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let admin = database.connect().await;
        let jobs: Vec<NewJob> = (0..30).map(|n| keyed(&format!("k{n}"), Duration::ZERO, old(n))).collect();
        store.job_insert_many(&jobs).await.unwrap();
        finish_jobs(&admin, &jobs, long_ago(0)).await;
        let pruner = pruner(&store, None);
        let no_keys = async || column(&admin, "SELECT key FROM job_keys").await.is_empty().then_some(());
        eventually("the keys are gone", no_keys).await;
        pruner.stop().await;
        assert_eq!(column(&admin, "SELECT id FROM jobs").await.len(), 30);
    }

    async fn several_pruners_share_the_work(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let admin = database.connect().await;
        let jobs: Vec<NewJob> = (0..1_000).map(old).collect();
        for jobs in jobs.chunks(500) {
            store.job_insert_many(jobs).await.unwrap();
        }
        finish_jobs(&admin, &jobs, long_ago(0)).await;
        let time = Utc::now() - TimeDelta::days(30);
        let walks: Vec<_> = (0..4)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move {
                    let (mut after, mut deleted) = (None, 0);
                    loop {
                        let pruned = store.job_prune(after.as_deref(), time, 20).await.unwrap();
                        deleted += pruned.deleted;
                        after = pruned.next;
                        if after.is_none() {
                            return deleted;
                        }
                    }
                })
            })
            .collect();
        let mut deleted = 0;
        for walk in walks {
            deleted += walk.await.unwrap();
        }
        assert_eq!(deleted, 1_000, "each row is deleted, and counted, once");
        assert!(column(&admin, "SELECT id FROM jobs").await.is_empty());
    }

    /// A statement looks at so many rows, whether or not it may delete them.
    async fn a_step_is_bounded_by_the_rows_it_looks_at(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let admin = database.connect().await;
        let jobs: Vec<NewJob> = (0..30).map(old).collect();
        store.job_insert_many(&jobs).await.unwrap();
        finish_jobs(&admin, &jobs[25..], long_ago(0)).await;
        let time = Utc::now() - TimeDelta::days(30);
        let first = store.job_prune(None, time, 20).await.unwrap();
        assert_eq!((first.deleted, first.next), (0, Some(jobs[19].id.to_string())));
        let second = store.job_prune(Some(&jobs[19].id.to_string()), time, 20).await.unwrap();
        assert_eq!((second.deleted, second.next), (5, None));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_a_row_that_somebody_holds_is_passed_over() {
    let database = Database::new(TestDatabase::Postgres).await;
    let store = database.store().await;
    let admin = database.connect().await;
    let jobs: Vec<NewJob> = (0..10).map(old).collect();
    store.job_insert_many(&jobs).await.unwrap();
    finish_jobs(&admin, &jobs, long_ago(0)).await;
    let held = format!("SELECT 1 FROM jobs WHERE id = '{}' FOR UPDATE", jobs[4].id);
    for statement in ["BEGIN", &held] {
        admin.execute_unprepared(statement).await.unwrap();
    }
    let time = Utc::now() - TimeDelta::days(30);
    assert_eq!(store.job_prune(None, time, 500).await.unwrap().deleted, 9);
    admin.execute_unprepared("COMMIT").await.unwrap();
    assert_eq!(store.job_prune(None, time, 500).await.unwrap().deleted, 1);
}

/// A pruner and a caller want the same keys, which lie in the table in the order that is worst, from the last to the
/// first. Somebody else holds the one in the middle until both wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_pruners_and_callers_do_not_wait_in_a_circle() {
    let database = Database::new(TestDatabase::Postgres).await;
    let store = database.store().await;
    let admin = database.connect().await;
    let call = |n: i64, job: NewJob| {
        let key = format!("key-{n:02}");
        let unique = Some(Unique { key, held_for: None });
        NewJob { unique, ..job }
    };
    let old_jobs: Vec<NewJob> = (0..=20).map(|n| call(20 - n, old(n))).collect();
    for job in &old_jobs {
        store.job_insert_many(std::slice::from_ref(job)).await.unwrap();
    }
    finish_jobs(&admin, &old_jobs, long_ago(0)).await;
    let gate = database.connect().await;
    for statement in ["BEGIN", "SELECT 1 FROM job_keys WHERE key = 'key-10' FOR UPDATE"] {
        gate.execute_unprepared(statement).await.unwrap();
    }
    let calls: Vec<NewJob> = (0..=20).map(|n| call(n, new_job(1))).collect();
    let (caller, pruner) = (store.clone(), store.clone());
    let calling = tokio::spawn(async move { caller.job_insert_many(&calls).await });
    let time = Utc::now() - TimeDelta::days(30);
    let pruning = tokio::spawn(async move { pruner.job_prune(None, time, 500).await });
    waiting_for_locks(&database, 2).await;
    gate.execute_unprepared("COMMIT").await.unwrap();
    assert_eq!(pruning.await.unwrap().unwrap().deleted, 21);
    calling.await.unwrap().unwrap();
}
