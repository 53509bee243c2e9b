//! SQL and the queue come into agreement again: what was lost runs, what has finished does not run again.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use chrono::{SubsecRound as _, TimeDelta, Utc};
use futures::future::join_all;
use jobs::job::{JobId, JobState};
use web_api::db::jobs::{Job, NewJob, Place};
use web_api::services::outcome_waiters::Outcomes;
use web_api::services::reconciler::ReconcileRequest;

use crate::support::{
    TestEnv, database::until_completed, dispatched, eventually, on_both_databases, roles::Counted,
};

const MIN_AGE: Duration = Duration::from_millis(300);

/// Waits until the queue knows this job.
async fn known(env: &TestEnv, id: JobId) {
    let known = async || {
        env.queues
            .unknown(&env.queue, &[id])
            .await
            .ok()?
            .is_empty()
            .then_some(())
    };
    eventually("the queue knows the job", known).await;
}

/// A job of ten minutes ago, which Redis should hold.
fn old(number: u64) -> NewJob {
    let then = Utc::now() - TimeDelta::minutes(10) + TimeDelta::milliseconds(i64::try_from(number).unwrap());
    NewJob {
        id: JobId::lower_bound(then),
        ..dispatched(Counted::job(number))
    }
}

/// Records what happens, each time only after a while.
async fn record_late(env: &TestEnv, late: Duration) {
    let mut recorder = env.queues.recorder(std::slice::from_ref(&env.queue), "late");
    let mut read = VecDeque::new();
    loop {
        let batches = recorder.read(Duration::from_millis(100)).await.unwrap();
        read.push_back((Instant::now(), batches));
        while read.front().is_some_and(|(at, _)| at.elapsed() > late) {
            let (_, batches) = read.pop_front().unwrap();
            env.store.job_apply_events(&batches).await.unwrap();
            env.pulse.passed();
            recorder.ack(&batches).await.unwrap();
        }
    }
}

