//! What a caller sends comes out to the last digit, and what cannot be kept is told.

use jobs::catalog::{Catalog, FunctionSettings};
use jobs::context::JobContext;
use jobs::function::{Function, JobError};
use jobs::json::Json;
use jobs::output::OutputSummary;
use jobs::queue::events::Outcome;
use reqwest::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;
use web_api::db::jobs::NewJob;

use crate::support::server::{ApiResponse, TestServer};
use crate::support::{Database, TestDatabase, batch, ended, eventually, new_job, on_both_databases};

/// Every number that a float of 64 bits changes, in its value or its spelling.
const EXACT: &str = "{\"tweet_id\":1970670598291982290,\"price\":1.50,\"many\":12345678901234567890123,\
    \"few\":0.1234567890123456789012345,\"tiny\":[-0.000000000000000000001,1e2]}";

/// The same as the database gives it back: PostgreSQL writes powers of ten out.
fn kept(kind: TestDatabase) -> String {
    match kind {
        TestDatabase::Sqlite => EXACT.to_owned(),
        TestDatabase::Postgres => EXACT.replace("1e2", "100"),
    }
}

/// The JSON after `"field":` in an answer, with sorted fields and every digit.
fn field(text: &str, name: &str) -> String {
    #[derive(Deserialize)]
    struct Body {
        input: Option<Json>,
        output: Option<Json>,
    }
    let body: Body = serde_json::from_str(text).unwrap();
    let found = if name == "input" { body.input } else { body.output };
    sorted(found.unwrap_or_default().text())
}

fn sorted(text: &str) -> String {
    let json = Json::of_text(text).unwrap();
    json.as_object().map_or_else(
        || text.to_owned(),
        |fields| Json::of_object(&fields).text().to_owned(),
    )
}

async fn send(server: &TestServer, method: Method, path: &str, body: String) -> ApiResponse {
    let request = server
        .request(method, path)
        .header("content-type", "application/json");
    ApiResponse::of(request.body(body)).await
}

async fn completed(server: &TestServer, id: &str) -> String {
    server.job_in_state(id, "completed").await;
    server.get(&format!("/api/v1/jobs/{id}")).await.text
}

fn id(answer: &ApiResponse) -> String {
    answer.json()["id"]
        .as_str()
        .unwrap_or_else(|| panic!("{}", answer.text))
        .to_owned()
}

/// Gives the text as its output, whatever it holds.
struct Raw;

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct RawInput {
    json: String,
}

impl Function for Raw {
    const NAME: &'static str = "raw";
    const DESCRIPTION: &'static str = "Gives any JSON.";
    type Input = RawInput;
    type Output = Json;

    async fn run(&self, context: JobContext, input: RawInput) -> Result<Json, JobError> {
        context.log("a line with\0a character");
        if input.json.is_empty() {
            return Err(JobError::fatal("a message with\0a character"));
        }
        Ok(RawValue::from_string(input.json)?.into())
    }
}

