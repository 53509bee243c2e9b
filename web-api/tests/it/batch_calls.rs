//! Batches over HTTP, with a worker and a function that is called when all is done.

use std::time::Duration;

use jobs::catalog::{Catalog, FunctionSettings};
use jobs::context::JobContext;
use jobs::function::{Function, JobError};
use reqwest::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use web_api::config::Config;
use web_api::domain::job_filter::JobFilter;

use crate::support::roles::Counted;
use crate::support::server::{ApiResponse, TestServer};
use crate::support::{TestDatabase, eventually, on_both_databases};

const BATCHES: &str = "/api/v1/batches";

/// What a batch tells the function that it calls for.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Summary {
    id: String,
    total: u64,
    completed: u64,
    dead: u64,
    cancelled: u64,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ReportInput {
    /// For whom.
    to: String,
    batch: Summary,
}

/// Returns what it was told.
struct Report;

impl Function for Report {
    const NAME: &'static str = "report";
    const DESCRIPTION: &'static str = "Reports on a batch.";
    type Input = ReportInput;
    type Output = ReportInput;

    async fn run(&self, _context: JobContext, input: ReportInput) -> Result<ReportInput, JobError> {
        Ok(input)
    }
}

fn functions(counted: &Counted) -> Catalog {
    let catalog = Catalog::new(&FunctionSettings::default()).unwrap();
    catalog.with(counted.clone()).unwrap().with(Report).unwrap()
}

async fn idle(kind: TestDatabase) -> TestServer {
    set_up(kind, |_| ()).await
}

async fn set_up(kind: TestDatabase, set_up: impl FnOnce(&mut Config)) -> TestServer {
    TestServer::with_functions(kind, functions(&Counted::default()), set_up).await
}

fn call(index: u64) -> Value {
    json!({"function": "fibonacci", "input": {"index": index}})
}

fn calls(count: u64) -> Vec<Value> {
    (0..count).map(call).collect()
}

fn path(batch: &Value) -> String {
    format!("{BATCHES}/{}", batch["id"].as_str().unwrap())
}

async fn made(server: &TestServer, body: Value) -> Value {
    let answer = server.post(BATCHES, body.to_string()).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    assert_eq!(answer.header("location"), path(&answer.json()));
    answer.json()
}

async fn finished(server: &TestServer, batch: &Value) -> Value {
    eventually("the batch is finished", || async {
        let batch = server.get(&path(batch)).await.json();
        batch["finished_at"].is_string().then_some(batch)
    })
    .await
}

/// The fields that are complained of, with their messages.
async fn refused(server: &TestServer, body: Value) -> Vec<(String, String)> {
    let problem = server
        .post(BATCHES, body.to_string())
        .await
        .problem(422, "invalid_input");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let errors = problem["errors"].as_array().unwrap().iter();
    errors
        .map(|error| (text(&error["field"]), text(&error["message"])))
        .collect()
}

async fn assert_nothing_stored(server: &TestServer) {
    let store = server.database.store().await;
    assert!(
        store
            .job_list(&JobFilter::default(), None, 1)
            .await
            .unwrap()
            .jobs
            .is_empty()
    );
    assert!(store.batch_list(None, 1).await.unwrap().batches.is_empty());
}

