//! From the queue back to the rows: everything arrives, once, whatever goes away in between.

use std::time::Duration;

use futures::future::join_all;
use jobs::{
    job::{JobId, JobState},
    queue::events::JobEvent,
};
use metrics_exporter_prometheus::PrometheusBuilder;
use sea_orm::ConnectionTrait;
use serde_json::json;
use web_api::db::attempts::PastOutcome;
use web_api::db::jobs::{Job, NewJob, UnfinishedJob};
use web_api::db::{DatabaseSettings, Store};
use web_api::domain::job_filter::JobFilter;
use web_api::services::cancel::{self, CancelError};
use web_api::services::outcome_waiters::Outcomes;
use web_api::services::reconciler::ReconcileRequest;

use crate::{
    store::{refuse, refuse_in},
    support::{
        TestDatabase, TestEnv, batch, dispatched, eventually, finished, on_both_databases,
        proxy::Proxy,
        roles::{Counted, Role},
    },
};

/// Rows and pushes of these jobs.
async fn added(env: &TestEnv, jobs: &[NewJob]) -> Vec<JobId> {
    env.store.job_insert_many(jobs).await.unwrap();
    let rows = env
        .store
        .job_get_many(&jobs.iter().map(|job| job.id).collect::<Vec<_>>())
        .await
        .unwrap();
    let envelopes: Vec<_> = rows.iter().map(Job::envelope).collect();
    env.queues.push(&env.queue, &envelopes).await.unwrap();
    jobs.iter().map(|job| job.id).collect()
}

async fn all_in(store: &Store, state: JobState, count: usize) {
    let filter = JobFilter {
        states: vec![state],
        ..JobFilter::default()
    };
    let all = async || {
        let page = store.job_list(&filter, None, 5_000).await.ok()?;
        (page.jobs.len() == count).then_some(())
    };
    eventually(&format!("{count} jobs are {state}"), all).await;
}

async fn drained(env: &TestEnv) {
    let recorder = env.queues.recorder(std::slice::from_ref(&env.queue), "test");
    let drained = async || {
        recorder
            .drained()
            .await
            .is_ok_and(|drained| drained)
            .then_some(())
    };
    eventually("everything is acknowledged", drained).await;
}

/// Everything has run, as far as Redis is concerned.
async fn worked_off(env: &TestEnv, ids: &[JobId]) {
    let done = async || {
        let unknown = env.queues.unknown(&env.queue, ids).await.ok()?;
        (unknown.len() == ids.len()).then_some(())
    };
    eventually("the worker has run them all", done).await;
}

