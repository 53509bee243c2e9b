//! Health, readiness, metrics, the documentation, and what surrounds every answer.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::server::{ApiResponse, TestServer};
use crate::support::{TestDatabase, eventually};

async fn head(server: &TestServer, path: &str) -> ApiResponse {
    ApiResponse::of(server.request(Method::HEAD, path)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_is_told_at_both_places_and_to_head_as_well() {
    let server = TestServer::idle(TestDatabase::Sqlite).await;
    server.wait_until_ready().await;
    for path in ["/healthz", "/api/healthz"] {
        let health = server.get(path).await;
        assert_eq!(
            (health.status.as_u16(), &health.json()["status"]),
            (200, &json!("ok"))
        );
        assert_eq!(health.json()["version"], jobs::version::VERSION);
        assert_eq!(health.json()["commit"], json!(jobs::version::COMMIT));
        let head = head(&server, path).await;
        assert_eq!((head.status.as_u16(), head.text.as_str()), (200, ""));
    }
    for path in ["/readyz", "/api/readyz"] {
        let ready = server.get(path).await.json();
        assert_eq!(ready["status"], "ready");
        let names: Vec<&Value> = ready["checks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|check| &check["name"])
            .collect();
        assert_eq!(names, [&json!("sql"), &json!("redis"), &json!("recorder")]);
        assert_eq!(head(&server, path).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_may_evict_jobs_is_told_of_and_no_reason_to_be_unready() {
    let server = TestServer::start_with(TestDatabase::Sqlite, |config| {
        let socket = config.redis.url.strip_prefix("unix://").unwrap();
        let mut redis = UnixStream::connect(socket).unwrap();
        redis
            .write_all(b"CONFIG SET maxmemory-policy allkeys-lru\r\n")
            .unwrap();
        let mut answer = [0; 5];
        redis.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"+OK\r\n");
    })
    .await;
    let warnings = eventually("the settings are looked at", || async {
        let ready = server.get("/readyz").await.json();
        let warnings = ready["warnings"].as_array().unwrap().clone();
        (!warnings.is_empty()).then_some(warnings)
    })
    .await;
    let told = warnings[0].as_str().unwrap();
    assert!(
        told.contains("maxmemory-policy is allkeys-lru; set it to noeviction"),
        "{told}"
    );
    server.wait_until_ready().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_tell_queues_requests_and_the_build() {
    let server = TestServer::idle(TestDatabase::Sqlite).await;
    server.post("/api/values", "{\"index\": 1}").await;
    let lines = [
        "spiral_jobs{queue=\"default\",state=\"queued\"} 1",
        "spiral_jobs{queue=\"default\",state=\"running\"} 0",
        "spiral_workers{queue=\"default\"} 0",
        "spiral_stale_results_total{queue=\"default\"} 0",
        "spiral_queue_paused{queue=\"default\"} 0",
        "spiral_redis_warnings 0",
        "spiral_event_clients 0",
        &format!("spiral_build_info{{version=\"{}\"}} 1", jobs::version::VERSION),
        "# TYPE spiral_http_request_duration_seconds histogram",
    ];
    // The servers of all tests share one collection, so that another one may have written last.
    eventually("all is counted", || async {
        let metrics = server.get("/metrics").await.text;
        lines.iter().all(|line| metrics.contains(line)).then_some(())
    })
    .await;
    // By the path as it is declared: an id would make a new series for each job.
    server.get("/api/v1/jobs/01JD3Y8M5Q2W7E9R4T6Y1P0A2S").await;
    server.get("/no/such/path").await;
    let metrics = server.get("/metrics").await.text;
    assert!(
        metrics.contains("method=\"GET\",path=\"api/v1/jobs/{id}\",status=\"404\""),
        "{metrics}"
    );
    assert!(
        !metrics.contains("01JD3Y8M5Q2W7E9R4T6Y1P0A2S") && !metrics.contains("no/such"),
        "{metrics}"
    );
    assert_eq!(
        server.get("/api/metrics").await.header("content-type"),
        "text/plain; version=0.0.4; charset=utf-8"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_documentation_needs_nothing_from_elsewhere() {
    let server = TestServer::idle(TestDatabase::Sqlite).await;
    let redirect = server.get("/api/docs").await;
    assert!(redirect.text.contains("swagger-ui"), "it leads to the page");
    let page = server.get("/api/docs/").await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert!(
        !page.text.contains("http"),
        "the page loads only from here: {}",
        page.text
    );
    // The policy allows no script inside the page, and there is none.
    assert!(
        page.header("content-security-policy")
            .contains("script-src 'self';")
    );
    assert!(
        page.text
            .split("<script")
            .skip(1)
            .all(|script| script.starts_with(" src=\"./"))
    );
    for (file, kind) in [
        ("start.js", "text/javascript"),
        ("swagger-ui-bundle.js", "text/javascript"),
        ("swagger-ui.css", "text/css"),
    ] {
        let answer = server.get(&format!("/api/docs/{file}")).await;
        assert!(
            answer.status == 200 && answer.header("content-type").starts_with(kind),
            "{file}: {:?}",
            answer.headers
        );
    }
    let document = server.get("/api/openapi.json").await;
    assert_eq!(document.json()["openapi"], "3.1.0");
    server.get("/api/docs/nothing").await.problem(404, "not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_has_an_id_and_the_security_headers() {
    let server = TestServer::idle(TestDatabase::Sqlite).await;
    for path in ["/healthz", "/api/v1/functions", "/nothing"] {
        let answer = server.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert!(
            answer
                .header("content-security-policy")
                .contains("frame-ancestors 'none'"),
            "{path}"
        );
        assert_eq!(answer.header("x-request-id").len(), 26, "{path}");
    }
    let server = &server;
    let with_id = |id: &'static str| async move {
        let answer =
            ApiResponse::of(server.request(Method::GET, "/nothing").header("x-request-id", id)).await;
        (
            answer.header("x-request-id").to_owned(),
            answer.problem(404, "not_found")["request_id"].clone(),
        )
    };
    assert_eq!(
        with_id("abc-123_4.5").await,
        ("abc-123_4.5".to_owned(), json!("abc-123_4.5"))
    );
    for strange in ["a b", "<script>", "", "ä"] {
        assert_ne!(with_id(strange).await.0, strange);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_json_is_compressed_for_those_who_can_read_it() {
    let server = TestServer::idle(TestDatabase::Sqlite).await;
    let request = server
        .request(Method::GET, "/api/openapi.json")
        .header("accept-encoding", "gzip");
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-encoding"], "gzip");
    assert!(
        response.headers()["vary"]
            .to_str()
            .unwrap()
            .contains("accept-encoding")
    );
    assert_eq!(
        server.get("/api/openapi.json").await.header("content-encoding"),
        ""
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_functions_are_listed_with_their_schemas() {
    let server = TestServer::idle(TestDatabase::Sqlite).await;
    let list = server.get("/api/v1/functions").await.json();
    let functions = list["functions"].as_array().unwrap();
    let names: Vec<_> = functions.iter().map(|function| &function["name"]).collect();
    assert_eq!(names, ["echo", "fibonacci", "flaky", "http_request", "sleep"]);
    let function = &functions[1];
    assert_eq!(
        (&function["name"], &function["queue"], &function["max_attempts"]),
        (&json!("fibonacci"), &json!("default"), &json!(3))
    );
    let index = &function["input_schema"]["properties"]["index"];
    assert_eq!(
        (&index["minimum"], &index["maximum"]),
        (&json!(0), &json!(10_000_000))
    );
    assert_eq!(function["output_schema"]["type"], "string");
    assert!(function["timeout_seconds"].as_f64().unwrap() > 0.0);
}