on_both_databases! {
    async fn a_batch_runs_and_calls_a_function_when_all_is_done(kind) {
        let server = idle(kind).await;
        let mut jobs = calls(30);
        jobs.push(json!({"function": "counted", "input": {"number": 1, "give_up": "no use"}}));
        jobs.push(json!({"function": "counted", "input": {"number": 2}, "delay_seconds": 3600}));
        let batch = made(&server, json!({"jobs": jobs, "on_finish": {"function": "report", "input": {"to": "me"}}})).await;
        assert_eq!((&batch["total"], &batch["duplicates"], &batch["finished_at"]), (&json!(32), &json!(0), &Value::Null));
        assert_eq!((&batch["counts"]["queued"], &batch["counts"]["scheduled"]), (&json!(31), &json!(1)));
        assert_eq!(batch["on_finish"], json!({"function": "report", "job_id": null}));

        server.start_worker();
        let progress = eventually("all but one have ended", || async {
            let batch = server.get(&path(&batch)).await.json();
            (batch["counts"]["completed"] == 30 && batch["counts"]["dead"] == 1).then_some(batch)
        })
        .await;
        assert_eq!((&progress["counts"]["scheduled"], &progress["finished_at"]), (&json!(1), &Value::Null));
        let id = batch["id"].as_str().unwrap();
        let filter = format!("/api/v1/jobs?batch={id}&state=scheduled");
        let waiting = server.get(&filter).await.json()["jobs"].as_array().unwrap().clone();
        assert_eq!((waiting.len(), &waiting[0]["batch_id"]), (1, &json!(id)));
        let cancel = format!("/api/v1/jobs/{}/cancel", waiting[0]["id"].as_str().unwrap());
        assert_eq!(server.post(&cancel, "").await.status, 200);

        let batch = finished(&server, &batch).await;
        let job = server.job_in_state(batch["on_finish"]["job_id"].as_str().unwrap(), "completed").await;
        let summary = json!({"id": id, "total": 32, "completed": 30, "dead": 1, "cancelled": 1});
        assert_eq!(job["output"], json!({"to": "me", "batch": summary}));
        assert!(job.get("batch_id").is_none(), "it is none of the batch's own");
        assert_eq!((&batch["counts"]["completed"], &batch["counts"]["dead"], &batch["counts"]["cancelled"]), (&json!(30), &json!(1), &json!(1)));
        assert_eq!(server.get(&format!("/api/v1/jobs?batch={id}&limit=100")).await.json()["jobs"].as_array().unwrap().len(), 32);
    }

    async fn ten_thousand_calls_at_once_run(kind) {
        let server = idle(kind).await;
        server.start_worker();
        let jobs: Vec<Value> = (0..10_000).map(|n| call(n % 100)).collect();
        let batch = made(&server, json!({"jobs": jobs})).await;
        assert_eq!((&batch["total"], &batch["on_finish"]), (&json!(10_000), &Value::Null));
        assert_eq!(finished(&server, &batch).await["counts"]["completed"], 10_000);
    }

    async fn what_is_wrong_is_told_with_its_place_and_nothing_is_made(kind) {
        let server = idle(kind).await;
        let index = "must be a whole number from 0 to 10,000,000";
        let jobs = json!([
            call(1), {"function": "fibonacci", "input": {"index": -1}}, {"function": "fibonaci", "input": {"index": 1}},
            {"function": "fibonacci"}, {"input": {"index": 1}}, {"function": 7, "input": {}}, 17,
            {"function": "fibonacci", "input": {"index": 1}, "max_attempts": 0},
            {"function": "fibonacci", "input": {"index": 1}, "retries": 1},
            {"function": "fibonacci", "input": {"index": 1}, "unique_key": ""},
        ]);
        // What no database keeps is found before anything else is looked at.
        let unkept = json!([call(1), {"function": "counted", "input": {"number": 1, "give_up": "a\u{0}b"}}]);
        let errors = refused(&server, json!({"jobs": unkept})).await;
        let told = [("/jobs/1/input/give_up".to_owned(), "must not hold the character U+0000".to_owned())];
        assert_eq!(errors, told);
        let errors = refused(&server, json!({"jobs": jobs})).await;
        let field = |place: &str| errors.iter().find(|(field, _)| field == place).map(|(_, message)| message.as_str());
        assert_eq!(field("/jobs/1/input/index"), Some(index));
        assert_eq!(field("/jobs/2/function"), Some("must be the name of a function, not \"fibonaci\""));
        assert_eq!(field("/jobs/3/input"), Some("is missing"));
        assert_eq!(field("/jobs/4/function"), Some("is missing"));
        assert_eq!(field("/jobs/5/function"), Some("must be the name of a function, not \"\""));
        assert_eq!(field("/jobs/6"), Some("must be an object"));
        assert_eq!(field("/jobs/7/max_attempts"), Some("must be a whole number from 1 to 100"));
        assert!(field("/jobs/8/retries").unwrap().starts_with("is not known here; the fields are: function, input,"));
        assert_eq!(field("/jobs/9/unique_key"), Some("must be a text of 1 to 255 characters, none of them U+0000"));
        assert_eq!(errors.len(), 9, "{errors:?}");

        let bad: Vec<Value> = (0..50).map(|_| json!({"function": "fibonacci", "input": {"index": -1}})).collect();
        assert_eq!(refused(&server, json!({"jobs": bad})).await.len(), 20);
        for (body, place, message) in [
            (json!({}), "/jobs", "is missing"),
            (json!({"jobs": {}}), "/jobs", "must be an array"),
            (json!({"jobs": []}), "/jobs", "must have 1 to 10,000 jobs, not 0"),
            (json!({"jobs": calls(10_001)}), "/jobs", "must have 1 to 10,000 jobs, not 10001"),
            (json!({"jobs": [call(1)], "then": {}}), "/then", "is not known here; the fields are: jobs, on_finish"),
            (json!({"jobs": [call(1)], "on_finish": 7}), "/on_finish", "must be an object"),
            (json!({"jobs": [call(1)], "on_finish": {}}), "/on_finish/function", "is missing"),
            (json!({"jobs": [call(1)], "on_finish": {"function": "report"}}), "/on_finish/input/to", "is missing"),
            (json!({"jobs": [call(1)], "on_finish": {"function": "report", "input": 7}}), "/on_finish/input", "must be an object"),
            (json!({"jobs": [call(1)], "on_finish": {"function": "report", "input": {"to": "me", "batch": {}}}}),
             "/on_finish/input/batch", "must not be sent: it is filled in when the batch has finished"),
            // A function without the field that a batch brings cannot be called.
            (json!({"jobs": [call(1)], "on_finish": {"function": "fibonacci", "input": {"index": 1}}}),
             "/on_finish/input/batch", "is not a field of this input"),
        ] {
            let errors = refused(&server, body.clone()).await;
            assert!(errors.contains(&(place.to_owned(), message.to_owned())), "{body}: {errors:?}");
        }
        server.post(BATCHES, "{\"jobs\": [").await.problem(400, "invalid_json");
        let twice = "{\"jobs\": [{\"function\": \"fibonacci\", \"input\": {\"index\": 1, \"index\": 2}}]}";
        assert_eq!(server.post(BATCHES, twice).await.problem(422, "invalid_input")["errors"][0]["field"], "/jobs/0/input/index");
        server.get(&format!("{BATCHES}/x")).await.problem(404, "unknown_batch");
        server.get(&format!("{BATCHES}/01JD3Y8M5Q2W7E9R4T6Y1P0A2S")).await.problem(404, "unknown_batch");
        server.post(&format!("{BATCHES}/x/cancel"), "").await.problem(404, "unknown_batch");
        let problem = server.get("/api/v1/jobs?batch=x").await.problem(400, "invalid_parameter");
        assert_eq!(problem["detail"], "batch: \"x\" is not a batch id (a ULID of 26 characters)");
        server.get(&format!("{BATCHES}?limit=51")).await.problem(400, "invalid_parameter");
        assert_nothing_stored(&server).await;
    }

    async fn a_body_that_is_too_large_names_its_setting(kind) {
        let server = set_up(kind, |config| config.server.batch_body_limit = 2 << 20).await;
        let long = "x".repeat(1_500_000);
        let problem = server.post(BATCHES, json!({"jobs": [], "x": long}).to_string()).await.problem(422, "invalid_input");
        assert_eq!(problem["errors"][0]["field"], "/x", "it may be larger than that of one call");
        let longer = json!({"jobs": [], "x": "x".repeat(3 << 20)}).to_string();
        let problem = server.post(BATCHES, longer).await.problem(413, "body_too_large");
        let detail = "The body is larger than the limit of 2 MiB for a batch (SPIRAL_BATCH_BODY_LIMIT).";
        assert_eq!(problem["detail"], detail);
    }

    async fn the_same_key_gives_the_same_batch(kind) {
        let server = idle(kind).await;
        let post = |body: Value| {
            let request = server.request(Method::POST, BATCHES).header("idempotency-key", "night 17");
            ApiResponse::of(request.json(&body))
        };
        let body = json!({"jobs": calls(3), "on_finish": {"function": "report", "input": {"to": "me"}}});
        let answers = futures::future::join_all((0..10).map(|_| post(body.clone()))).await;
        for answer in &answers {
            assert_eq!((answer.status.as_u16(), &answer.json()["id"]), (202, &answers[0].json()["id"]), "{}", answer.text);
        }
        assert_eq!(answers.iter().filter(|answer| answer.header("idempotent-replayed") == "true").count(), 9);
        post(json!({"jobs": calls(2)})).await.problem(422, "idempotency_key_reused");
        assert_eq!(server.get("/api/v1/jobs").await.json()["jobs"].as_array().unwrap().len(), 3);
        server.start_worker();
        finished(&server, &answers[0].json()).await;
        let late = post(body).await;
        assert_eq!((late.status.as_u16(), late.header("idempotent-replayed")), (200, "true"));
    }

    async fn batches_are_listed_page_by_page(kind) {
        let server = idle(kind).await;
        let mut ids = Vec::new();
        for count in 1..=3 {
            ids.push(made(&server, json!({"jobs": calls(count)})).await["id"].clone());
        }
        let first = server.get(&format!("{BATCHES}?limit=2")).await;
        let page = first.json();
        let listed: Vec<Value> = page["batches"].as_array().unwrap().iter().map(|batch| batch["id"].clone()).collect();
        assert_eq!(listed, [ids[2].clone(), ids[1].clone()]);
        assert_eq!(page["batches"][0]["counts"]["queued"], 3);
        let next = format!("{BATCHES}?limit=2&cursor={}", page["next_cursor"].as_str().unwrap());
        let page = server.get(&next).await.json();
        assert_eq!((&page["batches"][0]["id"], &page["next_cursor"]), (&ids[0], &Value::Null));
        let request = server.request(Method::GET, &format!("{BATCHES}?limit=2"));
        assert_eq!(ApiResponse::of(request.header("if-none-match", first.header("etag"))).await.status, 304);
    }

    async fn a_batch_is_cancelled_as_a_whole(kind) {
        let counted = Counted::gated();
        let server = TestServer::with_functions(kind, functions(&counted), |_| ()).await;
        server.start_worker();
        let number = |n: u64| json!({"function": "counted", "input": {"number": n}});
        let mut jobs: Vec<Value> = (0..150).map(number).collect();
        jobs.push(json!({"function": "counted", "input": {"number": 1}, "delay_seconds": 3600}));
        let batch = made(&server, json!({"jobs": jobs, "on_finish": {"function": "report", "input": {"to": "me"}}})).await;
        let running = async || {
            let batch = server.get(&path(&batch)).await.json();
            (batch["counts"]["running"].as_u64() > Some(0)).then_some(())
        };
        eventually("some of it runs", running).await;
        let answer = server.post(&format!("{}/cancel", path(&batch)), "").await;
        assert!(answer.status == 202 || answer.status == 200, "{}", answer.text);
        let batch = finished(&server, &batch).await;
        assert_eq!(batch["counts"]["cancelled"], 151);
        let again = server.post(&format!("{}/cancel", path(&batch)), "").await;
        assert_eq!((again.status.as_u16(), &again.json()), (200, &batch));
        let job = server.job_in_state(batch["on_finish"]["job_id"].as_str().unwrap(), "completed").await;
        assert_eq!(job["output"]["batch"]["cancelled"], 151);
    }

    async fn a_batch_that_the_queue_has_lost_is_cancelled_all_the_same(kind) {
        let server = idle(kind).await;
        let batch = made(&server, json!({"jobs": calls(600)})).await;
        // What is pushed after Redis has lost everything is not lost.
        server.until_in_redis(600).await;
        server.redis.wipe();
        let answer = eventually("it is cancelled", || async {
            let answer = server.post(&format!("{}/cancel", path(&batch)), "").await;
            (answer.status != 503).then_some(answer)
        })
        .await;
        // 202 where the jobs were pushed again before, and are cancelled in the queue.
        assert!([200, 202].contains(&answer.status.as_u16()), "{}", answer.text);
        assert_eq!(finished(&server, &batch).await["counts"]["cancelled"], 600);
        server.start_worker();
        let other = server.post("/api/values?wait=60s", "{\"index\": 5}").await;
        assert_eq!(other.status, 200, "{}", other.text);
        assert_eq!(server.get(&path(&batch)).await.json()["counts"]["cancelled"], 600);
    }

    async fn while_redis_is_away_a_batch_is_recorded_and_runs_later(kind) {
        let server = idle(kind).await;
        made(&server, json!({"jobs": calls(1)})).await;
        server.redis.kill();
        let batch = made(&server, json!({"jobs": calls(700)})).await;
        server.redis.launch();
        server.start_worker();
        assert_eq!(finished(&server, &batch).await["counts"]["completed"], 700);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_another_process_holds_the_database_the_caller_is_told() {
    let server = set_up(TestDatabase::Sqlite, |config| {
        config.database.acquire_timeout = Duration::from_millis(200);
        config.database.statement_timeout = Duration::from_millis(300);
    })
    .await;
    server.wait_until_ready().await;
    let other = server.database.connect().await;
    sea_orm::ConnectionTrait::execute_unprepared(&other, "BEGIN IMMEDIATE")
        .await
        .unwrap();
    let answer = server.post(BATCHES, json!({"jobs": calls(2)}).to_string()).await;
    answer.problem(503, "unavailable");
    sea_orm::ConnectionTrait::execute_unprepared(&other, "COMMIT")
        .await
        .unwrap();
    eventually("it is recorded", || async {
        let answer = server.post(BATCHES, json!({"jobs": calls(2)}).to_string()).await;
        (answer.status == 202).then_some(())
    })
    .await;
    let jobs = server.get("/api/v1/jobs").await.json();
    assert_eq!(
        jobs["jobs"].as_array().unwrap().len(),
        2,
        "nothing of what was refused"
    );
}