on_both_databases! {
    async fn what_a_worker_does_is_in_the_rows(kind) {
        let env = TestEnv::new(kind).await;
        let counted = Counted::default();
        let _worker = env.worker(&counted);
        let recorder = env.record(&env.store, "one", &Outcomes::new(env.store.clone()));
        let mut new: Vec<NewJob> = (0..800).map(Counted::job).collect();
        new[1].input = json!({"number": 1, "stumble": true}).into();
        new[2].input = json!({"number": 2, "give_up": "no use"}).into();
        let ids = added(&env, &new).await;
        all_in(&env.store, JobState::Completed, 799).await;
        all_in(&env.store, JobState::Dead, 1).await;

        let job = env.store.job_get(ids[0]).await.unwrap().unwrap();
        assert_eq!((job.attempt, job.error), (1, None));
        assert_eq!(job.output.unwrap().json, Some(json!(0).into()));
        assert!(job.created_at <= job.started_at.unwrap() && job.started_at <= job.finished_at);
        assert!(job.worker.unwrap().starts_with("test-"));
        let job = env.store.job_get(ids[1]).await.unwrap().unwrap();
        assert_eq!((job.attempt, job.error), (2, None));
        let job = env.store.job_get(ids[2]).await.unwrap().unwrap();
        assert_eq!(job.error.unwrap().message, "no use");
        drained(&env).await;
        recorder.stop().await;
    }

    async fn while_the_database_is_away_the_outcomes_wait(kind) {
        let env = TestEnv::new(kind).await;
        let retries = RetryLoop::of(&env, kind).await;
        let _recorder = env.record(&retries.store, "one", &Outcomes::new(retries.store.clone()));
        let counted = Counted::gated();
        let _worker = env.worker(&counted);
        let ids = added(&env, &(0..300).map(Counted::job).collect::<Vec<_>>()).await;
        all_in(&env.store, JobState::Running, 50).await;
        retries.begin().await;
        counted.open(300);
        worked_off(&env, &ids).await;
        let completed = JobFilter { states: vec![JobState::Completed], ..JobFilter::default() };
        assert!(env.store.job_list(&completed, None, 1).await.unwrap().jobs.is_empty());
        retries.end().await;
        all_in(&env.store, JobState::Completed, 300).await;
        assert!(ids.iter().all(|id| counted.runs(*id) == 1));
        drained(&env).await;
    }

    async fn a_job_whose_outcome_is_not_recorded_yet_is_not_called_off(kind) {
        let env = TestEnv::new(kind).await;
        let counted = Counted::default();
        let _worker = env.worker(&counted);
        let outcomes = Outcomes::new(env.store.clone());
        let recorder = env.record(&env.store, "one", &outcomes);
        added(&env, &[dispatched(Counted::job(0))]).await;
        all_in(&env.store, JobState::Completed, 1).await;
        recorder.stop().await;

        let ids = added(&env, &[dispatched(Counted::job(1))]).await;
        worked_off(&env, &ids).await;
        let job = || UnfinishedJob {
            id: ids[0],
            queue: env.queue.clone(),
            function: "counted".to_owned(),
            attempt: 0,
        };
        let refused = cancel::elsewhere(&env.store, &env.queues, vec![job()]).await;
        assert!(matches!(refused, Err(CancelError::Behind)), "{refused:?}");
        let _recorder = env.record(&env.store, "two", &outcomes);
        all_in(&env.store, JobState::Completed, 2).await;
        assert_eq!(cancel::elsewhere(&env.store, &env.queues, vec![job()]).await.unwrap(), 0);
        all_in(&env.store, JobState::Completed, 2).await;
    }

    async fn recorders_that_crash_and_share_the_work_lose_nothing(kind) {
        let env = TestEnv::new(kind).await;
        let counted = Counted::default();
        let _worker = env.worker(&counted);
        let outcomes = Outcomes::new(env.store.clone());
        let ids = added(&env, &(0..2_000).map(Counted::job).collect::<Vec<_>>()).await;
        let _other = env.record(&env.store, "two", &outcomes);
        // Anywhere: between reading, applying and acknowledging.
        for milliseconds in 0..15 {
            let crashing = env.record(&env.store, "one", &outcomes);
            tokio::time::sleep(Duration::from_millis(3 * milliseconds)).await;
            drop(crashing);
        }
        let _one = env.record(&env.store, "one", &outcomes);
        all_in(&env.store, JobState::Completed, ids.len()).await;
        drained(&env).await;
    }

    async fn an_outcome_that_the_database_refuses_does_not_block_the_others(kind) {
        let env = TestEnv::new(kind).await;
        refuse(&env.database, kind, "BEFORE UPDATE", "error_message", "poison").await;
        let _recorder = env.record(&env.store, "one", &Outcomes::new(env.store.clone()));
        let _worker = env.worker(&Counted::default());
        let mut new: Vec<NewJob> = (0..100).map(Counted::job).collect();
        new[50].input = json!({"number": 50, "give_up": "poison"}).into();
        let ids = added(&env, &new).await;
        all_in(&env.store, JobState::Completed, 99).await;
        all_in(&env.store, JobState::Dead, 1).await;
        let job = env.store.job_get(ids[50]).await.unwrap().unwrap();
        assert_eq!(job.error.unwrap().message, "the database refused the message");
        drained(&env).await;
    }

    async fn a_job_that_redis_refuses_is_dead_and_the_others_run(kind) {
        let env = TestEnv::new(kind).await;
        // Where the jobs of this key are to wait is something else.
        env.redis.ask("SET spiral:{default}:waiting:5:odd x");
        let _recorder = env.record(&env.store, "one", &Outcomes::new(env.store.clone()));
        let _dispatcher = env.dispatch();
        let (enqueuer, _enqueuing) = env.enqueuer(&env.store, &ReconcileRequest::new());
        let _worker = env.worker(&Counted::default());
        let mut new: Vec<NewJob> = (0..20).map(Counted::job).collect();
        new[7].fairness_key = Some("odd".to_owned());
        let answers = join_all(new.into_iter().map(|new| enqueuer.enqueue(new))).await;
        let refused = answers[7].as_ref().unwrap().job.id;
        all_in(&env.store, JobState::Completed, 19).await;
        all_in(&env.store, JobState::Dead, 1).await;
        let error = env.store.job_get(refused).await.unwrap().unwrap().error.unwrap();
        assert!(error.message.contains("Redis refuses the job") && error.message.contains("WRONGTYPE"), "{error:?}");
    }

    async fn history_that_the_database_refuses_does_not_block_the_others(kind) {
        let env = TestEnv::new(kind).await;
        refuse_in("attempts", &env.database, kind, "BEFORE INSERT", "error_message", "poison").await;
        let _recorder = env.record(&env.store, "one", &Outcomes::new(env.store.clone()));
        let _worker = env.worker(&Counted::default());
        let mut new: Vec<NewJob> = (0..30).map(Counted::job).collect();
        for at in [5, 6] {
            new[at].input = json!({"number": at, "give_up": if at == 5 { "poison" } else { "enough" }}).into();
        }
        let ids = added(&env, &new).await;
        all_in(&env.store, JobState::Completed, 28).await;
        all_in(&env.store, JobState::Dead, 2).await;
        assert_eq!(env.store.attempt_list(ids[6]).await.unwrap().len(), 1);
        let refused = env.store.attempt_list(ids[5]).await.unwrap();
        let is_poison = |outcome: &PastOutcome| matches!(outcome, PastOutcome::Failed(error) if error.message == "poison");
        assert!(refused.iter().all(|attempt| !is_poison(&attempt.outcome)), "{refused:?}");
        drained(&env).await;
    }

    async fn a_redis_that_restarts_does_not_end_the_recorder(kind) {
        let env = TestEnv::new(kind).await;
        let _recorder = env.record(&env.store, "one", &Outcomes::new(env.store.clone()));
        let _worker = env.worker(&Counted::default());
        added(&env, &(0..50).map(Counted::job).collect::<Vec<_>>()).await;
        all_in(&env.store, JobState::Completed, 50).await;
        env.redis.kill();
        env.redis.launch();
        let more: Vec<NewJob> = (0..50).map(Counted::job).collect();
        eventually("the queue is back", async || env.queues.ping().await.ok()).await;
        added(&env, &more).await;
        all_in(&env.store, JobState::Completed, 100).await;
    }

    async fn whoever_waits_for_a_job_is_told(kind) {
        let env = TestEnv::new(kind).await;
        let outcomes = Outcomes::new(env.store.clone());
        let _recorder = env.record(&env.store, "one", &outcomes);
        let counted = Counted::gated();
        let _worker = env.worker(&counted);
        let new = Counted::job(7);
        let mut waiters = [outcomes.wait_for(new.id), outcomes.wait_for(new.id)];
        let impatient = outcomes.wait_for(new.id);
        added(&env, std::slice::from_ref(&new)).await;
        drop(impatient);
        counted.open(1);
        for waiter in &mut waiters {
            let job = tokio::time::timeout(Duration::from_mins(2), waiter.outcome()).await.unwrap();
            assert_eq!((job.id, job.state), (new.id, JobState::Completed));
            assert_eq!(job.output.as_ref().unwrap().json, Some(json!(7).into()));
        }
        assert!(outcomes.is_waited_for(new.id));
        drop(waiters);
        assert!(!outcomes.is_waited_for(new.id), "what nobody waits for is forgotten");
    }

    /// The recorder of another process got the event, and is a moment behind the live feed of this one.
    async fn an_outcome_that_another_process_records_is_waited_for(kind) {
        let env = TestEnv::new(kind).await;
        let outcomes = Outcomes::new(env.store.clone());
        let new = Counted::job(7);
        env.store.job_insert_many(std::slice::from_ref(&new)).await.unwrap();
        let mut waiter = outcomes.wait_for(new.id);
        let recorded_late = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            env.store.job_apply_events(&[batch(vec![finished(new.id, 1)])]).await.unwrap();
        };
        let (resolved, ()) = tokio::join!(outcomes.resolve(new.id), recorded_late);
        resolved.unwrap();
        let job = tokio::time::timeout(Duration::from_secs(1), waiter.outcome()).await.unwrap();
        assert_eq!(job.state, JobState::Completed);
        drop(waiter);
        // Nobody waits: nothing is read, and nothing waited for.
        let start = std::time::Instant::now();
        outcomes.resolve(JobId::new()).await.unwrap();
        assert!(start.elapsed() < Duration::from_millis(5));
    }
}

