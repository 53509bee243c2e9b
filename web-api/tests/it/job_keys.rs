//! Keys against doing it twice: how long each kind is held, what two of them mean together, and many callers at once.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use jobs::job::JobId;
use sea_orm::ConnectionTrait;
use web_api::db::Store;
use web_api::db::batches::insert::{BatchInserted, NewBatch};
use web_api::db::jobs::{Idempotency, Inserted, NewJob, Unique};
use web_api::domain::ids::BatchId;

use crate::{
    store::waiting_for_locks,
    support::{Database, TestDatabase, batch, finished, new_job, on_both_databases, unfinished},
};

const HOUR: Option<Duration> = Some(Duration::from_hours(1));
/// Over as soon as it has begun.
const OVER: Option<Duration> = Some(Duration::ZERO);

/// With an `Idempotency-Key` and the mark of its request.
fn request(key: &str, hash: &str, held_for: Option<Duration>, job: NewJob) -> NewJob {
    let idempotency = Some(Idempotency {
        key: key.to_owned(),
        request_hash: hash.to_owned(),
        held_for: held_for.unwrap(),
    });
    NewJob { idempotency, ..job }
}

/// With a `unique_key`.
fn unique(key: &str, held_for: Option<Duration>) -> NewJob {
    let unique = Some(Unique {
        key: key.to_owned(),
        held_for,
    });
    NewJob {
        unique,
        ..new_job(90)
    }
}

async fn inserted(store: &Store, job: &NewJob) -> Inserted {
    let jobs = std::slice::from_ref(job);
    store.job_insert_many(jobs).await.unwrap().remove(0)
}

async fn assert_made(store: &Store, job: &NewJob) {
    let answer = inserted(store, job).await;
    assert!(
        matches!(&answer, Inserted::Created(made) if made.id == job.id),
        "{answer:?}"
    );
}

async fn assert_same(store: &Store, job: &NewJob, first: JobId) {
    let answer = inserted(store, job).await;
    assert!(
        matches!(&answer, Inserted::Existing(job) if job.id == first),
        "{answer:?}"
    );
}

async fn finish(store: &Store, job: &NewJob) {
    let events = vec![finished(job.id, 1)];
    store.job_apply_events(&[batch(events)]).await.unwrap();
}

async fn rows(store: &Store) -> usize {
    unfinished(store, None).await.len()
}