on_both_databases! {
    async fn a_recorder_that_stays_far_behind_does_not_stop_the_reconciler(kind) {
        let env = TestEnv::new(kind).await;
        let lost = old(1);
        env.store.job_insert_many(std::slice::from_ref(&lost)).await.unwrap();
        let _reconciler = env.reconcile(&ReconcileRequest::new(), MIN_AGE);
        // Longer than a round waits, and something new happens all the time.
        let recording = record_late(&env, Duration::from_secs(13));
        let telling = async {
            loop {
                env.queues.announce_many(&env.queue, 1).await.unwrap();
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let taken_back = eventually("the lost job waits again", || async {
            let job = env.store.job_get(lost.id).await.unwrap().unwrap();
            (job.place == Place::Backlog).then_some(())
        });
        tokio::select! {
            () = recording => {}
            () = telling => {}
            () = taken_back => {}
        }
    }

    async fn what_was_dispatched_by_a_clock_that_was_a_year_ahead_is_not_lost(kind) {
        let env = TestEnv::new(kind).await;
        let mut lost = old(1);
        lost.place = Place::Window((Utc::now() + TimeDelta::days(365)).trunc_subsecs(3));
        env.store.job_insert_many(std::slice::from_ref(&lost)).await.unwrap();
        let _recorder = env.record(&env.store, "one", &Outcomes::new(env.store.clone()));
        let _reconciler = env.reconcile(&ReconcileRequest::new(), MIN_AGE);
        eventually("the lost job waits again", || async {
            let job = env.store.job_get(lost.id).await.unwrap().unwrap();
            (job.place == Place::Backlog).then_some(())
        })
        .await;
    }

    async fn what_was_enqueued_while_redis_was_away_runs_when_it_is_back(kind) {
        let env = TestEnv::new(kind).await;
        let wake = ReconcileRequest::new();
        let (enqueuer, _enqueuing) = env.enqueuer(&env.store, &wake);
        let _dispatcher = env.dispatch();
        let _reconciler = env.reconcile(&wake, MIN_AGE);
        let _recorder = env.record(&env.store, "one", &Outcomes::new(env.store.clone()));
        let counted = Counted::default();
        let _worker = env.worker(&counted);
        let first = enqueuer.enqueue(Counted::job(0)).await.unwrap().job.id;
        until_completed(&env.database, 1).await;

        env.redis.kill();
        let answers = join_all((1..=700).map(|number| enqueuer.enqueue(Counted::job(number)))).await;
        let mut ids: Vec<JobId> = answers.into_iter().map(|answer| answer.unwrap().job.id).collect();
        ids.push(first);
        env.redis.launch();
        until_completed(&env.database, 701).await;
        assert!(ids.iter().all(|id| counted.runs(*id) == 1), "each ran once");
    }

    async fn a_queue_that_comes_back_empty_gets_the_unfinished_jobs_and_no_other(kind) {
        let env = TestEnv::new(kind).await;
        let wake = ReconcileRequest::new();
        let (enqueuer, _enqueuing) = env.enqueuer(&env.store, &wake);
        let _dispatcher = env.dispatch();
        let _reconciler = env.reconcile(&wake, MIN_AGE);
        let _recorder = env.record(&env.store, "one", &Outcomes::new(env.store.clone()));
        let counted = Counted::default();
        let worker = env.worker(&counted);
        let done: Vec<JobId> = join_all((0..20).map(|number| enqueuer.enqueue(Counted::job(number))))
            .await.into_iter().map(|answer| answer.unwrap().job.id).collect();
        until_completed(&env.database, 20).await;
        worker.stop().await;

        // Some wait, some run, when everything in Redis is gone.
        let stuck = Counted::gated();
        let stuck_worker = env.worker(&stuck);
        let running = enqueuer.enqueue(Counted::job(100)).await.unwrap().job.id;
        let state = async || {
            let job = env.store.job_get(running).await.unwrap().unwrap();
            (job.state == JobState::Running).then_some(())
        };
        eventually("one runs", state).await;
        drop(stuck_worker);
        let waiting: Vec<JobId> = join_all((200..210).map(|number| enqueuer.enqueue(Counted::job(number))))
            .await.into_iter().map(|answer| answer.unwrap().job.id).collect();
        known(&env, waiting[9]).await;
        env.redis.wipe();
        env.no_limits().await;

        for id in waiting.iter().chain([&running]) {
            known(&env, *id).await;
        }
        let depth = env.queues.depth(&env.queue).await.unwrap();
        assert_eq!((depth.queued, depth.scheduled, depth.running), (11, 0, 0));
        assert_eq!(env.queues.unknown(&env.queue, &done).await.unwrap(), done, "what has finished stays away");
        let row = env.store.job_get(running).await.unwrap().unwrap();
        assert_eq!((row.state, row.attempt), (JobState::Queued, 1), "it runs no more, and the row says so");

        let _worker = env.worker(&counted);
        until_completed(&env.database, 31).await;
        assert!(done.iter().chain(&waiting).all(|id| counted.runs(*id) == 1), "each ran once");
        let row = env.store.job_get(running).await.unwrap().unwrap();
        assert_eq!((counted.runs(running), row.attempt), (1, 2), "an attempt of its own");
    }

    /// Finished in Redis, unfinished in SQL: that is not lost, the outcome is on its way.
    async fn what_has_finished_and_is_not_recorded_yet_is_not_pushed_again(kind) {
        let env = TestEnv::new(kind).await;
        let wake = ReconcileRequest::new();
        let (enqueuer, _enqueuing) = env.enqueuer(&env.store, &wake);
        let counted = Counted::default();
        let _worker = env.worker(&counted);
        let outcomes = Outcomes::new(env.store.clone());
        // So that there is a group whose progress can be asked for.
        env.record(&env.store, "one", &outcomes).stop().await;
        let ids: Vec<JobId> = join_all((0..20).map(|number| enqueuer.enqueue(Counted::job(number))))
            .await.into_iter().map(|answer| answer.unwrap().job.id).collect();
        let lost = enqueue_unpushed(&env, 100).await;
        let done = async || {
            let unknown = env.queues.unknown(&env.queue, &ids).await.unwrap();
            (unknown.len() == ids.len()).then_some(())
        };
        eventually("all have run", done).await;

        let _dispatcher = env.dispatch();
        let _reconciler = env.reconcile(&wake, Duration::ZERO);
        // It has every reason to look, and nothing to push before the outcomes are known.
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(env.queues.unknown(&env.queue, &[lost]).await.unwrap(), [lost]);
        let _recorder = env.record(&env.store, "one", &outcomes);
        until_completed(&env.database, 21).await;
        assert!(ids.iter().chain([&lost]).all(|id| counted.runs(*id) == 1), "each ran once");
    }

    async fn rows_whose_first_push_may_be_under_way_are_left_alone(kind) {
        let env = TestEnv::new(kind).await;
        let _recorder = env.record(&env.store, "one", &Outcomes::new(env.store.clone()));
        // So that it is young still when the reconciler, which waits for that age too, makes its round.
        let soon = Utc::now().trunc_subsecs(3) + TimeDelta::seconds(20);
        let fresh = NewJob { place: Place::Window(soon), ..Counted::job(2) };
        let forgotten = old(1);
        env.store.job_insert_many(&[forgotten.clone(), fresh.clone()]).await.unwrap();
        let _dispatcher = env.dispatch();
        let reconciler = env.reconcile(&ReconcileRequest::new(), MIN_AGE);
        known(&env, forgotten.id).await;
        reconciler.stop().await;
        assert_eq!(env.queues.unknown(&env.queue, &[fresh.id]).await.unwrap(), [fresh.id]);
    }

    async fn a_long_backlog_is_walked_page_by_page(kind) {
        let env = TestEnv::new(kind).await;
        let _recorder = env.record(&env.store, "one", &Outcomes::new(env.store.clone()));
        let new: Vec<NewJob> = (0..1_700).map(old).collect();
        for jobs in new.chunks(500) {
            env.store.job_insert_many(jobs).await.unwrap();
        }
        // Some are there already, here and there.
        let some: Vec<JobId> = new.iter().step_by(3).map(|job| job.id).collect();
        let rows = env.store.job_get_many(&some).await.unwrap();
        let envelopes: Vec<_> = rows.iter().map(Job::envelope).collect();
        env.queues.push(&env.queue, &envelopes).await.unwrap();

        let _dispatcher = env.dispatch();
        let reconciler = env.reconcile(&ReconcileRequest::new(), MIN_AGE);
        let ids: Vec<JobId> = new.iter().map(|job| job.id).collect();
        let all = async || env.queues.unknown(&env.queue, &ids).await.ok()?.is_empty().then_some(());
        eventually("all are in the queue", all).await;
        assert_eq!(env.queues.depth(&env.queue).await.unwrap().queued, 1_700, "each of them once");
        reconciler.stop().await;
    }

    async fn jobs_that_wait_for_their_time_are_lost_and_found_too(kind) {
        let env = TestEnv::new(kind).await;
        let _recorder = env.record(&env.store, "one", &Outcomes::new(env.store.clone()));
        let later = NewJob { run_at: Some(Utc::now() + TimeDelta::seconds(50)), ..old(1) };
        env.store.job_insert_many(std::slice::from_ref(&later)).await.unwrap();
        let _dispatcher = env.dispatch();
        let _reconciler = env.reconcile(&ReconcileRequest::new(), MIN_AGE);
        known(&env, later.id).await;
        let depth = env.queues.depth(&env.queue).await.unwrap();
        assert_eq!((depth.queued, depth.scheduled), (0, 1));
        assert_eq!(env.store.job_get(later.id).await.unwrap().unwrap().state, JobState::Scheduled);
    }

    async fn a_reconciler_that_starts_without_redis_works_when_it_is_there(kind) {
        let env = TestEnv::new(kind).await;
        let lost = old(1);
        env.store.job_insert_many(std::slice::from_ref(&lost)).await.unwrap();
        env.redis.kill();
        let _dispatcher = env.dispatch();
        let _reconciler = env.reconcile(&ReconcileRequest::new(), MIN_AGE);
        let _recorder = env.record(&env.store, "one", &Outcomes::new(env.store.clone()));
        tokio::time::sleep(Duration::from_millis(200)).await;
        env.redis.launch();
        known(&env, lost.id).await;
    }
}

/// A row of ten minutes ago that never reached the queue.
async fn enqueue_unpushed(env: &TestEnv, number: u64) -> JobId {
    let job = old(number);
    env.store
        .job_insert_many(std::slice::from_ref(&job))
        .await
        .unwrap();
    job.id
}
