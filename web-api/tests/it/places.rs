//! What is wrong with a request has one name for its place, whichever endpoint is told.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::on_both_databases;
use crate::support::server::{ApiResponse, TestServer};

/// Sends the input in every way there is, and expects the same fields of each.
async fn refused_everywhere(
    server: &TestServer,
    waiting: &str,
    function: &str,
    input: &str,
    fields: &[&str],
) {
    let call = format!("{{\"function\": \"{function}\", \"input\": {input}}}");
    let alone = format!("{{\"input\": {input}}}");
    let schedule = format!("{{\"name\": \"s\", \"cron\": \"@daily\", {}", &call[1..]);
    let post = Method::POST;
    let ways = [
        (
            post.clone(),
            format!("/api/v1/functions/{function}/jobs"),
            alone.clone(),
            "",
        ),
        (
            post.clone(),
            "/api/v1/jobs:batch".to_owned(),
            format!("[{call}]"),
            "",
        ),
        (
            post.clone(),
            "/api/v1/batches".to_owned(),
            format!("{{\"jobs\": [{call}]}}"),
            "/jobs/0",
        ),
        (post, "/api/v1/schedules".to_owned(), schedule, ""),
        (Method::PATCH, format!("/api/v1/jobs/{waiting}"), alone, ""),
    ];
    for (method, path, body, before) in ways {
        let request = server
            .request(method, &path)
            .header("content-type", "application/json")
            .body(body);
        let answer = ApiResponse::of(request).await;
        let problem = if path.ends_with(":batch") {
            assert_eq!(answer.status, 200, "{path}: {}", answer.text);
            answer.json()["results"][0]["problem"].clone()
        } else {
            answer.problem(422, "invalid_input")
        };
        let errors = problem["errors"].as_array().cloned().unwrap_or_default();
        let mut told: Vec<&str> = errors
            .iter()
            .filter_map(|error| error["field"].as_str())
            .collect();
        told.sort_unstable();
        let expected: Vec<String> = fields.iter().map(|field| format!("{before}{field}")).collect();
        assert_eq!(told, expected, "{path} {input}: {problem}");
    }
}

async fn made(server: &TestServer, function: &str, input: Value) -> String {
    let body = json!({"input": input}).to_string();
    let answer = server
        .post(&format!("/api/v1/functions/{function}/jobs"), body)
        .await;
    answer.json()["id"].as_str().unwrap().to_owned()
}

on_both_databases! {
    async fn a_place_in_an_input_has_one_name_everywhere(kind) {
        let server = TestServer::idle(kind).await;
        let (fibonacci, echo) = (made(&server, "fibonacci", json!({"index": 1})).await, made(&server, "echo", json!(1)).await);
        for (input, fields) in [
            ("{\"index\": -1}", &["/input/index"][..]),
            ("{}", &["/input/index"]),
            ("null", &["/input"]),
            ("{\"index\": 1, \"a/b~c\": 2}", &["/input/a~1b~0c"]),
            ("{\"index\": \"x\", \"more\": 2}", &["/input/index", "/input/more"]),
        ] {
            refused_everywhere(&server, &fibonacci, "fibonacci", input, fields).await;
        }
        for (input, fields) in [
            ("{\"a/b\": [0, {\"c~\": \"x\\u0000\"}]}", &["/input/a~1b/1/c~0"][..]),
            ("\"\\u0000\"", &["/input"]),
        ] {
            refused_everywhere(&server, &echo, "echo", input, fields).await;
        }
        // Where the input is the whole body, places are those in the body.
        let problem = server.post("/api/values", "{\"index\": -1}").await.problem(422, "invalid_input");
        assert_eq!(problem["errors"][0]["field"], "/index");
        let body = json!({"jobs": [{"function": "echo", "input": 1}], "on_finish": {"function": "fibonacci", "input": {"index": -1}}});
        let problem = server.post("/api/v1/batches", body.to_string()).await.problem(422, "invalid_input");
        let fields: Vec<&str> = problem["errors"].as_array().unwrap().iter().filter_map(|error| error["field"].as_str()).collect();
        assert!(fields.contains(&"/on_finish/input/index"), "{problem}");
    }

    async fn a_second_60_is_refused_wherever_a_time_is_taken(kind) {
        let server = TestServer::idle(kind).await;
        let leap = "2026-12-31T23:59:60Z";
        for path in ["/api/v1/functions/echo/jobs", "/api/v1/jobs:batch", "/api/v1/batches"] {
            let call = json!({"function": "echo", "input": 1, "run_at": leap});
            let body = match path {
                "/api/v1/jobs:batch" => json!([call]),
                "/api/v1/batches" => json!({"jobs": [call]}),
                _ => json!({"input": 1, "run_at": leap}),
            };
            let answer = server.post(path, body.to_string()).await;
            assert!(answer.text.contains("/run_at") && answer.text.contains("must be a time such as"), "{path}: {}", answer.text);
            if !path.ends_with(":batch") {
                answer.problem(422, "invalid_input");
            }
        }
        for path in [
            "jobs?created_from=", "jobs?created_before=", "jobs?finished_from=", "jobs?finished_before=", "jobs?q=created%3E",
            "jobs?q=finished%3C", "stats?from=", "stats?to=", "audit?from=", "audit?before=",
        ] {
            let answer = server.get(&format!("/api/v1/{path}{leap}")).await;
            let problem = answer.problem(400, "invalid_parameter");
            assert!(problem["detail"].as_str().unwrap().contains("time"), "{path}: {problem}");
        }
        let jobs = server.get("/api/v1/jobs").await.json();
        assert_eq!(jobs["jobs"], json!([]));
    }
}
