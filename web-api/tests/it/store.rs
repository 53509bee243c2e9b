//! Rows: what goes in comes out, keys against doing it twice, the indices that were asked for, and a database that is away.

mod postgres;

use std::time::{Duration, Instant};

use chrono::{SubsecRound, TimeDelta, Utc};
use jobs::{
    job::{JobId, JobState},
    queue::events::JobEvent,
};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use serde_json::{Value, json};
use web_api::db::jobs::{Idempotency, Inserted, NewJob};
use web_api::db::{DatabaseSettings, Store, StoreError};

use crate::support::{
    Database, TestDatabase, batch, dispatched, eventually, finished, new_job, on_both_databases,
    proxy::Proxy, unfinished,
};

fn keyed(index: u64, key: &str, hash: &str) -> NewJob {
    let idempotency = Some(Idempotency {
        key: key.to_owned(),
        request_hash: hash.to_owned(),
        held_for: Duration::from_hours(1),
    });
    NewJob {
        idempotency,
        ..new_job(index)
    }
}

async fn inserted(store: &Store, job: NewJob) -> Inserted {
    store.job_insert_many(&[job]).await.unwrap().remove(0)
}

async fn times_asked(store: &Store) -> Vec<(u64, u64)> {
    let list = store.index_list(100).await.unwrap();
    list.iter()
        .map(|asked| (asked.index, asked.times_asked))
        .collect()
}

