//! How a caller may have a job run: each option with its effect, from the call to the end, and refused when it is wrong.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use jobs::catalog::{Catalog, FunctionSettings};
use serde_json::{Value, json};

use crate::support::noted::Noted;
use crate::support::server::TestServer;
use crate::support::{TestDatabase, eventually, on_both_databases};

const CALL: &str = "/api/v1/functions/echo/jobs";

/// With all functions, the queue `mail`, and no worker.
async fn idle(kind: TestDatabase) -> TestServer {
    let functions = FunctionSettings {
        queues: "default,mail".parse().unwrap(),
        ..FunctionSettings::default()
    };
    TestServer::with_functions(kind, Catalog::new(&functions).unwrap(), |_| ()).await
}

async fn started(kind: TestDatabase) -> TestServer {
    let server = idle(kind).await;
    server.start_worker();
    server
}

fn id(job: &Value) -> &str {
    job["id"].as_str().unwrap()
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

/// The waits between the attempts of a job: from the end of each to the time set for the next.
fn waits(job: &Value) -> Vec<TimeDelta> {
    let attempts = job["attempts"].as_array().unwrap();
    attempts
        .windows(2)
        .map(|pair| time(&pair[1]["started_at"]) - time(&pair[0]["finished_at"]))
        .collect()
}

/// The wait that was set before the last attempt, however late that began.
fn last_wait(job: &Value) -> TimeDelta {
    let attempts = job["attempts"].as_array().unwrap();
    time(&job["run_at"]) - time(&attempts[attempts.len() - 2]["finished_at"])
}

/// Waits until all `count` jobs are in Redis, then starts a worker that runs one at a time.
async fn one_at_a_time(server: &TestServer, count: u64) {
    server.until_in_redis(count).await;
    let answer = server
        .patch("/api/v1/queues/default", &json!({"concurrency": 1}))
        .await;
    assert_eq!(answer.status, 200);
    server.start_worker();
}

on_both_databases! {
    async fn an_attempt_takes_no_longer_than_its_timeout(database) {
        let server = started(database).await;
        let body = json!({"input": {"seconds": 600}, "timeout_seconds": 0.2, "max_attempts": 1});
        let job = server.call("sleep", &body).await;
        let job = server.job_in_state(id(&job), "dead").await;
        assert_eq!(job["error"], json!({"kind": "timeout", "message": "took longer than 200ms"}));
        assert_eq!(job["attempts"].as_array().unwrap().len(), 1);
    }

    async fn there_are_as_many_attempts_as_are_allowed(database) {
        let server = started(database).await;
        for allowed in [1, 2, 7] {
            let body = json!({"input": {"failures": 100}, "max_attempts": allowed, "backoff": {"fixed_seconds": [0]}});
            let job = server.call("flaky", &body).await;
            let job = server.job_in_state(id(&job), "dead").await;
            assert_eq!((&job["attempt"], &job["max_attempts"]), (&json!(allowed), &json!(allowed)));
            assert_eq!(job["attempts"].as_array().unwrap().len(), allowed);
        }
    }

    async fn fixed_waits_are_taken_in_turn(database) {
        let server = started(database).await;
        // Longer than the function's own, which are 0.5 and 1 second.
        let body = json!({"input": {"failures": 2}, "backoff": {"fixed_seconds": [0.9, 1.4]}});
        let job = server.call("flaky", &body).await;
        let job = server.job_in_state(id(&job), "completed").await;
        let waits = waits(&job);
        // A millisecond is lost where times are cut to whole ones.
        assert!(waits[0] >= TimeDelta::milliseconds(898) && waits[1] >= TimeDelta::milliseconds(1_398), "{waits:?}");
        let last = last_wait(&job);
        assert!(last < TimeDelta::milliseconds(1_700), "{last}");
    }

    async fn exponential_waits_stay_below_their_cap(database) {
        let server = started(database).await;
        let mut lasts = Vec::new();
        for _ in 0..3 {
            let body = json!({"input": {"failures": 3}, "backoff": {"exponential": {"base_seconds": 0.2, "cap_seconds": 0.3}}});
            let job = server.call("flaky", &body).await;
            lasts.push(last_wait(&server.job_in_state(id(&job), "completed").await));
        }
        // The function's own last wait would be one second.
        assert!(lasts.iter().all(|wait| *wait < TimeDelta::milliseconds(600)), "{lasts:?}");
    }

    async fn a_job_goes_through_the_queue_that_it_names(database) {
        let server = idle(database).await;
        let job = server.call("echo", &json!({"input": 1, "queue": "mail"})).await;
        assert_eq!(job["queue"], "mail");
        eventually("it waits there", || async {
            (server.get("/api/v1/queues/mail").await.json()["queued"] == 1).then_some(())
        })
        .await;
        assert_eq!(server.get("/api/v1/queues/default").await.json()["queued"], 0);
        server.start_worker();
        let job = server.job_in_state(id(&job), "completed").await;
        assert_eq!(job["queue"], "mail");
    }

    async fn who_has_priority_or_a_key_of_its_own_does_not_wait_behind_others(database) {
        let noted = Noted::default();
        let catalog = Catalog::empty().with(noted.clone()).unwrap();
        let server = TestServer::with_functions(database, catalog, |_| ()).await;
        let call = async |more: Value| {
            let mut body = json!({"input": {}});
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let job = server.call("noted", &body).await;
            (id(&job).parse().unwrap(), job)
        };
        let mut last = None;
        for _ in 0..30 {
            last = Some(call(json!({"fairness_key": "many"})).await.0);
        }
        let (late, job) = call(json!({"priority": 9})).await;
        assert_eq!((&job["priority"], &job["fairness_key"]), (&json!(9), &Value::Null));
        let (few, job) = call(json!({"fairness_key": "few"})).await;
        assert_eq!((&job["priority"], &job["fairness_key"]), (&json!(5), &json!("few")));
        let (urgent, job) = call(json!({"priority": 1, "fairness_key": "many"})).await;
        assert_eq!((&job["priority"], &job["fairness_key"]), (&json!(1), &json!("many")));
        one_at_a_time(&server, 33).await;
        eventually("all have begun", || async { (noted.order().len() == 33).then_some(()) }).await;
        assert_eq!(noted.place(urgent), 0);
        assert!(noted.place(few) <= 3, "it was number {}", noted.place(few));
        assert_eq!((noted.place(last.unwrap()), noted.place(late)), (31, 32));
    }

    async fn a_unique_key_gives_the_job_that_has_it_and_is_free_after_its_time(database) {
        let server = idle(database).await;
        let timed = json!({"input": 1, "unique_key": "timed", "unique_for_seconds": 2});
        let first = server.call("echo", &timed).await;
        assert_eq!(id(&server.call("echo", &timed).await), id(&first));
        let open = json!({"input": 1, "unique_key": "open"});
        let unfinished = server.call("echo", &open).await;
        assert_ne!(id(&unfinished), id(&first));
        eventually("the time is over", || async {
            (id(&server.call("echo", &timed).await) != id(&first)).then_some(())
        })
        .await;
        // Its job is not finished, and without a time that is what counts.
        assert_eq!(id(&server.call("echo", &open).await), id(&unfinished));
        server.start_worker();
        server.job_in_state(id(&unfinished), "completed").await;
        assert_ne!(id(&server.call("echo", &open).await), id(&unfinished));
    }

    async fn a_job_begins_at_its_time_and_not_before(database) {
        let server = started(database).await;
        let before = Utc::now();
        let delayed = server.call("echo", &json!({"input": 1, "delay_seconds": 1})).await;
        let at = Utc::now() + Duration::from_millis(1_234);
        let timed = server.call("echo", &json!({"input": 1, "run_at": at})).await;
        assert!(time(&delayed["run_at"]) >= before + Duration::from_millis(999));
        assert_eq!(time(&timed["run_at"]).timestamp_millis(), at.timestamp_millis());
        for job in [&delayed, &timed] {
            assert_eq!(job["state"], "scheduled");
            let due = time(&job["run_at"]);
            let job = server.job_in_state(id(job), "completed").await;
            assert!(time(&job["started_at"]) >= due, "{job}");
        }
        // A time that is over is at once.
        let past = server.call("echo", &json!({"input": 1, "run_at": "2020-01-01T00:00:00Z"})).await;
        assert_eq!(past["state"], "queued");
        server.job_in_state(id(&past), "completed").await;
    }

    async fn wrong_options_are_refused_with_their_place(database) {
        let server = idle(database).await;
        let backoff = "must be {\"fixed_seconds\": [1, 5, 30]} or {\"exponential\": {\"base_seconds\": 2, \"cap_seconds\": 600}}, \
            with waits from 0 to 86,400 seconds and at most 100 of them";
        let key = "must be a text of 1 to 128 characters, none of them U+0000";
        let timeout = "must be a number from 0.1 to 86400";
        let priority = "must be a whole number from 1 to 9";
        for (options, field, message) in [
            (json!({"timeout_seconds": 0}), "/timeout_seconds", timeout),
            (json!({"timeout_seconds": 86_401}), "/timeout_seconds", timeout),
            (json!({"timeout_seconds": "1"}), "/timeout_seconds", timeout),
            (json!({"priority": 0}), "/priority", priority),
            (json!({"priority": 10}), "/priority", priority),
            (json!({"priority": "high"}), "/priority", priority),
            (json!({"fairness_key": ""}), "/fairness_key", key),
            (json!({"fairness_key": "x".repeat(129)}), "/fairness_key", key),
            (json!({"fairness_key": 7}), "/fairness_key", key),
            (json!({"queue": "nothing"}), "/queue", "must be one of default, mail: SPIRAL_QUEUES declares others"),
            (json!({"queue": 7}), "/queue", "must be a text of 1 to 64 characters, none of them U+0000"),
            (json!({"max_attempts": 101}), "/max_attempts", "must be a whole number from 1 to 100"),
            (json!({"delay_seconds": 1.5}), "/delay_seconds", "must be a whole number from 0 to 31,536,000"),
            (json!({"run_at": 1_700_000_000}), "/run_at", "must be a time such as \"2026-01-02T03:04:05Z\""),
            (json!({"backoff": 5}), "/backoff", backoff),
            (json!({"backoff": {}}), "/backoff", backoff),
            (json!({"backoff": {"fixed_seconds": []}}), "/backoff", backoff),
            (json!({"backoff": {"fixed_seconds": vec![1; 101]}}), "/backoff", backoff),
            (json!({"backoff": {"fixed_seconds": [86_401]}}), "/backoff", backoff),
            (json!({"backoff": {"exponential": {"base_seconds": 1}}}), "/backoff", backoff),
            (json!({"backoff": {"exponential": {"base_seconds": -1, "cap_seconds": 1}}}), "/backoff", backoff),
        ] {
            let mut body = json!({"input": 1});
            body.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
            let problem = server.post(CALL, body.to_string()).await.problem(422, "invalid_input");
            assert_eq!(problem["errors"], json!([{"field": field, "message": message}]), "{options}");
        }
        assert_eq!(server.get("/api/v1/jobs").await.json()["jobs"], json!([]));
    }
}
