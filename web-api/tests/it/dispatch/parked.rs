//! Jobs whose time is far off: SQL keeps them, and Redis has them before their time.

use std::{sync::Arc, time::Duration};

use chrono::{TimeDelta, Utc};
use jobs::{
    catalog::Catalog,
    context::JobContext,
    function::{Function, JobError},
    job::JobState,
    queue::RedisSettings,
    worker::{self, WorkerSettings},
};
use serde_json::Value;
use web_api::db::jobs::{NewJob, Place};
use web_api::services::outcome_waiters::Outcomes;
use web_api::services::reconciler::ReconcileRequest;

use super::{all_completed, each_ran_once, held, windows};
use crate::support::{
    TestEnv, eventually, new_job, on_both_databases,
    roles::{Counted, Role},
};

/// What is further off than this is parked; the settings allow no less than five times as much.
const HORIZON: Duration = Duration::from_secs(2);

/// Fails once, and asks for a wait past the horizon.
struct Patient;

impl Function for Patient {
    const NAME: &'static str = "patient";
    const DESCRIPTION: &'static str = "Fails once and waits long.";
    type Input = Value;
    type Output = u32;

    async fn run(&self, context: JobContext, _: Value) -> Result<u32, JobError> {
        if context.attempt == 1 {
            return Err(JobError::retry_after(HORIZON * 2, "later"));
        }
        Ok(context.attempt)
    }
}

on_both_databases! {
    async fn a_job_of_a_far_time_is_parked_and_runs_when_it_is_due(kind) {
        let mut env = TestEnv::new(kind).await;
        env.windows = windows(50, HORIZON);
        let (enqueuer, _enqueuing) = env.enqueuer(&env.store, &ReconcileRequest::new());
        let _dispatcher = env.dispatch();
        let _recorder = env.record(&env.store, "one", &Outcomes::new(env.store.clone()));
        let counted = Counted::default();
        let _worker = env.worker(&counted);
        let due = Utc::now() + HORIZON * 2;
        let new = NewJob { run_at: Some(due), ..Counted::job(1) };
        let job = enqueuer.enqueue(new).await.unwrap().job;
        assert_eq!((job.place, job.state), (Place::Parked, JobState::Scheduled));
        let known = async || env.queues.unknown(&env.queue, &[job.id]).await.unwrap().is_empty().then_some(());
        eventually("Redis has it", known).await;
        let early = due - Utc::now();
        assert!(early > TimeDelta::zero(), "it came after its time");
        assert!(early <= TimeDelta::from_std(HORIZON).unwrap(), "it came {early} before its time");
        let depth = env.queues.depth(&env.queue).await.unwrap();
        assert_eq!(depth.scheduled, 1);
        assert_eq!(env.store.job_get(job.id).await.unwrap().unwrap().state, JobState::Scheduled);

        all_completed(&env, 1).await;
        each_ran_once(&counted, &[job.id]);
        let row = env.store.job_get(job.id).await.unwrap().unwrap();
        let late = row.started_at.unwrap() - due;
        assert!(late >= TimeDelta::milliseconds(-1), "it began {late} after its time");
    }

    async fn a_far_next_attempt_is_parked_and_comes_with_the_attempts_that_were_made(kind) {
        let mut env = TestEnv::new(kind).await;
        env.windows = windows(50, HORIZON);
        let (enqueuer, _enqueuing) = env.enqueuer(&env.store, &ReconcileRequest::new());
        let _dispatcher = env.dispatch();
        let _recorder = env.record(&env.store, "one", &Outcomes::new(env.store.clone()));
        let settings = WorkerSettings {
            redis: RedisSettings { horizon: HORIZON, ..env.redis.settings() },
            ..WorkerSettings::default()
        };
        let catalog = Arc::new(Catalog::empty().with(Patient).unwrap());
        let _worker = Role::start(async move |stop| worker::run(settings, catalog, stop).await.unwrap());
        let new = NewJob { function: Patient::NAME.to_owned(), ..new_job(0) };
        let id = enqueuer.enqueue(new).await.unwrap().job.id;
        let parked = async || {
            let row = env.store.job_get(id).await.unwrap().unwrap();
            (row.place == Place::Parked).then_some(row)
        };
        let row = eventually("it is parked", parked).await;
        assert_eq!((row.state, row.attempt), (JobState::Retrying, 1));
        assert_eq!(held(&env).await, 0);
        all_completed(&env, 1).await;
        let row = env.store.job_get(id).await.unwrap().unwrap();
        assert_eq!(row.attempt, 2);
        let waited = row.started_at.unwrap() - env.store.attempt_list(id).await.unwrap()[0].finished_at;
        assert!(waited >= TimeDelta::from_std(HORIZON * 2).unwrap() - TimeDelta::milliseconds(5), "{waited}");
    }
}