on_both_databases! {
    async fn a_row_comes_out_as_it_went_in(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let input = json!({"text": "ä€🦀 \" \\ ' ; DROP TABLE jobs; --", "n": [0, -1, 1.5, null, true, u64::MAX], "": {}});
        let new = NewJob {
            function: "échö".to_owned(),
            input: input.into(),
            run_at: Some(Utc::now() + TimeDelta::hours(1)),
            idempotency: Some(Idempotency { key: "k".to_owned(), request_hash: "h".to_owned(), held_for: Duration::from_hours(1) }),
            traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
            ..new_job(0)
        };
        let Inserted::Created(answered) = inserted(&store, new.clone()).await else { panic!("not created") };
        let read = store.job_get(new.id).await.unwrap().unwrap();
        assert_eq!(read, answered, "what the caller is told is what is stored");
        assert_eq!(read, new.clone().into_job(Utc::now()));
        assert_eq!(read.state, JobState::Scheduled);
        assert_eq!(read.run_at, new.run_at.map(|at| at.trunc_subsecs(3)));
        assert_eq!(read.created_at, new.id.created_at());
        assert_eq!(store.job_get(JobId::new()).await.unwrap(), None);
        assert_eq!(store.job_get_many(&[new.id, JobId::new()]).await.unwrap(), [read]);
    }

    async fn a_batch_of_any_size_is_one_insert(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        assert!(store.job_insert_many(&[]).await.unwrap().is_empty());
        let new: Vec<NewJob> = (0..500).map(new_job).collect();
        let inserted = store.job_insert_many(&new).await.unwrap();
        for (new, inserted) in new.iter().zip(inserted) {
            assert!(matches!(inserted, Inserted::Created(job) if job.id == new.id), "answers come in order");
        }
        assert_eq!(unfinished(&store, None).await.len(), 500);
    }

    async fn the_same_request_with_the_same_key_gives_the_first_job(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let first = keyed(90, "order-1", "hash-90");
        let Inserted::Created(job) = inserted(&store, first.clone()).await else { panic!("not created") };

        assert_eq!(inserted(&store, keyed(90, "order-1", "hash-90")).await, Inserted::Existing(job));
        assert_eq!(inserted(&store, keyed(91, "order-1", "hash-91")).await, Inserted::KeyReused(first.id));
        // The key belongs to its function, and no key is no key.
        let other = NewJob { function: "other".to_owned(), ..keyed(90, "order-1", "hash-90") };
        assert!(matches!(inserted(&store, other).await, Inserted::Created(_)));
        assert!(matches!(inserted(&store, new_job(90)).await, Inserted::Created(_)));
        assert!(matches!(inserted(&store, new_job(90)).await, Inserted::Created(_)));

        assert_eq!(times_asked(&store).await, [(90, 3)], "only jobs that were made count");
        assert_eq!(unfinished(&store, None).await.len(), 4);
    }

    async fn equal_keys_within_one_batch_give_one_job(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let batch = [keyed(1, "a", "1"), keyed(2, "b", "2"), keyed(1, "a", "1"), new_job(4), keyed(3, "a", "3")];
        let answers = store.job_insert_many(&batch).await.unwrap();
        assert!(matches!(&answers[0], Inserted::Created(job) if job.id == batch[0].id));
        assert!(matches!(&answers[1], Inserted::Created(job) if job.id == batch[1].id));
        assert!(matches!(&answers[2], Inserted::Existing(job) if job.id == batch[0].id));
        assert!(matches!(&answers[3], Inserted::Created(job) if job.id == batch[3].id));
        assert_eq!(answers[4], Inserted::KeyReused(batch[0].id));
        assert_eq!(unfinished(&store, None).await.len(), 3);
    }

    /// After a lost connection it is not known whether a commit went through.
    async fn inserting_the_same_batch_again_changes_nothing(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let batch = [new_job(7), keyed(8, "a", "8"), new_job(7)];
        let first = store.job_insert_many(&batch).await.unwrap();
        let second = store.job_insert_many(&batch).await.unwrap();
        assert_eq!(first, second);
        assert_eq!(unfinished(&store, None).await.len(), 3);
        let mut asked = times_asked(&store).await;
        asked.sort_unstable();
        assert_eq!(asked, [(7, 2), (8, 1)]);
    }

    async fn concurrent_equal_keys_give_one_job(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        // The same keys in either order: a careless order of locks would deadlock.
        let ascending = || (0..200).map(|n| keyed(n, &format!("key-{n:03}"), "same"));
        let tasks: Vec<_> = (0..8)
            .map(|task| {
                let store = store.clone();
                let batch: Vec<NewJob> = if task % 2 == 0 { ascending().collect() } else { ascending().rev().collect() };
                tokio::spawn(async move { store.job_insert_many(&batch).await.unwrap() })
            })
            .collect();
        let mut created = 0;
        for task in tasks {
            for answer in task.await.unwrap() {
                match answer {
                    Inserted::Created(_) => created += 1,
                    Inserted::Existing(_) => {}
                    Inserted::KeyReused(_) | Inserted::Gone(_) => panic!("the requests are the same"),
                }
            }
        }
        assert_eq!(created, 200);
        assert_eq!(unfinished(&store, None).await.len(), 200);
        assert!(times_asked(&store).await.iter().all(|(_, times)| *times == 1));
    }

    async fn indices_are_counted_with_their_first_and_last_time(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let at = |minutes| Utc::now().trunc_subsecs(3) - TimeDelta::minutes(minutes);
        let (first, second, third) = (at(3), at(2), at(1));
        store.index_record_many(&[(90, second), (1, second), (90, first)]).await.unwrap();
        store.index_record_many(&[(90, third), (0, first), (1, first)]).await.unwrap();
        store.index_record_many(&[]).await.unwrap();

        let list = store.index_list(10).await.unwrap();
        let summary: Vec<_> =
            list.iter().map(|asked| (asked.index, asked.first_asked_at, asked.last_asked_at, asked.times_asked)).collect();
        assert_eq!(summary[0], (90, first, third, 3));
        // An earlier time that arrives late moves neither end of what the row says.
        assert_eq!(summary[1], (1, second, second, 2));
        assert_eq!(summary[2], (0, first, first, 1));
        assert_eq!(store.index_list(1).await.unwrap().len(), 1);
    }

    async fn what_redis_should_hold_is_walked_oldest_first(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let new: Vec<NewJob> = (0..5).map(|index| dispatched(new_job(index))).collect();
        store.job_insert_many(&new).await.unwrap();
        store.job_insert_many(&[new_job(6)]).await.unwrap();
        let started = JobEvent::Started {
            id: new[3].id,
            attempt: 1,
            worker: "w".to_owned(),
            started_at: Utc::now(),
        };
        store.job_apply_events(&[batch(vec![finished(new[1].id, 1), started])]).await.unwrap();
        let ids = async |after, limit| {
            let jobs = store.job_dispatched(after, limit).await.unwrap();
            jobs.into_iter().map(|job| job.id).collect::<Vec<_>>()
        };
        assert_eq!(ids(None, 10).await, [new[0].id, new[2].id, new[3].id, new[4].id]);
        assert_eq!(ids(None, 2).await, [new[0].id, new[2].id]);
        assert_eq!(ids(Some(new[2].id), 10).await, [new[3].id, new[4].id]);
    }

    async fn data_that_the_database_refuses_is_told_from_a_database_that_is_away(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        refuse(&database, kind, "BEFORE INSERT", "traceparent", "poison").await;
        let poison = NewJob { traceparent: Some("poison".to_owned()), ..new_job(1) };
        let error = store.job_insert_many(&[new_job(2), poison]).await.unwrap_err();
        assert!(matches!(error, StoreError::Data { .. }), "{error:?}");
        assert!(!error.is_unavailable());
        assert!(unfinished(&store, None).await.is_empty(), "all or nothing");
        assert!(times_asked(&store).await.is_empty(), "all or nothing");
    }

    async fn a_database_without_tables_is_not_ready(kind) {
        let database = Database::empty(kind).await;
        let store = database.store().await;
        store.ping().await.unwrap();
        let error = store.job_get(JobId::new()).await.unwrap_err();
        assert!(error.is_unavailable(), "{error:?}");
    }
}

