//! The scheduler as a role of its process, by the real clock, with a real Redis and a worker.

use std::sync::Arc;

use chrono::{SubsecRound, TimeDelta, Utc};
use jobs::catalog::Catalog;
use jobs::job::JobState;
use serde_json::json;
use web_api::db::Store;
use web_api::db::jobs::Job;
use web_api::db::schedules::{Schedule, Written};
use web_api::domain::catch_up::CatchUp;
use web_api::domain::job_filter::JobFilter;
use web_api::services::outcome_waiters::Outcomes;

use crate::schedules::schedule;
use crate::support::roles::Counted;
use crate::support::{TestEnv, eventually, on_both_databases};

/// Due every second from now on, and calls what [`Counted`] counts.
async fn every_second(store: &Store) -> Schedule {
    let schedule = Schedule {
        function: "counted".to_owned(),
        input: json!({ "number": 7 }).into(),
        next_at: Some(Utc::now().trunc_subsecs(0)),
        ..schedule("every second", "@every 1s", CatchUp::All)
    };
    assert_eq!(store.schedule_insert(&schedule).await.unwrap(), Written::Done);
    schedule
}

fn catalog(counted: &Counted) -> Arc<Catalog> {
    Arc::new(Catalog::empty().with(counted.clone()).unwrap())
}

async fn completed(store: &Store) -> Vec<Job> {
    let filter = JobFilter {
        states: vec![JobState::Completed],
        ..JobFilter::default()
    };
    store.job_list(&filter, None, 1_000).await.unwrap().jobs
}

on_both_databases! {
    async fn schedules_that_a_clock_of_next_year_has_moved_go_on_now(kind) {
        let env = TestEnv::new(kind).await;
        let counted = Counted::default();
        let now = Utc::now().trunc_subsecs(0);
        let year = TimeDelta::days(365);
        let moved = |name: &str, cron: &str| Schedule {
            function: "counted".to_owned(),
            input: json!({ "number": 7 }).into(),
            next_at: Some(now + year + TimeDelta::seconds(3)),
            last_at: Some(now + year),
            ..schedule(name, cron, CatchUp::Skip)
        };
        let (every, cron) = (moved("every", "@every 3s"), moved("cron", "* * * * * *"));
        let yearly = Schedule { last_at: None, ..moved("far but right", "@every 9000h") };
        for schedule in [&every, &cron, &yearly] {
            assert_eq!(env.store.schedule_insert(schedule).await.unwrap(), Written::Done);
        }
        let _scheduler = env.schedule(&env.store, catalog(&counted));
        for (id, step) in [(every.id, 3), (cron.id, 1)] {
            let made = eventually("two runs", async || {
                let filter = JobFilter { schedule: Some(id), ..JobFilter::default() };
                let jobs = env.store.job_list(&filter, None, 1_000).await.unwrap().jobs;
                (jobs.len() >= 2).then_some(jobs)
            })
            .await;
            assert!(made.iter().all(|job| job.created_at < now + TimeDelta::minutes(5)));
            let schedule = env.store.schedule_get(id).await.unwrap().unwrap();
            assert!(schedule.next_at.unwrap() < Utc::now() + TimeDelta::seconds(step + 1));
            assert!(schedule.last_at.unwrap() <= Utc::now());
            assert!(schedule.notice.unwrap().contains("a wrong clock"));
        }
        let right = env.store.schedule_get(yearly.id).await.unwrap().unwrap();
        assert_eq!((right.next_at, right.notice), (yearly.next_at, None));
    }

    async fn two_schedulers_share_the_due_times_and_the_jobs_run(kind) {
        let env = TestEnv::new(kind).await;
        let counted = Counted::default();
        let other = env.database.store().await;
        let schedulers = [env.schedule(&env.store, catalog(&counted)), env.schedule(&other, catalog(&counted))];
        let outcomes = Outcomes::new(env.store.clone());
        let (_worker, _recorder) = (env.worker(&counted), env.record(&env.store, "test", &outcomes));
        let _dispatcher = env.dispatch();
        // Made while they run already.
        let first = every_second(&env.store).await;
        eventually("three runs have completed", async || (completed(&env.store).await.len() >= 3).then_some(())).await;
        for scheduler in schedulers {
            scheduler.stop().await;
        }
        let last = env.store.schedule_get(first.id).await.unwrap().unwrap();
        let due_times = (last.last_at.unwrap() - first.next_at.unwrap()).num_seconds() + 1;
        let filter = JobFilter { schedule: Some(first.id), ..JobFilter::default() };
        let jobs = env.store.job_list(&filter, None, 1_000).await.unwrap().jobs;
        assert_eq!(i64::try_from(jobs.len()).unwrap(), due_times, "one job for each due time");
        assert_eq!(jobs[0].schedule, Some(first.id));
        assert!(jobs.iter().any(|job| Some(job.id) == last.last_job));
        eventually("all have run once", async || jobs.iter().all(|job| counted.runs(job.id) == 1).then_some(())).await;
    }

    async fn due_times_that_come_while_redis_is_away_run_when_it_is_back(kind) {
        let env = TestEnv::new(kind).await;
        let counted = Counted::default();
        env.redis.kill();
        let dispatcher = env.dispatch();
        let scheduler = env.schedule(&env.store, catalog(&counted));
        let schedule = every_second(&env.store).await;
        let filter = JobFilter { schedule: Some(schedule.id), ..JobFilter::default() };
        let made = eventually("two rows are made", async || {
            let jobs = env.store.job_list(&filter, None, 1_000).await.unwrap().jobs;
            (jobs.len() >= 2).then_some(jobs)
        })
        .await;
        assert!(made.iter().all(|job| job.state == JobState::Queued));
        env.redis.launch();
        let outcomes = Outcomes::new(env.store.clone());
        let (_worker, _recorder) = (env.worker(&counted), env.record(&env.store, "test", &outcomes));
        eventually("they have run", async || made.iter().all(|job| counted.runs(job.id) == 1).then_some(())).await;
        scheduler.stop().await;
        dispatcher.stop().await;
    }
}
