//! Bad input: each kind is refused with a message that names the field, and leaves nothing behind.

use jobs::job::QueueName;
use jobs::queue::Queues;
use reqwest::Method;
use web_api::domain::job_filter::JobFilter;

use crate::support::on_both_databases;
use crate::support::server::{ApiResponse, TestServer};

const VALUES: &str = "/api/values";
const CALL: &str = "/api/v1/functions/fibonacci/jobs";
const LIMITS: &str = "must be a whole number from 0 to 10,000,000";

/// Posts an index both ways and expects the same complaint of both.
async fn refuse_index(server: &TestServer, index: &str, message: &str) {
    for (path, body, field) in [
        (VALUES, format!("{{\"index\": {index}}}"), "/index"),
        (
            CALL,
            format!("{{\"input\": {{\"index\": {index}}}}}"),
            "/input/index",
        ),
    ] {
        let problem = server.post(path, body).await.problem(422, "invalid_input");
        assert_eq!(
            problem["errors"].as_array().map(Vec::len),
            Some(1),
            "{path} {index}: {problem}"
        );
        assert_eq!(problem["errors"][0]["field"], field, "{path} {index}");
        assert_eq!(problem["errors"][0]["message"], message, "{path} {index}");
        assert_eq!(problem["detail"], format!("{field}: {message}"), "{path} {index}");
        assert_eq!(problem["instance"], path);
    }
}

/// Posts a whole body and expects one complaint about one field.
async fn refuse_body(server: &TestServer, path: &str, body: &str, field: &str, message: &str) {
    let problem = server.post(path, body).await.problem(422, "invalid_input");
    assert_eq!(problem["errors"][0]["field"], field, "{body}: {problem}");
    assert_eq!(problem["errors"][0]["message"], message, "{body}: {problem}");
}

/// Nothing stored, nothing counted, nothing enqueued.
async fn assert_untouched(server: &TestServer) {
    let store = server.database.store().await;
    assert!(
        store
            .job_list(&JobFilter::default(), None, 10)
            .await
            .unwrap()
            .jobs
            .is_empty()
    );
    assert!(store.index_list(10).await.unwrap().is_empty());
    let queues = Queues::connect(&server.redis.settings()).await.unwrap();
    let depth = queues.depth(&QueueName::standard()).await.unwrap();
    assert_eq!((depth.queued, depth.scheduled, depth.running), (0, 0, 0));
}

