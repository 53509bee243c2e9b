//! From a request to its row and on to the queue: group commit, one bad job among good ones, outages.

use std::time::{Duration, Instant};

use futures::future::join_all;
use jobs::job::JobId;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use web_api::db::jobs::{Idempotency, NewJob};
use web_api::db::{DatabaseSettings, Store};
use web_api::services::enqueuer::{EnqueueError, Enqueuer, KEY_MAX};
use web_api::services::reconciler::ReconcileRequest;

use crate::{
    store::refuse,
    support::{TestDatabase, TestEnv, eventually, new_job, on_both_databases, proxy::Proxy, unfinished},
};

/// Waits until the queue holds exactly these jobs.
async fn assert_pushed(env: &TestEnv, ids: &[JobId]) {
    let pushed = async || {
        env.queues
            .unknown(&env.queue, ids)
            .await
            .unwrap()
            .is_empty()
            .then_some(())
    };
    eventually("the jobs are in the queue", pushed).await;
    let depth = env.queues.depth(&env.queue).await.unwrap();
    assert_eq!(depth.queued + depth.scheduled, ids.len() as u64);
}

on_both_databases! {
    async fn many_callers_at_once_are_all_recorded_and_pushed(kind) {
        let env = TestEnv::new(kind).await;
        let _dispatcher = env.dispatch();
        let (enqueuer, _role) = env.enqueuer(&env.store, &ReconcileRequest::new());
        let new: Vec<NewJob> = (0..1_200).map(new_job).collect();
        let answers = join_all(new.iter().map(|job| enqueuer.enqueue(job.clone()))).await;
        for (new, answer) in new.iter().zip(answers) {
            let enqueued = answer.unwrap();
            assert!(enqueued.created && enqueued.job.id == new.id);
        }
        // Whoever was answered has its row.
        assert_eq!(unfinished(&env.store, None).await.len(), new.len());
        assert_eq!(env.store.index_list(2_000).await.unwrap().len(), new.len());
        assert_pushed(&env, &new.iter().map(|job| job.id).collect::<Vec<_>>()).await;
    }

    async fn equal_keys_at_once_make_one_job_and_one_push(kind) {
        let env = TestEnv::new(kind).await;
        let _dispatcher = env.dispatch();
        let (enqueuer, _role) = env.enqueuer(&env.store, &ReconcileRequest::new());
        let keyed = |hash: &str| NewJob {
            idempotency: Some(Idempotency { key: "k".to_owned(), request_hash: hash.to_owned(), held_for: Duration::from_hours(1) }),
            ..new_job(90)
        };
        let answers = join_all((0..50).map(|_| enqueuer.enqueue(keyed("same")))).await;
        let enqueued: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
        assert_eq!(enqueued.iter().filter(|enqueued| enqueued.created).count(), 1);
        let first = enqueued[0].job.id;
        assert!(enqueued.iter().all(|enqueued| enqueued.job.id == first));
        let reused = enqueuer.enqueue(keyed("other")).await.unwrap_err();
        assert!(matches!(reused, EnqueueError::KeyReused { first: id } if id == first), "{reused:?}");
        assert!(!reused.is_unavailable());
        assert_pushed(&env, &[first]).await;
    }

    async fn a_job_that_cannot_be_stored_fails_alone(kind) {
        let env = TestEnv::new(kind).await;
        refuse(&env.database, kind, "BEFORE INSERT", "traceparent", "poison").await;
        let _dispatcher = env.dispatch();
        let (enqueuer, _role) = env.enqueuer(&env.store, &ReconcileRequest::new());
        let new: Vec<NewJob> = (0..300)
            .map(|n| NewJob { traceparent: (n % 100 == 50).then(|| "poison".to_owned()), ..new_job(n) })
            .collect();
        let answers = join_all(new.iter().map(|job| enqueuer.enqueue(job.clone()))).await;
        let mut good = Vec::new();
        for (new, answer) in new.iter().zip(answers) {
            match (&new.traceparent, answer) {
                (None, Ok(_)) => good.push(new.id),
                (Some(_), Err(error @ EnqueueError::Store(_))) => assert!(!error.is_unavailable()),
                (_, answer) => panic!("{new:?} was answered with {answer:?}"),
            }
        }
        assert_eq!(good.len(), 297);
        assert_pushed(&env, &good).await;
    }

    async fn what_no_database_could_hold_is_refused_at_once(kind) {
        let env = TestEnv::new(kind).await;
        let _dispatcher = env.dispatch();
        let (enqueuer, _role) = env.enqueuer(&env.store, &ReconcileRequest::new());
        let nul = NewJob { input: json!({"index": 1, "note": ["a\u{0}b"]}).into(), ..new_job(1) };
        let error = enqueuer.enqueue(nul).await.unwrap_err();
        assert!(matches!(&error, EnqueueError::Unkept(unkept) if unkept.pointer == "/note/0"), "{error:?}");
        for (key, fits) in [(String::new(), false), ("ä".repeat(KEY_MAX + 1), false), ("🦀".repeat(KEY_MAX), true)] {
            let idempotency = Some(Idempotency { key, request_hash: String::new(), held_for: Duration::from_hours(1) });
            let answer = enqueuer.enqueue(NewJob { idempotency, ..new_job(1) }).await;
            assert_eq!(answer.is_ok(), fits, "{answer:?}");
        }
        assert_eq!(unfinished(&env.store, None).await.len(), 1);
    }

    async fn while_redis_is_away_jobs_are_still_recorded(kind) {
        let env = TestEnv::new(kind).await;
        let _dispatcher = env.dispatch();
        let (enqueuer, _role) = env.enqueuer(&env.store, &ReconcileRequest::new());
        env.redis.kill();
        let start = Instant::now();
        for index in 0..20 {
            enqueuer.enqueue(new_job(index)).await.unwrap();
        }
        assert!(start.elapsed() < Duration::from_secs(2), "a caller does not wait for the push: {:?}", start.elapsed());
        assert_eq!(unfinished(&env.store, None).await.len(), 20);
    }

    async fn the_end_leaves_nobody_without_an_answer(kind) {
        let env = TestEnv::new(kind).await;
        let _dispatcher = env.dispatch();
        let (enqueuer, role) = env.enqueuer(&env.store, &ReconcileRequest::new());
        let new: Vec<NewJob> = (0..700).map(new_job).collect();
        let answers = join_all(new.iter().enumerate().map(async |(at, job)| {
            if at == 600 {
                role.order_to_stop();
            }
            enqueuer.enqueue(job.clone()).await
        }))
        .await;
        role.stop().await;
        let mut recorded = Vec::new();
        for (new, answer) in new.iter().zip(answers) {
            match answer {
                Ok(_) => recorded.push(new.id),
                Err(EnqueueError::Stopping) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
        assert!(!recorded.is_empty());
        let rows = unfinished(&env.store, None).await;
        assert_eq!(rows, recorded);
        assert_pushed(&env, &recorded).await;
        assert!(matches!(enqueuer.enqueue(new_job(1)).await, Err(EnqueueError::Stopping)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_postgres_is_away_callers_are_told_fast_and_the_next_ones_succeed() {
    let env = TestEnv::new(TestDatabase::Postgres).await;
    let proxy = Proxy::to(env.database.address()).await;
    let store = Store::connect(&DatabaseSettings {
        acquire_timeout: Duration::from_secs(1),
        ..DatabaseSettings::new(proxy.url(env.database.url(), &env.database.address()))
    })
    .await
    .unwrap();
    let _dispatcher = env.dispatch();
    let (enqueuer, _role) = env.enqueuer(&store, &ReconcileRequest::new());
    enqueuer.enqueue(new_job(0)).await.unwrap();
    proxy.cut();
    let start = Instant::now();
    let answers = join_all((0..2_000).map(|index| enqueuer.enqueue(new_job(index)))).await;
    assert!(
        answers
            .iter()
            .all(|answer| answer.as_ref().is_err_and(EnqueueError::is_unavailable))
    );
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    proxy.restore();
    let enqueued = eventually("jobs are recorded again", async || {
        enqueuer.enqueue(new_job(1)).await.ok()
    })
    .await;
    let pushed = async || {
        env.queues
            .unknown(&env.queue, &[enqueued.job.id])
            .await
            .unwrap()
            .is_empty()
            .then_some(())
    };
    eventually("and pushed", pushed).await;
}

/// Connections of the pool that died while nobody looked cost no caller an error.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_that_was_restarted_costs_no_caller_an_error() {
    let env = TestEnv::new(TestDatabase::Postgres).await;
    let (enqueuer, _role) = env.enqueuer(&env.store, &ReconcileRequest::new());
    let admin = env.database.connect().await;
    for index in 0..10 {
        enqueuer.enqueue(new_job(index)).await.unwrap();
        let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                    WHERE datname = current_database() AND application_name = 'spiral-web-api'";
        sea_orm::ConnectionTrait::execute_unprepared(&admin, kill)
            .await
            .unwrap();
    }
    assert_eq!(unfinished(&env.store, None).await.len(), 10);
    assert_eq!(env.store.index_list(100).await.unwrap().len(), 10);
}

#[tokio::test]
async fn more_than_can_wait_is_turned_away() {
    let env = TestEnv::new(TestDatabase::Sqlite).await;
    // Nobody takes anything out: the role does not run.
    let (enqueuer, _role) = Enqueuer::new(
        env.store.clone(),
        env.queues.clone(),
        env.windows.clone(),
        ReconcileRequest::new(),
        CancellationToken::new(),
    );
    let mut waiting: Vec<_> = (0..5_000)
        .map(|index| Box::pin(enqueuer.enqueue(new_job(index))))
        .collect();
    for caller in &mut waiting {
        assert!(futures::poll!(caller).is_pending());
    }
    let error = enqueuer.enqueue(new_job(0)).await.unwrap_err();
    assert!(
        matches!(error, EnqueueError::Full) && error.is_unavailable(),
        "{error:?}"
    );
}
