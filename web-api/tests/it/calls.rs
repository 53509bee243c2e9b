//! Calling functions: what is answered at once, what after a wait, and what the same key gives again.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use web_api::domain::job_filter::JobFilter;

use crate::support::server::{ApiResponse, TestServer};
use crate::support::{eventually, on_both_databases};

const VALUES: &str = "/api/values";
const CALL: &str = "/api/v1/functions/fibonacci/jobs";
const F90: &str = "2880067194370816120";

async fn post_with(server: &TestServer, path: &str, headers: &[(&str, &str)], body: Value) -> ApiResponse {
    let request = server.request(Method::POST, path);
    ApiResponse::of(
        headers
            .iter()
            .fold(request, |request, (name, value)| request.header(*name, *value))
            .json(&body),
    )
    .await
}

on_both_databases! {
    async fn a_call_is_recorded_and_runs(database) {
        let server = TestServer::start(database).await;
        let answer = server.post(CALL, "{\"input\": {\"index\": 90}}").await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        let job = answer.json();
        assert_eq!(answer.header("location"), format!("/api/v1/jobs/{}", job["id"].as_str().unwrap()));
        assert_eq!((&job["state"], &job["attempt"], &job["max_attempts"]), (&json!("queued"), &json!(0), &json!(3)));
        assert_eq!((&job["function"], &job["queue"], &job["input"]), (&json!("fibonacci"), &json!("default"), &json!({"index": 90})));
        for absent in ["run_at", "started_at", "finished_at", "error", "output", "output_size", "result_url"] {
            assert!(job.get(absent).is_some_and(Value::is_null), "{absent} in {job}");
        }

        let done = server.job_in_state(job["id"].as_str().unwrap(), "completed").await;
        assert_eq!((&done["output"], &done["output_length"], &done["output_size"]), (&json!(F90), &json!(19), &json!(21)));
        assert_eq!(done["attempt"], 1);
        assert!(done["created_at"].as_str() <= done["started_at"].as_str());
        assert!(done["started_at"].as_str() <= done["finished_at"].as_str());
        let time = done["finished_at"].as_str().unwrap();
        assert!(time.len() == 24 && time.ends_with('Z'), "{time} has milliseconds");
    }

    async fn two_keys_in_one_request_are_refused(database) {
        let server = TestServer::idle(database).await;
        let keys = [("Idempotency-Key", "one"), ("Idempotency-Key", "two")];
        for (path, body) in [
            (CALL, json!({"input": {"index": 90}})),
            (VALUES, json!({"index": 90})),
            ("/api/v1/batches", json!({"jobs": []})),
        ] {
            let problem = post_with(&server, path, &keys, body).await.problem(400, "invalid_parameter");
            assert_eq!(problem["errors"][0]["field"], "Idempotency-Key");
        }
        assert!(server.get("/api/v1/jobs").await.json()["jobs"].as_array().unwrap().is_empty());
    }

    async fn a_call_whose_job_was_pruned_is_not_made_again_while_its_key_is_held(database) {
        let server = TestServer::start(database).await;
        let key = [("Idempotency-Key", "order-1")];
        let call = async |body: Value| post_with(&server, CALL, &key, body).await;
        let id = call(json!({"input": {"index": 90}})).await.json()["id"].as_str().unwrap().to_owned();
        server.job_in_state(&id, "completed").await;
        let store = server.database.store().await;
        store.job_prune(None, chrono::Utc::now() + chrono::TimeDelta::minutes(1), 500).await.unwrap();
        let problem = call(json!({"input": {"index": 90}})).await.problem(410, "key_outlives_job");
        assert!(problem["detail"].as_str().unwrap().contains(&id), "{problem}");
        call(json!({"input": {"index": 91}})).await.problem(422, "idempotency_key_reused");
    }

    async fn waiting_gives_the_value_in_one_call(database) {
        let server = TestServer::start(database).await;
        let answer = server.post("/api/values?wait=10s", "{\"index\":90}").await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let body = answer.json();
        assert_eq!((&body["index"], &body["value"], &body["job"]["state"]), (&json!(90), &json!(F90), &json!("completed")));
        // What is answered is recorded.
        let id = body["job"]["id"].as_str().unwrap();
        let mut recorded = server.get(&format!("/api/v1/jobs/{id}")).await.json();
        let detail = recorded.as_object_mut().unwrap();
        let attempts = detail.remove("attempts").unwrap();
        assert_eq!(detail.remove("waiting"), Some(Value::Null));
        assert_eq!(detail.remove("history"), Some(json!([])));
        assert_eq!(recorded, body["job"]);
        assert_eq!((attempts.as_array().unwrap().len(), &attempts[0]["number"]), (1, &json!(1)));
        assert_eq!(attempts[0]["finished_at"], recorded["finished_at"]);
        let answer = server.post(&format!("{CALL}?wait=10s"), "{\"input\": {\"index\": 0}}").await;
        assert_eq!((answer.status.as_u16(), &answer.json()["output"]), (200, &json!("0")));
        // Too long to lie in the row, but not too long for an answer.
        let body = server.post("/api/values?wait=10s", "{\"index\":50000}").await.json();
        assert_eq!(body["value"].as_str().map(str::len), Some(10_450));
        assert_eq!((&body["job"]["output"], &body["job"]["output_length"]), (&Value::Null, &json!(10_450)));
    }

    async fn a_wait_that_is_over_gives_the_job_as_it_is(database) {
        let server = TestServer::idle(database).await;
        let begin = Instant::now();
        let answer = server.post("/api/values?wait=300ms", "{\"index\":90}").await;
        assert_eq!(answer.status, 202);
        assert!(begin.elapsed() >= Duration::from_millis(300) && begin.elapsed() < Duration::from_secs(5));
        let body = answer.json();
        assert_eq!(body["job"]["state"], "queued");
        assert!(body.get("value").is_none(), "{body}");
    }

    async fn a_caller_that_leaves_costs_nothing(database) {
        let server = TestServer::idle(database).await;
        for _ in 0..20 {
            let request = server.request(Method::POST, "/api/values?wait=60s").timeout(Duration::from_millis(200));
            let error = request.json(&json!({"index": 90})).send().await.unwrap_err();
            assert!(error.is_timeout(), "{error}");
        }
        // Their jobs are recorded and run as any other; the requests are gone.
        server.start_worker();
        eventually("all of them are completed", || async {
            let jobs = server.get("/api/v1/jobs?state=completed").await.json();
            (jobs["jobs"].as_array().unwrap().len() == 20).then_some(())
        })
        .await;
        let metrics = server.get("/metrics").await.text;
        assert!(metrics.contains("path=\"api/values\",status=\"499\""), "{metrics}");
    }

    async fn the_same_key_gives_the_same_job(database) {
        let server = TestServer::start(database).await;
        let key = [("idempotency-key", "order 17")];
        let first = post_with(&server, CALL, &key, json!({"input": {"index": 90}})).await;
        assert_eq!((first.status.as_u16(), first.header("idempotent-replayed")), (202, ""));
        let again = post_with(&server, &format!("{CALL}?wait=10s"), &key, json!({"input": {"index": 90}})).await;
        assert_eq!((again.status.as_u16(), again.header("idempotent-replayed")), (200, "true"));
        assert_eq!((&again.json()["id"], &again.json()["output"]), (&first.json()["id"], &json!(F90)));

        let other = post_with(&server, CALL, &key, json!({"input": {"index": 91}})).await;
        other.problem(422, "idempotency_key_reused");
        let other = post_with(&server, CALL, &key, json!({"input": {"index": 90}, "max_attempts": 1})).await;
        other.problem(422, "idempotency_key_reused");
        let by_another_way = post_with(&server, VALUES, &key, json!({"index": 90})).await;
        assert_eq!(by_another_way.json()["job"]["id"], first.json()["id"]);
        assert_eq!(server.get("/api/v1/jobs").await.json()["jobs"].as_array().unwrap().len(), 1);
    }

    async fn a_key_is_held_for_the_time_that_is_set(database) {
        let server = TestServer::start_with(database, |config| config.server.idempotency_ttl = Duration::ZERO).await;
        let key = [("idempotency-key", "order 17")];
        let first = post_with(&server, CALL, &key, json!({"input": {"index": 90}})).await;
        let other = post_with(&server, CALL, &key, json!({"input": {"index": 91}})).await;
        assert_eq!((other.status.as_u16(), other.header("idempotent-replayed")), (202, ""), "{}", other.text);
        assert_ne!(other.json()["id"], first.json()["id"]);
    }

    async fn a_unique_key_gives_the_job_that_has_it(database) {
        let server = TestServer::idle(database).await;
        let call = |index: u64, options: Value| {
            let mut body = json!({"input": {"index": index}});
            body.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
            post_with(&server, CALL, &[], body)
        };
        let until_finished = || json!({"unique_key": "customer 17"});
        let for_an_hour = || json!({"unique_key": "customer 18", "unique_for_seconds": 3600});
        let (first, hourly) = (call(90, until_finished()).await, call(90, for_an_hour()).await);
        assert_eq!((first.status.as_u16(), first.header("idempotent-replayed")), (202, ""), "{}", first.text);
        let again = call(91, until_finished()).await;
        assert_eq!((again.status.as_u16(), again.header("idempotent-replayed")), (202, "true"));
        assert_eq!(again.json(), first.json());
        assert_eq!(again.header("location"), first.header("location"));

        server.start_worker();
        for job in [&first, &hourly] {
            server.job_in_state(job.json()["id"].as_str().unwrap(), "completed").await;
        }
        let new = call(91, until_finished()).await;
        assert_eq!(new.header("idempotent-replayed"), "");
        assert_ne!(new.json()["id"], first.json()["id"]);
        let same = call(91, for_an_hour()).await;
        assert_eq!((same.status.as_u16(), same.header("idempotent-replayed")), (200, "true"));
        assert_eq!((&same.json()["id"], &same.json()["output"]), (&hourly.json()["id"], &json!(F90)));
    }

    async fn whoever_gets_the_job_of_a_unique_key_may_wait_for_it(database) {
        let server = TestServer::start(database).await;
        let body = || json!({"input": {"index": 90}, "unique_key": "u", "unique_for_seconds": 60});
        let path = format!("{CALL}?wait=20s");
        let calls = (0..20).map(|_| post_with(&server, &path, &[], body()));
        let answers = futures::future::join_all(calls).await;
        for answer in &answers {
            assert_eq!((answer.status.as_u16(), &answer.json()["output"]), (200, &json!(F90)), "{}", answer.text);
            assert_eq!(answer.json()["id"], answers[0].json()["id"]);
        }
        assert_eq!(answers.iter().filter(|answer| answer.header("idempotent-replayed").is_empty()).count(), 1);
    }

    async fn many_calls_at_once_with_one_key_make_one_job(database) {
        let server = TestServer::start(database).await;
        let calls = (0..20).map(|_| post_with(&server, "/api/values?wait=10s", &[("idempotency-key", "k")], json!({"index": 90})));
        let answers = futures::future::join_all(calls).await;
        for answer in &answers {
            assert_eq!((answer.status.as_u16(), &answer.json()["value"]), (200, &json!(F90)), "{}", answer.text);
            assert_eq!(answer.json()["job"]["id"], answers[0].json()["job"]["id"]);
        }
        assert_eq!(server.get("/api/v1/jobs").await.json()["jobs"].as_array().unwrap().len(), 1);
    }

    async fn options_are_kept(database) {
        let server = TestServer::idle(database).await;
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let body = json!({"input": {"index": 1}, "max_attempts": 7, "delay_seconds": 3600});
        let job = post_with(&server, CALL, &[("traceparent", trace)], body).await.json();
        assert_eq!((&job["state"], &job["max_attempts"]), (&json!("scheduled"), &json!(7)));
        let wait = chrono::DateTime::parse_from_rfc3339(job["run_at"].as_str().unwrap()).unwrap().to_utc() - chrono::Utc::now();
        assert!((3_500..=3_600).contains(&wait.num_seconds()), "{wait}");
        let store = server.database.store().await;
        let kept = store.job_list(&JobFilter::default(), None, 1).await.unwrap().jobs.remove(0);
        assert_eq!(kept.traceparent.as_deref(), Some(trace));

        let job = post_with(&server, CALL, &[("traceparent", "nonsense")], json!({"input": {"index": 1}, "run_at": "2020-01-01T00:00:00+02:00"})).await.json();
        assert_eq!((&job["state"], &job["run_at"]), (&json!("queued"), &json!("2019-12-31T22:00:00.000Z")));
    }

    async fn the_values_of_the_demo_are_listed(database) {
        let server = TestServer::start(database).await;
        for index in [90, 1_000, 10_000, 90] {
            assert_eq!(server.post("/api/values?wait=10s", json!({"index": index}).to_string()).await.status, 200);
        }
        let indices = server.get("/api/values/all").await.json();
        let seen: Vec<(u64, u64)> = indices["indices"].as_array().unwrap().iter()
            .map(|index| (index["index"].as_u64().unwrap(), index["times_asked"].as_u64().unwrap())).collect();
        assert_eq!(seen, [(90, 2), (10_000, 1), (1_000, 1)]);
        let values = server.get("/api/values/current").await.json();
        assert_eq!(values.as_object().unwrap().len(), 3);
        assert_eq!(values["90"], F90);
        assert_eq!(values["1000"].as_str().map(str::len), Some(209));
        let shortened = values["10000"].as_str().unwrap();
        assert!(shortened.chars().count() == 201 && shortened.contains('…'), "{shortened}");
    }

    async fn lists_go_page_by_page_and_by_filter(database) {
        let server = TestServer::idle(database).await;
        for index in 0..5 {
            server.post(VALUES, json!({"index": index}).to_string()).await;
        }
        let mut seen = Vec::new();
        let mut path = "/api/v1/jobs?limit=2".to_owned();
        loop {
            let page = server.get(&path).await.json();
            seen.extend(page["jobs"].as_array().unwrap().iter().map(|job| job["input"]["index"].as_u64().unwrap()));
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            path = format!("/api/v1/jobs?limit=2&cursor={cursor}");
        }
        assert_eq!(seen, [4, 3, 2, 1, 0]);
        let count = |query: &'static str| async {
            server.get(query).await.json()["jobs"].as_array().unwrap().len()
        };
        assert_eq!(count("/api/v1/jobs?state=queued&function=fibonacci").await, 5);
        assert_eq!(count("/api/v1/jobs?state=dead").await, 0);
        assert_eq!(count("/api/v1/jobs?function=other").await, 0);
        // As scripts and forms send them. What cannot be empty is refused.
        assert_eq!(count("/api/v1/jobs?function=&worker=&error=&q=").await, 5);
        server.get("/api/v1/jobs?state=&cursor=").await.problem(400, "invalid_parameter");

        let first = server.get("/api/v1/jobs").await;
        let request = server.request(Method::GET, "/api/v1/jobs").header("if-none-match", first.header("etag"));
        let unchanged = ApiResponse::of(request).await;
        assert_eq!((unchanged.status.as_u16(), unchanged.text.as_str()), (304, ""));
    }
}