on_both_databases! {
    async fn numbers_keep_their_digits_from_the_call_to_the_output(kind) {
        let server = TestServer::idle(kind).await;
        server.wait_until_ready().await;
        let (sent, kept) = (sorted(EXACT), sorted(&kept(kind)));
        let body = format!("{{\"input\": {EXACT}}}");
        let made = server.post("/api/v1/functions/echo/jobs", body.clone()).await;
        assert_eq!(field(&made.text, "input"), sent);
        let parked = "{\"input\": 1, \"delay_seconds\": 3600}";
        let parked = id(&server.post("/api/v1/functions/echo/jobs", parked).await);
        let changed = send(&server, Method::PATCH, &format!("/api/v1/jobs/{parked}"), body.clone()).await;
        assert_eq!(field(&changed.text, "input"), kept, "{}", changed.text);
        let queued = id(&server.post("/api/v1/functions/echo/jobs", "{\"input\": 2}").await);
        let changed = send(&server, Method::PATCH, &format!("/api/v1/jobs/{queued}"), body).await;
        assert_eq!(changed.status, 200, "{}", changed.text);

        let schedule = format!("{{\"name\": \"s\", \"cron\": \"@daily\", \"function\": \"echo\", \"input\": {EXACT}}}");
        let schedule = id(&server.post("/api/v1/schedules", schedule).await);
        let path = format!("/api/v1/schedules/{schedule}");
        assert_eq!(field(&server.get(&path).await.text, "input"), kept);
        let renamed = send(&server, Method::PATCH, &path, "{\"name\": \"t\"}".to_owned()).await;
        assert_eq!(field(&renamed.text, "input"), kept);
        let fired = id(&server.post(&format!("{path}/run"), "").await);

        let call = format!("{{\"function\": \"echo\", \"input\": {EXACT}}}");
        let many = server.post("/api/v1/jobs:batch", format!("[{call}]")).await.json();
        let many = many["results"][0]["id"].as_str().unwrap().to_owned();
        let whole = server.post("/api/v1/batches", format!("{{\"jobs\": [{call}], \"on_finish\": {call}}}")).await;
        let batch = id(&whole);
        server.start_worker();
        server.post(&format!("/api/v1/jobs/{parked}/run-now"), "").await;
        for id in [id(&made), parked, queued, fired, many] {
            let job = completed(&server, &id).await;
            assert_eq!(field(&job, "input"), kept);
            assert_eq!(field(&job, "output"), kept);
            let result = server.get(&format!("/api/v1/jobs/{id}/result")).await.text;
            assert!(result.contains("1970670598291982290") && result.contains("12345678901234567890123"), "{result}");
        }
        let finisher = eventually("the batch has called its function", || async {
            let batch = server.get(&format!("/api/v1/batches/{batch}")).await.json();
            batch["on_finish"]["job_id"].as_str().map(str::to_owned)
        }).await;
        let output = completed(&server, &finisher).await;
        assert!(output.contains("12345678901234567890123") && output.contains("1.50"), "{output}");
        let listed = server.get("/api/v1/jobs?q=tweet_id:1970670598291982290").await.text;
        assert!(listed.contains("0.1234567890123456789012345"), "{listed}");
        assert_eq!(server.get("/api/v1/jobs?q=tweet_id:1970670598291982291").await.json()["jobs"], json!([]));
    }

    async fn an_action_by_a_number_takes_no_neighbours_along(kind) {
        let server = TestServer::idle(kind).await;
        server.wait_until_ready().await;
        let mut ids = Vec::new();
        for tweet in 1_970_670_598_291_982_288_u64..1_970_670_598_291_982_292 {
            let body = format!("{{\"input\": {{\"tweet_id\": {tweet}}}, \"delay_seconds\": 3600}}");
            ids.push(id(&server.post("/api/v1/functions/echo/jobs", body).await));
        }
        let body = json!({"action": "cancel", "filter": "tweet_id:1970670598291982290"}).to_string();
        let action = id(&server.post("/api/v1/jobs/actions", body).await);
        eventually("the action has finished", || async {
            let action = server.get(&format!("/api/v1/jobs/actions/{action}")).await.json();
            (action["state"] == "finished").then_some(())
        }).await;
        for (place, id) in ids.iter().enumerate() {
            let job = server.get(&format!("/api/v1/jobs/{id}")).await.json();
            assert_eq!(job["state"], if place == 2 { "cancelled" } else { "scheduled" }, "{place}");
        }
    }

    async fn an_output_that_cannot_be_kept_is_a_failed_attempt_that_says_so(kind) {
        let catalog = Catalog::new(&FunctionSettings::default()).unwrap().with(Raw).unwrap();
        let server = TestServer::with_functions(kind, catalog, |_| ()).await;
        server.start_worker();
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        for (output, says) in [
            ("{\"a\": [\"x\\u0000\"]}", "/a/0 must not hold the character U+0000"),
            ("[\"\\ud800\"]", "/0 must not hold one half of a surrogate pair"),
            ("{\"x\": 1e400}", "/x must be a number from"),
            ("{\"x\": 1, \"x\": 2}", "/x is there twice"),
            (&deep, "must not be nested deeper than 127"),
            ("", "a message with\u{fffd}a character"),
        ] {
            let job = server.call("raw", &json!({"input": {"json": output}})).await;
            let job = server.job_in_state(job["id"].as_str().unwrap(), "dead").await;
            assert!(job["error"]["message"].as_str().unwrap().contains(says), "{job}");
            assert_eq!(job["attempt"], 1, "another attempt would give the same: {job}");
            assert!(job["output"].is_null() && job["output_size"].is_null(), "{job}");
        }
        let job = server.call("raw", &json!({"input": {"json": EXACT}})).await;
        let job = completed(&server, job["id"].as_str().unwrap()).await;
        assert_eq!(field(&job, "output"), sorted(&kept(kind)));
        let id = serde_json::from_str::<serde_json::Value>(&job).unwrap()["id"].as_str().unwrap().to_owned();
        let lines = eventually("its line is recorded", || async {
            let lines = server.get(&format!("/api/v1/jobs/{id}/logs")).await.json();
            lines["lines"].as_array().filter(|lines| !lines.is_empty()).cloned()
        }).await;
        assert_eq!(lines[0]["text"], "a line with\u{fffd}a character");
    }

    async fn what_an_older_worker_sends_is_recorded_with_what_is_wrong(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        for (output, says) in [
            ("{\"a\":\"\\u0000\"}", "/a must not hold the character U+0000"),
            ("\"\\ud800\"", "must not hold one half of a surrogate pair"),
            ("[1e400]", "/0 must be a number from"),
        ] {
            let new: NewJob = new_job(1);
            store.job_insert_many(std::slice::from_ref(&new)).await.unwrap();
            let output = OutputSummary::of(RawValue::from_string(output.to_owned()).unwrap());
            let applied = store.job_apply_events(&[batch(vec![ended(new.id, 1, Outcome::Completed { output })])]).await.unwrap();
            assert!(applied.refused.is_empty(), "{:?}", applied.refused);
            let stored = store.job_get(new.id).await.unwrap().unwrap().output.unwrap();
            assert_eq!(stored.json, None);
            assert!(stored.preview.contains(says), "{}", stored.preview);
        }
    }

    async fn inputs_that_cannot_be_kept_are_refused_with_their_place(kind) {
        let server = TestServer::idle(kind).await;
        for (input, field, says) in [
            ("{\"a\": 1e400}", "/input/a", "must be a number from"),
            ("[\"\\ud800\"]", "/input/0", "one half of a surrogate pair"),
            ("{\"a\": {\"b\\u0000\": 1}}", "/input/a/b\u{0}", "U+0000"),
            ("[1e-20000]", "/input/0", "16,000 digits behind the point"),
            ("{\"a\": 1, \"a\": 1}", "/input/a", "is there twice"),
        ] {
            let answer = server.post("/api/v1/functions/echo/jobs", format!("{{\"input\": {input}}}")).await;
            let problem = answer.problem(422, "invalid_input");
            assert_eq!(problem["errors"][0]["field"], field, "{problem}");
            assert!(problem["errors"][0]["message"].as_str().unwrap().contains(says), "{problem}");
        }
        // The smallest and the largest that are kept.
        let body = format!("{{\"input\": [1e308, 1e-9000, 0.{}1]}}", "0".repeat(15_000));
        let answer = server.post("/api/v1/functions/echo/jobs", body).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        let job = server.get(&format!("/api/v1/jobs/{}", id(&answer))).await;
        assert_eq!(job.status, 200, "{}", job.text);
    }
}
