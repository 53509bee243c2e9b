//! What an operator does to one job: run it again, run it now, change its input, delete it; and who is in the way.

use std::time::Duration;

use chrono::{SubsecRound, TimeDelta, Utc};
use jobs::job::{JobId, JobState, QueueName};
use jobs::queue::events::{AttemptError, ErrorKind, EventBatch, JobEvent, Outcome};
use reqwest::Method;
use serde_json::{Value, json};
use web_api::db::Store;
use web_api::db::job_history::Cause;
use web_api::db::jobs::Job;
use web_api::services::outcome_waiters::Outcomes;
use web_api::services::reconciler::ReconcileRequest;
use web_api::services::retry;

use crate::support::roles::Counted;
use crate::support::server::{ApiResponse, TestServer};
use crate::support::{Database, TestEnv, batch, ended, eventually, finished, new_job, on_both_databases};

async fn call(server: &TestServer, function: &str, body: Value) -> String {
    let path = format!("/api/v1/functions/{function}/jobs");
    let answer = server.post(&path, body.to_string()).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    answer.json()["id"].as_str().unwrap().to_owned()
}

async fn act(server: &TestServer, id: &str, action: &str) -> ApiResponse {
    server.post(&format!("/api/v1/jobs/{id}/{action}"), "").await
}

async fn change(server: &TestServer, id: &str, body: Value) -> ApiResponse {
    let request = server.request(Method::PATCH, &format!("/api/v1/jobs/{id}"));
    ApiResponse::of(
        request
            .header("content-type", "application/json")
            .body(body.to_string()),
    )
    .await
}

async fn delete(server: &TestServer, id: &str) -> ApiResponse {
    ApiResponse::of(server.request(Method::DELETE, &format!("/api/v1/jobs/{id}"))).await
}

/// Until the queue in Redis has so many that wait for a worker, and for their time.
/// In Redis: the API counts those as well that SQL keeps.
async fn depth(server: &TestServer, queued: u64, scheduled: u64) {
    let queues = server.queues().await;
    eventually(&format!("{queued} queued and {scheduled} scheduled"), || async {
        let depth = queues.depth(&QueueName::standard()).await.unwrap();
        (depth.queued == queued && depth.scheduled == scheduled).then_some(())
    })
    .await;
}

fn dead(id: JobId, attempt: u32) -> JobEvent {
    let error = AttemptError {
        kind: ErrorKind::Error,
        message: "refused".to_owned(),
    };
    ended(id, attempt, Outcome::Dead { error })
}

async fn job(store: &Store, id: JobId) -> Job {
    store.job_get(id).await.unwrap().unwrap()
}

async fn in_state(store: &Store, id: JobId, state: JobState, attempt: u32) -> Job {
    eventually(&format!("the job is {state} after attempt {attempt}"), || async {
        let job = job(store, id).await;
        (job.state == state && job.attempt == attempt).then_some(job)
    })
    .await
}

