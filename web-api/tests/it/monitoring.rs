//! What the pages for operators ask: the overview, the numbers over time, how long a job still waits, full queues, and many
//! calls in one request.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use jobs::job::QueueName;
use jobs::queue::events::{AttemptError, ErrorKind, JobEvent, Outcome, ReturnReason};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::server::{ApiResponse, TestServer};
use crate::support::{batch, ended, eventually, finished, new_job, on_both_databases};

const DEFAULT: &str = "/api/v1/queues/default";

async fn overview(server: &TestServer) -> Value {
    let answer = server.get("/api/v1/overview").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

fn kinds(overview: &Value) -> Vec<&str> {
    let troubles = overview["troubles"].as_array().unwrap();
    troubles
        .iter()
        .map(|trouble| trouble["kind"].as_str().unwrap())
        .collect()
}

/// Calls with a body of this type.
async fn many(server: &TestServer, kind: &str, body: String) -> ApiResponse {
    let request = server.request(Method::POST, "/api/v1/jobs:batch");
    ApiResponse::of(request.header("content-type", kind).body(body)).await
}

on_both_databases! {
    async fn the_overview_tells_what_there_is_and_what_is_wrong(database) {
        let server = TestServer::idle(database).await;
        let empty = overview(&server).await;
        assert_eq!((&empty["counts"]["queued"], &empty["workers"]), (&json!(0), &json!(0)));
        assert_eq!(empty["troubles"].as_array().unwrap().iter().find(|trouble| trouble["kind"] == "no_worker"), None);

        server.post(&format!("{DEFAULT}/pause"), "").await;
        let first = server.call("echo", &json!({"input": 1})).await;
        server.call("echo", &json!({"input": 2})).await;
        server.call("echo", &json!({"input": 3, "delay_seconds": 600})).await;
        // At once: nothing is counted later.
        let paused = overview(&server).await;
        assert_eq!((&paused["counts"]["queued"], &paused["counts"]["scheduled"]), (&json!(2), &json!(1)));
        let queue = &paused["queues"][0];
        assert_eq!((&queue["name"], &queue["paused"]), (&json!("default"), &json!(true)));
        assert_eq!((&queue["oldest_waiting"]["id"], &queue["oldest_waiting"]["since"]), (&first["id"], &first["created_at"]));
        let trouble = paused["troubles"].as_array().unwrap().iter().find(|trouble| trouble["kind"] == "queue_paused");
        assert_eq!(trouble.unwrap()["message"], "Queue default is paused, and 2 jobs wait in it.");

        server.post(&format!("{DEFAULT}/resume"), "").await;
        assert!(kinds(&overview(&server).await).contains(&"no_worker"));
        server.start_worker();
        let done = eventually("both have run", || async {
            let now = overview(&server).await;
            (now["counts"]["completed"] == 2 && now["workers"] == 1).then_some(now)
        })
        .await;
        assert_eq!(done["queues"][0]["oldest_waiting"], Value::Null);
        assert!(!kinds(&done).contains(&"no_worker"));

        server.redis.kill();
        let away = eventually("Redis is missed", || async {
            let away = overview(&server).await;
            kinds(&away).contains(&"redis_away").then_some(away)
        })
        .await;
        assert_eq!((&away["workers"], &away["counts"]["completed"]), (&Value::Null, &json!(2)));
    }

    async fn what_happened_is_told_step_by_step(database) {
        let server = TestServer::idle(database).await;
        let store = &server.database.store().await;
        let now = Utc::now();
        let jobs: Vec<_> = (0..4).map(new_job).collect();
        store.job_insert_many(&jobs).await.unwrap();
        let error = || AttemptError { kind: ErrorKind::Error, message: "no".to_owned() };
        let retrying = Outcome::Retrying { error: error(), run_at: now, parked: false };
        let events = [batch(vec![
            finished(jobs[0].id, 1),
            ended(jobs[1].id, 1, retrying),
            ended(jobs[2].id, 1, Outcome::Dead { error: error() }),
            JobEvent::Returned { id: jobs[3].id, attempt: 1, reason: ReturnReason::Orphaned, worker: "w".to_owned() },
        ])];
        for _ in 0..2 {
            store.job_apply_events(&events).await.unwrap();
        }
        let stats = server.get("/api/v1/stats").await.json();
        let total = &stats["total"];
        assert_eq!(
            (&total["enqueued"], &total["completed"], &total["failed"], &total["dead"]),
            (&json!(4), &json!(1), &json!(3), &json!(1))
        );
        assert!(total["run"]["p50"].is_number() && total["wait"]["p99"].is_number());
        assert_eq!(stats["step_seconds"], 60);
        let points = stats["points"].as_array().unwrap();
        assert!((60..=62).contains(&points.len()), "{}", points.len());
        assert_eq!((&points[0]["completed"], &points[0]["run"]), (&json!(0), &Value::Null), "nothing is told as well");
        let sum: u64 = points.iter().map(|point| point["enqueued"].as_u64().unwrap()).sum();
        assert_eq!(sum, 4);

        // Folded into hours, of a function, of a queue without any.
        store.stat_fold().await.unwrap();
        let month = (now - TimeDelta::days(28)).format("%Y-%m-%dT%H:%M:%SZ");
        let hours = server.get(&format!("/api/v1/stats?from={month}&function=fibonacci")).await.json();
        assert_eq!((&hours["total"]["enqueued"], &hours["step_seconds"]), (&json!(4), &json!(21_600)));
        assert_eq!(server.get("/api/v1/stats?queue=mail").await.json()["total"]["enqueued"], 0);

        let begin = DateTime::<Utc>::UNIX_EPOCH.format("%Y-%m-%dT%H:%M:%SZ");
        for bad in [
            "step=2m".to_owned(),
            "from=yesterday".to_owned(),
            "to=2020-01-01T00:00:00Z&from=2020-01-01T00:00:00Z".to_owned(),
            format!("from={month}&step=5m"),
            format!("from={begin}&step=1h"),
            "limit=5".to_owned(),
            "queue=No%20queue".to_owned(),
        ] {
            server.get(&format!("/api/v1/stats?{bad}")).await.problem(400, "invalid_parameter");
        }
    }

    async fn a_queued_job_tells_where_it_stands(database) {
        let server = TestServer::idle(database).await;
        server.post(&format!("{DEFAULT}/pause"), "").await;
        let mut ids = Vec::new();
        for number in 0..5 {
            let job = server.call("echo", &json!({"input": number})).await;
            ids.push(job["id"].as_str().unwrap().to_owned());
        }
        let urgent = server.call("echo", &json!({"input": 9, "priority": 1})).await;
        let waiting = async |id: &str| server.get(&format!("/api/v1/jobs/{id}")).await.json()["waiting"].clone();
        let position = |position: u64| json!({"position": position, "exact": true, "estimated_start": null});
        assert_eq!(waiting(urgent["id"].as_str().unwrap()).await, position(1));
        assert_eq!(waiting(&ids[0]).await, position(2));
        assert_eq!(waiting(&ids[4]).await, position(6));
        server.post(&format!("{DEFAULT}/resume"), "").await;
        server.start_worker();
        for id in &ids {
            assert_eq!(server.job_in_state(id, "completed").await["waiting"], Value::Null);
        }
    }

    async fn past_its_limit_a_queue_takes_no_more_until_there_is_room(database) {
        let server = TestServer::idle(database).await;
        let set = server.patch(DEFAULT, &json!({"backlog_limit": 3})).await.json();
        assert_eq!(set["backlog_limit"], 3);
        server.post(&format!("{DEFAULT}/pause"), "").await;
        assert_eq!(server.get(DEFAULT).await.json()["backlog_limit"], 3, "other limits leave it as it is");
        let keyed = || server.request(Method::POST, "/api/v1/functions/echo/jobs").header("idempotency-key", "first").header("content-type", "application/json");
        let first = ApiResponse::of(keyed().body(json!({"input": 1}).to_string())).await.json();
        let unique = json!({"input": 2, "unique_key": "second"});
        let second = server.call("echo", &unique).await;
        let batch = json!({"jobs": [{"function": "echo", "input": 1}]}).to_string();
        let batched = || server.request(Method::POST, "/api/v1/batches").header("idempotency-key", "third").header("content-type", "application/json").body(batch.clone());
        assert_eq!(ApiResponse::of(batched()).await.status, 202);
        let full = async || {
            let answer = server.post("/api/v1/functions/echo/jobs", json!({"input": 3}).to_string()).await;
            (answer.status == 429).then_some(answer)
        };
        let answer = eventually("the queue is full", full).await;
        answer.problem(429, "backlog_full");
        let seconds: u64 = answer.header("retry-after").parse().unwrap();
        assert!((1..=300).contains(&seconds), "{seconds}");
        let jobs = json!({"jobs": [{"function": "echo", "input": 1}]}).to_string();
        server.post("/api/v1/batches", jobs).await.problem(429, "backlog_full");
        let one = json!([{"function": "echo", "input": 1}]).to_string();
        let refused = many(&server, "application/json", one).await.json();
        assert_eq!((&refused["refused"], &refused["results"][0]["problem"]["status"]), (&json!(1), &json!(429)));

        // Who asks for what is there already makes no new job.
        let again = ApiResponse::of(keyed().body(json!({"input": 1}).to_string())).await;
        assert_eq!((again.status.as_u16(), &again.json()["id"]), (202, &first["id"]), "{}", again.text);
        assert_eq!(server.call("echo", &unique).await["id"], second["id"]);
        let again = ApiResponse::of(batched()).await;
        assert_eq!((again.status.as_u16(), again.header("idempotent-replayed")), (202, "true"), "{}", again.text);

        // What was taken in runs, and then there is room.
        server.post(&format!("{DEFAULT}/resume"), "").await;
        server.start_worker();
        server.job_in_state(first["id"].as_str().unwrap(), "completed").await;
        eventually("there is room", || async {
            let answer = server.post("/api/v1/functions/echo/jobs", json!({"input": 4}).to_string()).await;
            (answer.status == 202).then_some(())
        })
        .await;
        assert_eq!(server.patch(DEFAULT, &json!({"backlog_limit": null})).await.json()["backlog_limit"], Value::Null);
        for bad in [json!(0), json!(-1), json!("many")] {
            server.patch(DEFAULT, &json!({"backlog_limit": bad})).await.problem(422, "invalid_input");
        }
    }

    async fn many_calls_are_made_each_for_itself(database) {
        let server = TestServer::idle(database).await;
        let calls = json!([
            {"function": "echo", "input": 1, "idempotency_key": "one"},
            {"function": "fibonacci", "input": {"index": -1}},
            {"function": "nothing", "input": 1},
            "echo",
            {"function": "echo", "input": 2, "priority": 1, "unique_key": "u"},
            {"function": "echo", "input": 5, "colour": "red"},
            {"function": "echo", "input": "\u{0}"},
        ]);
        let answer = many(&server, "application/json", calls.to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let made = answer.json();
        let told = |made: &Value| -> Vec<String> {
            made["results"].as_array().unwrap().iter().map(|result| match result["problem"]["code"].as_str() {
                Some(code) => code.to_owned(),
                None => result["status"].as_str().unwrap().to_owned(),
            }).collect()
        };
        let invalid = "invalid_input";
        assert_eq!(told(&made), ["created", invalid, "unknown_function", invalid, "created", invalid, invalid]);
        assert_eq!((&made["created"], &made["refused"]), (&json!(2), &json!(5)));

        // The same again, line by line: what has a key is there already.
        let lines: Vec<String> = calls.as_array().unwrap().iter().map(Value::to_string).collect();
        let again = many(&server, "application/x-ndjson", lines.join("\n") + "\n\n").await.json();
        assert_eq!(told(&again), ["existing", invalid, "unknown_function", invalid, "existing", invalid, invalid]);
        assert_eq!(again["results"][0]["id"], made["results"][0]["id"]);
        // The key of a call alone is the same key.
        let alone = server.request(Method::POST, "/api/v1/functions/echo/jobs")
            .header("content-type", "application/json").header("idempotency-key", "one");
        let alone = ApiResponse::of(alone.body(json!({"input": 1}).to_string())).await;
        assert_eq!(alone.json()["id"], made["results"][0]["id"]);
        let other = json!([{"function": "echo", "input": 2, "idempotency_key": "one"}]).to_string();
        assert_eq!(told(&many(&server, "application/json", other).await.json()), ["idempotency_key_reused"]);

        server.start_worker();
        let id = made["results"][4]["id"].as_str().unwrap();
        assert_eq!(server.job_in_state(id, "completed").await["priority"], 1);
        for (kind, body, status, code) in [
            ("application/json", "{}", 400, "invalid_json"),
            ("application/json", "[", 400, "invalid_json"),
            ("application/json", "[]", 422, "invalid_input"),
            ("application/x-ndjson", "\n", 422, "invalid_input"),
            ("text/plain", "[]", 415, "unsupported_media_type"),
        ] {
            many(&server, kind, body.to_owned()).await.problem(status, code);
        }
        let too_many = format!("[{}1]", "1,".repeat(10_000));
        many(&server, "application/json", too_many).await.problem(422, "invalid_input");
    }

    async fn ten_thousand_calls_are_made_in_their_order(database) {
        let server = TestServer::idle(database).await;
        let calls: Vec<Value> = (0..10_000).map(|number| json!({"function": "echo", "input": number})).collect();
        let answer = many(&server, "application/json", Value::from(calls).to_string()).await.json();
        assert_eq!(answer["created"], 10_000);
        let results = answer["results"].as_array().unwrap();
        for place in [0, 4_999, 9_999] {
            let id = results[place]["id"].as_str().unwrap();
            assert_eq!(server.get(&format!("/api/v1/jobs/{id}")).await.json()["input"], place);
        }
        let counts = server.database.store().await.job_counts().await.unwrap();
        let queue = QueueName::standard();
        assert_eq!(counts.iter().filter(|count| count.queue == queue).map(|count| count.jobs).sum::<u64>(), 10_000);
        tokio::time::timeout(Duration::from_secs(30), overview(&server)).await.unwrap();
    }
}