/// A database that goes away for one store, as PostgreSQL does, or is held by another process, as SQLite may be.
enum OutageKind {
    Postgres(Proxy),
    Sqlite(sea_orm::DatabaseConnection),
}

struct RetryLoop {
    /// The store that suffers.
    store: Store,
    kind: OutageKind,
}

impl RetryLoop {
    async fn of(env: &TestEnv, kind: TestDatabase) -> Self {
        let short = |url: String| DatabaseSettings {
            acquire_timeout: Duration::from_millis(200),
            statement_timeout: Duration::from_millis(200),
            ..DatabaseSettings::new(url)
        };
        let (url, kind) = match kind {
            TestDatabase::Postgres => {
                let proxy = Proxy::to(env.database.address()).await;
                (
                    proxy.url(env.database.url(), &env.database.address()),
                    OutageKind::Postgres(proxy),
                )
            }
            TestDatabase::Sqlite => (
                env.database.url().to_owned(),
                OutageKind::Sqlite(env.database.connect().await),
            ),
        };
        Self {
            store: Store::connect(&short(url)).await.unwrap(),
            kind,
        }
    }

    async fn begin(&self) {
        match &self.kind {
            OutageKind::Postgres(proxy) => proxy.cut(),
            OutageKind::Sqlite(other) => {
                other.execute_unprepared("BEGIN IMMEDIATE").await.unwrap();
            }
        }
    }