/// Makes the database refuse rows of `jobs` with `value` in `column`, as it would refuse bad data.
pub(crate) async fn refuse(database: &Database, kind: TestDatabase, when: &str, column: &str, value: &str) {
    refuse_in("jobs", database, kind, when, column, value).await;
}

/// The same with another table.
pub(crate) async fn refuse_in(
    table: &str,
    database: &Database,
    kind: TestDatabase,
    when: &str,
    column: &str,
    value: &str,
) {
    let connection = database.connect().await;
    let statements = match kind {
        TestDatabase::Postgres => vec![
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \
             'BEGIN RAISE check_violation USING MESSAGE = ''refused''; END'"
                .to_owned(),
            format!(
                "CREATE TRIGGER refuse {when} ON {table} FOR EACH ROW WHEN (NEW.{column} = '{value}') \
                 EXECUTE FUNCTION refuse()"
            ),
        ],
        TestDatabase::Sqlite => vec![format!(
            "CREATE TRIGGER refuse {when} ON {table} WHEN NEW.{column} = '{value}' \
             BEGIN SELECT RAISE(ABORT, 'refused'); END"
        )],
    };
    for statement in statements {
        connection.execute_unprepared(&statement).await.unwrap();
    }
}

/// Batches with the same keys in either order, let go at the same moment: careless locks would wait in a circle.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_batches_with_the_same_keys_do_not_deadlock() {
    let database = Database::new(TestDatabase::Postgres).await;
    let store = database.store().await;
    let gate = database.connect().await;
    for statement in ["BEGIN", "LOCK TABLE jobs IN SHARE MODE"] {
        gate.execute_unprepared(statement).await.unwrap();
    }
    let tasks: Vec<_> = (0..4)
        .map(|task| {
            let store = store.clone();
            let mut batch: Vec<NewJob> = (0..500)
                .map(|n| keyed(n, &format!("key-{n:03}"), "same"))
                .collect();
            if task % 2 == 1 {
                batch.reverse();
            }
            tokio::spawn(async move { store.job_insert_many(&batch).await })
        })
        .collect();
    waiting_for_locks(&database, 4).await;
    gate.execute_unprepared("COMMIT").await.unwrap();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(unfinished(&store, None).await.len(), 500);
}