on_both_databases! {
    async fn a_key_of_a_request_is_held_for_its_time_and_no_longer(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let first = request("k", "h", HOUR, new_job(90));
        assert_made(&store, &first).await;
        finish(&store, &first).await;
        assert_same(&store, &request("k", "h", HOUR, new_job(90)), first.id).await;
        assert_eq!(inserted(&store, &request("k", "other", HOUR, new_job(91))).await, Inserted::KeyReused(first.id));

        let short = request("short", "h", OVER, new_job(90));
        assert_made(&store, &short).await;
        // Another body is no error any more: it is another call.
        let next = request("short", "other", HOUR, new_job(91));
        assert_made(&store, &next).await;
        assert_same(&store, &request("short", "other", HOUR, new_job(91)), next.id).await;
    }

    async fn a_unique_key_without_a_time_is_held_until_its_job_is_finished(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let first = unique("u", None);
        assert_made(&store, &first).await;
        // The body does not matter, and neither does the time that a later caller would like.
        let other = NewJob { input: serde_json::json!({"index": 1}).into(), max_attempts: 9, ..unique("u", None) };
        assert_same(&store, &other, first.id).await;
        assert_same(&store, &unique("u", OVER), first.id).await;
        // The key belongs to its function, and is no Idempotency-Key.
        assert_made(&store, &NewJob { function: "other".to_owned(), ..unique("u", None) }).await;
        assert_made(&store, &request("u", "h", HOUR, new_job(90))).await;

        finish(&store, &first).await;
        let second = unique("u", None);
        assert_made(&store, &second).await;
        assert_same(&store, &unique("u", None), second.id).await;
    }

    async fn a_unique_key_with_a_time_is_held_for_it_whatever_becomes_of_the_job(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let first = unique("u", HOUR);
        assert_made(&store, &first).await;
        finish(&store, &first).await;
        assert_same(&store, &unique("u", None), first.id).await;

        let (short, next) = (unique("short", OVER), unique("short", OVER));
        assert_made(&store, &short).await;
        assert_made(&store, &next).await;
        assert_eq!(rows(&store).await, 2, "the first is still under way: the time alone counts");
    }

    async fn a_call_with_both_keys_is_answered_by_that_of_the_request_first(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let both = |key: &str, hash: &str, unique_key: &str| request(key, hash, HOUR, unique(unique_key, None));
        let first = both("a", "1", "u");
        assert_made(&store, &first).await;
        assert_same(&store, &both("a", "1", "u"), first.id).await;
        assert_eq!(inserted(&store, &both("a", "2", "free")).await, Inserted::KeyReused(first.id));
        // A refused call holds nothing.
        let free = unique("free", None);
        assert_made(&store, &free).await;

        // The key of the request is new, the other one is taken: from now on it stands for the same job.
        assert_same(&store, &both("b", "1", "u"), first.id).await;
        finish(&store, &first).await;
        assert_same(&store, &both("b", "1", "u"), first.id).await;
        assert_eq!(inserted(&store, &both("b", "2", "u")).await, Inserted::KeyReused(first.id));
        // Neither of them has taken the free key from the next one.
        let next = both("c", "1", "u");
        assert_made(&store, &next).await;
        assert_same(&store, &unique("u", None), next.id).await;
    }

    async fn equal_keys_within_one_commit_give_one_job(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let elsewhere = unique("taken", None);
        assert_made(&store, &elsewhere).await;
        let batch = [
            unique("u", None),
            request("a", "1", HOUR, unique("u", None)),
            request("a", "1", HOUR, unique("never looked at", None)),
            request("a", "2", HOUR, new_job(90)),
            request("b", "1", HOUR, unique("taken", None)),
            request("b", "1", HOUR, unique("taken", None)),
            new_job(90),
        ];
        for _ in 0..2 {
            // The second time as after a lost connection: it is not known whether it was done.
            let answers = store.job_insert_many(&batch).await.unwrap();
            let same = |at: usize, id: JobId| matches!(&answers[at], Inserted::Existing(job) if job.id == id);
            assert!(matches!(&answers[0], Inserted::Created(job) if job.id == batch[0].id));
            assert!(same(1, batch[0].id) && same(2, batch[0].id), "{answers:?}");
            assert_eq!(answers[3], Inserted::KeyReused(batch[0].id));
            assert!(same(4, elsewhere.id) && same(5, elsewhere.id), "{answers:?}");
            assert!(matches!(&answers[6], Inserted::Created(job) if job.id == batch[6].id));
            assert_eq!(rows(&store).await, 3);
        }
        assert_made(&store, &unique("never looked at", None)).await;
    }

    async fn a_key_without_a_time_goes_with_its_job(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let first = unique("u", None);
        assert_made(&store, &first).await;
        let admin = database.connect().await;
        admin.execute_unprepared("DELETE FROM jobs").await.unwrap();
        let second = unique("u", None);
        assert_made(&store, &second).await;
        assert_same(&store, &unique("u", None), second.id).await;
    }

    async fn a_key_with_a_time_is_held_for_it_though_its_job_was_pruned(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let (first, second) = (request("k", "h", HOUR, new_job(90)), unique("u", HOUR));
        let forever = unique("until the end", None);
        for job in [&first, &second, &forever] {
            assert_made(&store, job).await;
            finish(&store, job).await;
        }
        let later = Utc::now() + TimeDelta::minutes(1);
        assert_eq!(store.job_prune(None, later, 500).await.unwrap().deleted, 3);
        assert_eq!(store.job_key_prune(Utc::now(), 500).await.unwrap(), 0);
        assert_eq!(inserted(&store, &request("k", "h", HOUR, new_job(90))).await, Inserted::Gone(first.id));
        assert_eq!(inserted(&store, &request("k", "other", HOUR, new_job(91))).await, Inserted::KeyReused(first.id));
        assert_eq!(inserted(&store, &unique("u", None)).await, Inserted::Gone(second.id));
        assert!(store.job_is_known(&unique("u", None)).await.unwrap());
        assert_made(&store, &unique("until the end", None)).await;
        // Its time over, it is free.
        assert_eq!(store.job_key_prune(Utc::now() + TimeDelta::hours(2), 500).await.unwrap(), 2);
        assert_made(&store, &request("k", "other", HOUR, unique("u", HOUR))).await;
    }

    async fn a_job_that_is_deleted_by_hand_frees_its_keys(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let first = request("k", "h", HOUR, unique("u", HOUR));
        assert_made(&store, &first).await;
        finish(&store, &first).await;
        assert_eq!(store.job_delete_many(&[first.id]).await.unwrap(), 1);
        assert_made(&store, &request("k", "other", HOUR, unique("u", HOUR))).await;
    }

    async fn the_key_of_a_batch_is_held_for_its_time_though_the_batch_was_pruned(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let keyed = || NewBatch {
            id: BatchId::new(),
            jobs: Vec::new(),
            on_finish: None,
            idempotency: request("k", "h", HOUR, new_job(1)).idempotency,
        };
        let first = keyed();
        assert!(matches!(store.batch_insert(&first).await.unwrap(), BatchInserted::Created { .. }));
        store.batch_close(first.id).await.unwrap();
        let later = Utc::now() + TimeDelta::minutes(1);
        assert_eq!(store.batch_prune(None, later, 500).await.unwrap().deleted, 1);
        assert_eq!(store.batch_insert(&keyed()).await.unwrap(), BatchInserted::Gone(first.id));
    }

    async fn a_job_whose_unique_key_another_one_has_does_not_run_again(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let (first, second) = (unique("u", None), unique("u", None));
        let again = async |job: &NewJob| {
            let jobs = store.job_retry(&job.queue, &[job.id], Utc::now()).await.unwrap();
            jobs.len()
        };
        assert_made(&store, &first).await;
        finish(&store, &first).await;
        assert_made(&store, &second).await;
        assert_eq!(again(&first).await, 0, "two with one key would wait");
        let row = store.job_get(first.id).await.unwrap().unwrap();
        assert!(row.state.is_final());
        assert_eq!(store.job_key_holder(&row).await.unwrap(), Some(second.id));
        // Both have ended: one of them runs again, and has the key until it ends once more.
        finish(&store, &second).await;
        let both = [first.id, second.id];
        let jobs = store.job_retry(&first.queue, &both, Utc::now()).await.unwrap();
        assert_eq!(jobs.len(), 1);
        let (runs, other) = if jobs[0].id == first.id { (&first, &second) } else { (&second, &first) };
        assert_same(&store, &unique("u", None), runs.id).await;
        assert_eq!(again(other).await, 0);
    }

    async fn many_callers_at_once_with_keys_of_both_kinds_make_one_job_each(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        // In either order: careless locks would wait in a circle.
        let keyed = |n: u32| match n % 3 {
            0 => unique(&format!("key-{n:03}"), None),
            1 => request(&format!("key-{n:03}"), "same", HOUR, new_job(90)),
            _ => request(&format!("key-{n:03}"), "same", HOUR, unique(&format!("key-{n:03}"), None)),
        };
        let tasks: Vec<_> = (0..8)
            .map(|task| {
                let store = store.clone();
                let mut batch: Vec<NewJob> = (0..200).map(keyed).collect();
                if task % 2 == 1 {
                    batch.reverse();
                }
                tokio::spawn(async move { store.job_insert_many(&batch).await.unwrap() })
            })
            .collect();
        let mut made = 0;
        for task in tasks {
            let answers = task.await.unwrap();
            assert!(!answers.iter().any(|answer| matches!(answer, Inserted::KeyReused(_))));
            made += answers.iter().filter(|answer| matches!(answer, Inserted::Created(_))).count();
        }
        assert_eq!((made, rows(&store).await), (200, 200));
    }
}

/// Whoever waits for a key must see the job of who had it, though it was not there when the waiting began.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_a_key_that_was_waited_for_is_not_taken_from_a_job_that_is_new() {
    let database = Database::new(TestDatabase::Postgres).await;
    let store = database.store().await;
    let gate = database.connect().await;
    for statement in ["BEGIN", "LOCK TABLE jobs IN SHARE MODE"] {
        gate.execute_unprepared(statement).await.unwrap();
    }
    // One has the keys and waits for the gate, the others wait for the keys.
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let store = store.clone();
            let batch: Vec<NewJob> = (0..300).map(|n| unique(&format!("key-{n:03}"), None)).collect();
            tokio::spawn(async move { store.job_insert_many(&batch).await })
        })
        .collect();
    waiting_for_locks(&database, 4).await;
    gate.execute_unprepared("COMMIT").await.unwrap();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(rows(&store).await, 300);
}