    async fn end(&self) {
        match &self.kind {
            OutageKind::Postgres(proxy) => proxy.restore(),
            OutageKind::Sqlite(other) => {
                other.execute_unprepared("COMMIT").await.unwrap();
            }
        }
    }
}

/// On one thread, so that the metrics are those of this test alone.
#[tokio::test]
async fn each_attempt_is_counted_once_with_its_times() {
    let prometheus = PrometheusBuilder::new().build_recorder();
    let shown = prometheus.handle();
    let _guard = metrics::set_default_local_recorder(&prometheus);
    let env = TestEnv::new(TestDatabase::Sqlite).await;
    let outcomes = Outcomes::new(env.store.clone());
    let recorder = env.record(&env.store, "one", &outcomes);
    let _worker: Role = env.worker(&Counted::default());
    let mut new: Vec<NewJob> = (0..10).map(Counted::job).collect();
    new[0].input = json!({"number": 0, "stumble": true}).into();
    new[1].input = json!({"number": 1, "give_up": "no use"}).into();
    added(&env, &new).await;
    all_in(&env.store, JobState::Completed, 9).await;
    drained(&env).await;
    recorder.stop().await;
    // The same events once more.
    let again = new
        .iter()
        .map(|job| finished(job.id, 1))
        .collect::<Vec<JobEvent>>();
    env.store.job_apply_events(&[batch(again)]).await.unwrap();

    let text = shown.render();
    let labels = r#"queue="default",function="counted""#;
    for line in [
        format!(r#"spiral_jobs_finished_total{{{labels},state="completed"}} 9"#),
        format!(r#"spiral_jobs_finished_total{{{labels},state="dead"}} 1"#),
        format!("spiral_jobs_retried_total{{{labels}}} 1"),
        format!(r#"spiral_job_duration_seconds_count{{{labels},state="completed"}} 9"#),
        format!("spiral_job_wait_seconds_count{{{labels}}} 10"),
    ] {
        assert!(text.contains(&line), "{line} is missing in\n{text}");
    }
    assert!(
        text.contains(r#"spiral_record_lag_seconds{queue="default"}"#),
        "{text}"
    );
}