on_both_databases! {
    async fn a_dead_job_runs_again_with_all_its_attempts(kind) {
        let server = TestServer::start(kind).await;
        let body = json!({"input": {"failures": 3, "output": "done"}, "max_attempts": 2, "backoff": {"fixed_seconds": [0]}});
        let id = call(&server, "flaky", body).await;
        server.job_in_state(&id, "dead").await;
        let answer = act(&server, &id, "retry").await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        assert_eq!(answer.header("location"), format!("/api/v1/jobs/{id}"));
        let job = answer.json();
        assert_eq!((&job["state"], &job["attempt"], &job["max_attempts"]), (&json!("queued"), &json!(2), &json!(4)));
        assert!(job["finished_at"].is_null());
        let job = server.job_in_state(&id, "completed").await;
        assert_eq!((&job["attempt"], &job["output"]), (&json!(4), &json!("done")));
        let numbers: Vec<&Value> = job["attempts"].as_array().unwrap().iter().map(|attempt| &attempt["number"]).collect();
        assert_eq!(numbers, [1, 2, 3, 4]);
        // One that has completed, too.
        assert_eq!(act(&server, &id, "retry").await.status, 202);
        eventually("it has completed again", || async {
            let job = server.get(&format!("/api/v1/jobs/{id}")).await.json();
            (job["state"] == "completed" && job["attempt"] == 5).then_some(())
        })
        .await;
    }

    async fn a_cancelled_job_runs_again(kind) {
        let server = TestServer::idle(kind).await;
        let id = call(&server, "echo", json!({"input": 7, "delay_seconds": 3600})).await;
        act(&server, &id, "retry").await.problem(409, "wrong_state");
        assert_eq!(act(&server, &id, "cancel").await.status, 200);
        let answer = act(&server, &id, "retry").await;
        assert_eq!((answer.status.as_u16(), &answer.json()["state"]), (202, &json!("queued")));
        act(&server, &id, "retry").await.problem(409, "wrong_state");
        act(&server, "nothing", "retry").await.problem(404, "unknown_job");
        server.start_worker();
        let job = server.job_in_state(&id, "completed").await;
        assert_eq!((&job["attempt"], &job["output"]), (&json!(1), &json!(7)));
    }

    /// No fetch comes to it meanwhile, as in a queue that is paused.
    async fn a_job_that_was_cancelled_in_redis_runs_again_at_once(kind) {
        let server = TestServer::idle(kind).await;
        let id = call(&server, "fibonacci", json!({"input": {"index": 10}, "fairness_key": "a"})).await;
        for _ in 0..3 {
            depth(&server, 1, 0).await;
            let cancelled = act(&server, &id, "cancel").await;
            assert_eq!((cancelled.status.as_u16(), &cancelled.json()["state"]), (200, &json!("cancelled")), "{}", cancelled.text);
            assert_eq!(act(&server, &id, "retry").await.status, 202);
        }
        server.start_worker();
        let job = server.job_in_state(&id, "completed").await;
        assert_eq!(job["attempt"], 1);
    }

    async fn who_has_the_unique_key_of_a_job_now_is_told_to_who_wants_it_to_run_again(kind) {
        let server = TestServer::idle(kind).await;
        let body = json!({"input": {"index": 1}, "unique_key": "customer-17", "delay_seconds": 3600});
        let first = call(&server, "fibonacci", body.clone()).await;
        assert!(act(&server, &first, "cancel").await.status.is_success());
        server.job_in_state(&first, "cancelled").await;
        let second = call(&server, "fibonacci", body.clone()).await;
        assert_ne!(first, second);
        let problem = act(&server, &first, "retry").await.problem(409, "unique_key_taken");
        assert!(problem["detail"].as_str().unwrap().contains(&second), "{problem}");
        assert!(act(&server, &second, "cancel").await.status.is_success());
        server.job_in_state(&second, "cancelled").await;
        assert_eq!(act(&server, &first, "retry").await.status, 202);
        // It has the key again.
        assert_eq!(call(&server, "fibonacci", body).await, first);
    }

    async fn of_many_who_run_a_job_again_one_does(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let new = new_job(1);
        store.job_insert_many(std::slice::from_ref(&new)).await.unwrap();
        store.job_apply_events(&[batch(vec![dead(new.id, 1)])]).await.unwrap();
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let (store, queue, id) = (store.clone(), new.queue.clone(), new.id);
                tokio::spawn(async move { store.job_retry(&queue, &[id], Utc::now()).await.unwrap().len() })
            })
            .collect();
        let mut done = 0;
        for task in tasks {
            done += task.await.unwrap();
        }
        assert_eq!(done, 1);
        assert_eq!(job(&store, new.id).await.max_attempts, 1 + new.max_attempts);
    }

    async fn a_job_that_runs_again_waits_since_then_and_has_no_attempt_yet(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let new = new_job(1);
        store.job_insert_many(std::slice::from_ref(&new)).await.unwrap();
        let now = Utc::now().trunc_subsecs(3);
        let at = |seconds: i64, event: JobEvent| EventBatch { at: now + TimeDelta::seconds(seconds), ..batch(vec![event]) };
        store.job_apply_events(&[at(0, finished(new.id, 1))]).await.unwrap();
        let wanted = now + TimeDelta::seconds(60);
        let again = store.job_retry(&new.queue, &[new.id], wanted).await.unwrap();
        assert_eq!((again[0].started_at, &again[0].worker), (None, &None));
        let applied = store.job_apply_events(&[at(61, finished(new.id, 2))]).await.unwrap();
        assert_eq!(applied.changes[0].could_run, Some(wanted));
    }

    async fn what_is_told_of_an_earlier_life_changes_nothing(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let new = new_job(1);
        store.job_insert_many(std::slice::from_ref(&new)).await.unwrap();
        let now = Utc::now();
        let at = |seconds: i64, event: JobEvent| EventBatch {
            at: now + TimeDelta::seconds(seconds),
            ..batch(vec![event])
        };
        let cancelled = |attempt| JobEvent::Cancelled { id: new.id, attempt, function: "fibonacci".to_owned() };
        let first = [at(0, dead(new.id, 3))];
        store.job_apply_events(&first).await.unwrap();
        let again = store.job_retry(&new.queue, &[new.id], now + TimeDelta::seconds(1)).await.unwrap();
        assert_eq!((again[0].attempt, again[0].max_attempts), (3, 6));
        for stale in [&first[0], &at(0, cancelled(3)), &at(0, finished(new.id, 3))] {
            store.job_apply_events(std::slice::from_ref(stale)).await.unwrap();
            assert_eq!(job(&store, new.id).await.state, JobState::Queued);
        }
        // Read together, the end of the earlier life must not hide that of the new one.
        let both = [first[0].clone(), at(2, finished(new.id, 4))];
        let applied = store.job_apply_events(&both).await.unwrap();
        assert_eq!(applied.changes.len(), 1);
        let job = job(&store, new.id).await;
        assert_eq!((job.state, job.attempt), (JobState::Completed, 4));
        assert_eq!(job.error, None);
    }

    async fn a_job_that_runs_again_and_is_lost_with_redis_runs_once(kind) {
        let env = TestEnv::new(kind).await;
        let outcomes = Outcomes::new(env.store.clone());
        let recording = env.record(&env.store, "recorder", &outcomes);
        let dispatching = env.dispatch();
        let counted = Counted::default();
        let worker = env.worker(&counted);
        let mut new = Counted::job(1);
        new.input = json!({"number": 1, "give_up": "no"}).into();
        env.store.job_insert_many(std::slice::from_ref(&new)).await.unwrap();
        in_state(&env.store, new.id, JobState::Dead, 1).await;
        worker.stop().await;

        let retry = retry::run(&env.store, &env.queues, &env.windows, &env.queue, &[new.id], &Cause::unknown()).await.unwrap();
        assert_eq!(retry.len(), 1);
        eventually("it is in Redis", || async {
            env.queues.unknown(&env.queue, &[new.id]).await.unwrap().is_empty().then_some(())
        })
        .await;
        // The reconciler knows this Redis, so that it sees another one.
        let wake = ReconcileRequest::new();
        let reconciling = env.reconcile(&wake, Duration::from_millis(200));
        env.redis.wipe();
        env.no_limits().await;
        eventually("it is in Redis again", || async {
            env.queues.unknown(&env.queue, &[new.id]).await.ok()?.is_empty().then_some(())
        })
        .await;
        let worker = env.worker(&counted);
        in_state(&env.store, new.id, JobState::Dead, 2).await;
        assert_eq!(counted.runs(new.id), 2);
        for role in [worker, reconciling, dispatching, recording] {
            role.stop().await;
        }
    }

    async fn a_job_that_waits_for_its_time_runs_now(kind) {
        let server = TestServer::idle(kind).await;
        server.wait_until_ready().await;
        // One that SQL keeps, and one that Redis holds.
        let parked = call(&server, "echo", json!({"input": 1, "delay_seconds": 3600})).await;
        let scheduled = call(&server, "echo", json!({"input": 2, "delay_seconds": 50})).await;
        depth(&server, 0, 1).await;
        for id in [&parked, &scheduled, &scheduled] {
            let answer = act(&server, id, "run-now").await;
            assert_eq!((answer.status.as_u16(), &answer.json()["state"]), (202, &json!("queued")), "{}", answer.text);
        }
        depth(&server, 2, 0).await;
        server.start_worker();
        for id in [&parked, &scheduled] {
            server.job_in_state(id, "completed").await;
            act(&server, id, "run-now").await.problem(409, "wrong_state");
        }
        // And one whose next attempt is far off.
        let body = json!({"input": {"failures": 1, "output": 3}, "backoff": {"fixed_seconds": [3000]}});
        let retrying = call(&server, "flaky", body).await;
        server.job_in_state(&retrying, "retrying").await;
        assert_eq!(act(&server, &retrying, "run-now").await.status, 202);
        server.job_in_state(&retrying, "completed").await;
    }

    async fn a_job_that_waits_gets_another_input(kind) {
        let server = TestServer::idle(kind).await;
        server.wait_until_ready().await;
        let parked = call(&server, "fibonacci", json!({"input": {"index": 1}, "delay_seconds": 3600})).await;
        let queued = call(&server, "fibonacci", json!({"input": {"index": 2}})).await;
        depth(&server, 1, 0).await;
        for id in [&parked, &queued] {
            let answer = change(&server, id, json!({"input": {"index": 90}})).await;
            assert_eq!((answer.status.as_u16(), &answer.json()["input"]["index"]), (200, &json!(90)), "{}", answer.text);
        }
        let problem = change(&server, &queued, json!({"input": {"index": -1}})).await.problem(422, "invalid_input");
        assert_eq!(problem["errors"][0]["field"], "/input/index");
        change(&server, &queued, json!({})).await.problem(422, "invalid_input");
        change(&server, &queued, json!({"input": {"index": 1}, "priority": 1})).await.problem(422, "invalid_input");
        server.start_worker();
        act(&server, &parked, "run-now").await;
        for id in [&parked, &queued] {
            assert_eq!(server.job_in_state(id, "completed").await["output"], "2880067194370816120");
            change(&server, id, json!({"input": {"index": 1}})).await.problem(409, "wrong_state");
        }
        let running = call(&server, "sleep", json!({"input": {"seconds": 600}})).await;
        server.job_in_state(&running, "running").await;
        change(&server, &running, json!({"input": {"seconds": 1}})).await.problem(409, "wrong_state");
    }

    async fn only_what_has_ended_is_deleted(kind) {
        let server = TestServer::idle(kind).await;
        let id = call(&server, "echo", json!({"input": 1, "delay_seconds": 3600})).await;
        delete(&server, &id).await.problem(409, "wrong_state");
        act(&server, &id, "cancel").await;
        let answer = delete(&server, &id).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""));
        delete(&server, &id).await.problem(404, "unknown_job");
        server.get(&format!("/api/v1/jobs/{id}")).await.problem(404, "unknown_job");
        // A batch counts its jobs until it has finished.
        let body = json!({"jobs": [{"function": "echo", "input": 1, "delay_seconds": 3600}, {"function": "echo", "input": 2, "delay_seconds": 3600}]});
        let made = server.post("/api/v1/batches", body.to_string()).await.json();
        let page = server.get(&format!("/api/v1/jobs?batch={}", made["id"].as_str().unwrap())).await.json();
        let first = page["jobs"][0]["id"].as_str().unwrap();
        act(&server, first, "cancel").await;
        delete(&server, first).await.problem(409, "batch_under_way");
    }

    async fn pages_see_that_a_job_is_run_again(kind) {
        let server = TestServer::idle(kind).await;
        let mut events = crate::support::events::EventClient::begin(&server).await;
        let id = call(&server, "echo", json!({"input": 1, "delay_seconds": 3600})).await;
        act(&server, &id, "cancel").await;
        act(&server, &id, "retry").await;
        loop {
            let event = events.next_named().await;
            if event.data["run_again"] == true {
                assert_eq!((&event.data["id"], &event.data["state"]), (&json!(id), &json!("queued")));
                break;
            }
        }
    }
}