on_both_databases! {
    async fn indices_that_are_no_index(database) {
        let server = TestServer::idle(database).await;
        for index in ["-1", "1.5", "\"12\"", "\"abc\"", "null", "10000001", "99999999999999999999", "[90]", "{}", "true"] {
            refuse_index(&server, index, LIMITS).await;
        }
        assert_untouched(&server).await;
    }

    async fn fields_that_are_missing_unknown_or_there_twice(database) {
        let server = TestServer::idle(database).await;
        refuse_body(&server, VALUES, "{}", "/index", "is missing").await;
        refuse_body(&server, CALL, "{\"input\": {}}", "/input/index", "is missing").await;
        refuse_body(&server, CALL, "{}", "/input", "is missing").await;
        refuse_body(&server, CALL, "{\"input\": null}", "/input", "must be an object").await;
        refuse_body(&server, CALL, "{\"input\": 90}", "/input", "must be an object").await;
        refuse_body(&server, VALUES, "{\"index\": 1, \"times\": 2}", "/times", "is not a field of this input").await;
        refuse_body(&server, CALL, "{\"input\": {\"index\": 1, \"times\": 2}}", "/input/times", "is not a field of this input").await;
        let message = "is not known here; the fields are: input, max_attempts, timeout_seconds, \
            backoff, run_at, delay_seconds, queue, priority, fairness_key, tags, unique_key, unique_for_seconds";
        refuse_body(&server, CALL, "{\"input\": {\"index\": 1}, \"retries\": 2}", "/retries", message).await;
        refuse_body(&server, VALUES, "{\"index\": 1, \"index\": 2}", "/index", "is there twice").await;
        refuse_body(&server, CALL, "{\"input\": {\"index\": 1, \"index\": 2}}", "/input/index", "is there twice").await;
        assert_untouched(&server).await;
    }

    async fn options_out_of_bounds(database) {
        let server = TestServer::idle(database).await;
        for (option, field, message) in [
            ("\"max_attempts\": 0", "/max_attempts", "must be a whole number from 1 to 100"),
            ("\"max_attempts\": \"3\"", "/max_attempts", "must be a whole number from 1 to 100"),
            ("\"delay_seconds\": -1", "/delay_seconds", "must be a whole number from 0 to 31,536,000"),
            ("\"unique_key\": \"\"", "/unique_key", "must be a text of 1 to 255 characters, none of them U+0000"),
            ("\"unique_key\": 7", "/unique_key", "must be a text of 1 to 255 characters, none of them U+0000"),
            ("\"unique_key\": \"a\\u0000\"", "/unique_key", "must not hold the character U+0000"),
            ("\"unique_for_seconds\": 60", "/unique_for_seconds", "must not be sent without unique_key"),
            ("\"unique_key\": \"u\", \"unique_for_seconds\": 0", "/unique_for_seconds", "must be a whole number from 1 to 31,536,000"),
            ("\"run_at\": \"tomorrow\"", "/run_at", "must be a time such as \"2026-01-02T03:04:05Z\""),
            ("\"run_at\": \"2999-01-01T00:00:00Z\"", "/run_at", "must be within a year from now"),
        ] {
            refuse_body(&server, CALL, &format!("{{\"input\": {{\"index\": 1}}, {option}}}"), field, message).await;
        }
        let both = "{\"input\": {\"index\": 1}, \"run_at\": \"2026-01-01T00:00:00Z\", \"delay_seconds\": 1}";
        refuse_body(&server, CALL, both, "/delay_seconds", "must not be sent together with run_at").await;
        assert_untouched(&server).await;
    }

    async fn bodies_that_are_no_json_object(database) {
        let server = TestServer::idle(database).await;
        for (path, example) in [(VALUES, "{\"index\": 90}"), (CALL, "{\"input\": {\"index\": 90}}")] {
            let problem = server.post(path, "[1, 2]").await.problem(422, "invalid_input");
            let detail = format!("The body must be a JSON object, such as {example}, not an array");
            assert_eq!(problem["detail"], detail);
            for text in ["null", "90", "\"90\""] {
                server.post(path, text).await.problem(422, "invalid_input");
            }
            for (text, detail) in [
                ("{\"index\": 90", "The body is not JSON: EOF while parsing an object, at line 1, column 12."),
                ("index=90", "The body is not JSON: expected value, at line 1, column 1."),
                ("{\"index\": 90} x", "The body is not JSON: trailing characters, at line 1, column 15."),
            ] {
                let problem = server.post(path, text).await.problem(400, "invalid_json");
                assert_eq!(problem["detail"], detail, "{path} {text:?}");
            }
            for empty in ["", " \n"] {
                let problem = server.post(path, empty).await.problem(400, "invalid_json");
                let detail = format!("The body is empty. Send a JSON object, such as {example}.");
                assert_eq!(problem["detail"], detail, "{path}");
            }
            server.post(path, "[".repeat(100_000)).await.problem(400, "invalid_json");
        }
        assert_untouched(&server).await;
    }

    async fn bodies_of_another_kind(database) {
        let server = TestServer::idle(database).await;
        for path in [VALUES, CALL] {
            for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
                let request = server.request(Method::POST, path).header("content-type", kind).body("{\"index\": 90}");
                let problem = ApiResponse::of(request).await.problem(415, "unsupported_media_type");
                let detail = format!("The header Content-Type must be application/json, but it is {kind:?}.");
                assert_eq!(problem["detail"], detail);
            }
            let problem = ApiResponse::of(server.request(Method::POST, path).body("{\"index\": 90}")).await;
            let detail = "The header Content-Type must be application/json, but there is none.";
            assert_eq!(problem.problem(415, "unsupported_media_type")["detail"], detail);
        }
        assert_untouched(&server).await;
    }

    async fn a_body_of_20_mib(database) {
        let server = TestServer::idle(database).await;
        let body = format!("{{\"index\": 90, \"more\": \"{}\"}}", "x".repeat(20 << 20));
        for path in [VALUES, CALL] {
            let problem = server.post(path, body.clone()).await.problem(413, "body_too_large");
            assert_eq!(problem["detail"], "The body is larger than the limit of 1 MiB.");
            // Without a length in the header the same, when the limit is reached.
            let chunks = body.as_bytes().chunks(1 << 16).map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec()));
            let stream = reqwest::Body::wrap_stream(futures::stream::iter(chunks.collect::<Vec<_>>()));
            let request = server.request(Method::POST, path).header("content-type", "application/json").body(stream);
            ApiResponse::of(request).await.problem(413, "body_too_large");
        }
        assert_untouched(&server).await;
    }

    async fn functions_jobs_and_paths_that_are_not_there(database) {
        let server = TestServer::idle(database).await;
        let answer = server.post("/api/v1/functions/fibonaci/jobs", "{\"input\": {\"index\": 1}}").await;
        let problem = answer.problem(404, "unknown_function");
        let detail = "There is no function named \"fibonaci\". GET /api/v1/functions lists those there are.";
        assert_eq!(problem["detail"], detail);
        for id in ["01JD3Y8M5Q2W7E9R4T6Y1P0A2S", "x", "01jd3y8m5q2w7e9r4t6y1p0a2s"] {
            server.get(&format!("/api/v1/jobs/{id}")).await.problem(404, "unknown_job");
            server.get(&format!("/api/v1/jobs/{id}/result")).await.problem(404, "unknown_job");
        }
        for path in ["/api", "/api/", "/api/v1/nothing", "/nothing", "/api/v2/jobs", "/api/v1/jobs/x/y/z"] {
            server.get(path).await.problem(404, "not_found");
        }
        let wrong = ApiResponse::of(server.request(Method::DELETE, "/api/v1/jobs")).await;
        wrong.problem(405, "method_not_allowed");
        assert_eq!(wrong.header("allow"), "GET");
        for (path, methods) in [("jobs/actions", "GET, POST"), ("jobs/01M87Z2GWDWE4AAZPHZQCN23HB", "GET, PATCH, DELETE")] {
            let wrong = ApiResponse::of(server.request(Method::PUT, &format!("/api/v1/{path}"))).await;
            assert_eq!((wrong.status.as_u16(), wrong.header("allow")), (405, methods), "{path}");
        }
        server.get(VALUES).await.problem(405, "method_not_allowed");
        assert_untouched(&server).await;
    }

    async fn parameters_and_headers(database) {
        let server = TestServer::idle(database).await;
        for path in [VALUES, CALL] {
            for wait in ["banana", "", "0s", "61s", "10", "-1s", "1.5s"] {
                let answer = server.post(&format!("{path}?wait={wait}"), "{\"index\": 90}").await;
                let problem = answer.problem(400, "invalid_parameter");
                let message = format!("must be a duration from 1ms to 60s, such as 500ms or 10s, not {wait:?}");
                assert_eq!(problem["errors"][0]["field"], "wait");
                assert_eq!(problem["errors"][0]["message"], message);
            }
            let problem = server.post(&format!("{path}?wiat=1s"), "{}").await.problem(400, "invalid_parameter");
            assert_eq!(problem["detail"], "wiat: is not known here; the parameters are: wait");
        }
        for key in [String::new(), "x".repeat(256)] {
            let request = server.request(Method::POST, VALUES).header("idempotency-key", key);
            let answer = ApiResponse::of(request.json(&serde_json::json!({"index": 90}))).await;
            let problem = answer.problem(400, "invalid_parameter");
            assert_eq!(problem["errors"][0]["field"], "Idempotency-Key");
        }
        for (query, field) in [
            ("limit=0", "limit"), ("limit=501", "limit"), ("limit=many", "limit"),
            ("state=done", "state"), ("cursor=x", "cursor"), ("sort=asc", "sort"),
        ] {
            let problem = server.get(&format!("/api/v1/jobs?{query}")).await.problem(400, "invalid_parameter");
            assert_eq!(problem["errors"][0]["field"], field, "{query}");
        }
        assert_untouched(&server).await;
    }
}