/// Waits until so many connections to the database wait for a lock.
pub(crate) async fn waiting_for_locks(database: &Database, count: i64) {
    // A connection of its own: within a transaction the activity is the same all the time.
    let watcher = database.connect().await;
    let query = "SELECT count(*) AS waiting FROM pg_stat_activity \
                 WHERE datname = current_database() AND wait_event_type = 'Lock' AND state = 'active'";
    let all_wait = async || {
        let row = watcher
            .query_one_raw(Statement::from_string(DbBackend::Postgres, query))
            .await
            .unwrap();
        (row.unwrap().try_get::<i64>("", "waiting").unwrap() >= count).then_some(())
    };
    eventually(&format!("{count} connections wait for a lock"), all_wait).await;
}

/// The query is under way when the network goes: no error comes, and the server's own limit cannot reach us.
#[tokio::test]
async fn an_answer_that_never_comes_is_not_waited_for() {
    let database = Database::new(TestDatabase::Postgres).await;
    let proxy = Proxy::to(database.address()).await;
    let settings = DatabaseSettings {
        acquire_timeout: Duration::from_millis(500),
        statement_timeout: Duration::from_secs(1),
        ..DatabaseSettings::new(proxy.url(database.url(), &database.address()))
    };
    let store = Store::connect(&settings).await.unwrap();
    let admin = database.connect().await;
    for statement in ["BEGIN", "LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE"] {
        admin.execute_unprepared(statement).await.unwrap();
    }
    let start = Instant::now();
    let reading = tokio::spawn(async move { store.job_get(JobId::new()).await });
    waiting_for_locks(&database, 1).await;
    proxy.silence();
    let read = tokio::time::timeout(Duration::from_secs(10), reading)
        .await
        .unwrap();
    let error = read.unwrap().unwrap_err();
    assert!(
        matches!(error, StoreError::Timeout { .. }) && error.is_unavailable(),
        "{error:?}"
    );
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
}

async fn assert_away(store: &Store) {
    let start = Instant::now();
    let error = store.job_get(JobId::new()).await.unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
    let error = store.job_insert_many(&[new_job(2)]).await.unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
    assert!(
        start.elapsed() < Duration::from_secs(3),
        "two calls took {:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn sqlite_that_another_process_holds_is_away_and_comes_back() {
    let database = Database::new(TestDatabase::Sqlite).await;
    let store = Store::connect(&DatabaseSettings {
        acquire_timeout: Duration::from_millis(200),
        statement_timeout: Duration::from_millis(300),
        ..database.settings()
    })
    .await
    .unwrap();
    let other = database.connect().await;
    other.execute_unprepared("BEGIN IMMEDIATE").await.unwrap();
    let error = store.job_insert_many(&[new_job(1)]).await.unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
    // Readers are not held up by a writer.
    assert!(unfinished(&store, None).await.is_empty());
    other.execute_unprepared("COMMIT").await.unwrap();
    let insert = async || store.job_insert_many(&[new_job(1)]).await.ok();
    eventually("the store writes again", insert).await;
}

#[tokio::test]
async fn sqlite_is_set_up_for_many_readers_beside_a_writer() {
    let database = Database::new(TestDatabase::Sqlite).await;
    let store = database.store().await;
    store.job_insert_many(&[new_job(1)]).await.unwrap();
    assert!(
        database.file().with_extension("db-wal").exists(),
        "write-ahead log"
    );
    store.close().await.unwrap();
}

#[test]
fn an_envelope_carries_the_input_as_it_is() {
    let input = json!({"b": [1, 2.5, "ä"], "a": null});
    let job = NewJob {
        input: input.clone().into(),
        ..new_job(1)
    }
    .into_job(Utc::now());
    let envelope = job.envelope();
    assert_eq!(
        serde_json::from_str::<Value>(envelope.input.get()).unwrap(),
        input
    );
    assert_eq!(
        (envelope.id, envelope.timeout_ms, envelope.max_attempts),
        (job.id, 300_000, 3)
    );
}
