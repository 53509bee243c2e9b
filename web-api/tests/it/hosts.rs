//! Under which names the server is answered for, and where it listens: what a page that lets its own name point to this
//! machine gets, and what `serve` does on an address that others reach.

use std::fs::File;
use std::io::Read as _;
use std::process::{Child, Stdio};

use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;
use web_api::auth::settings::AccessSettings;

use crate::access::{ADMIN, locked, sign_in};
use crate::support::binary::program;
use crate::support::server::{ApiResponse, TestServer};
use crate::support::{TestDatabase, eventually};

async fn at(server: &TestServer, host: &str, method: Method, path: &str) -> ApiResponse {
    ApiResponse::of(server.request(method, path).header("host", host)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_token_a_page_that_points_its_name_here_gets_nothing() {
    let server = TestServer::idle(TestDatabase::Sqlite).await;
    server.wait_until_ready().await;
    for path in [
        "/api/v1/jobs",
        "/api/v1/session",
        "/api/v1/events",
        "/api/v1/functions",
        "/api/values/all",
        "/api/openapi.json",
    ] {
        let answer = at(&server, "evil.example:8080", Method::GET, path).await;
        let problem = answer.problem(421, "unknown_host");
        let detail = problem["detail"].as_str().unwrap();
        assert!(
            detail.contains("\"evil.example\"") && detail.contains("SPIRAL_PUBLIC_URL"),
            "{detail}"
        );
    }
    // As such a page does it: for the browser it is of the same site.
    let call = server
        .request(Method::POST, "/api/values")
        .header("host", "evil.example:8080")
        .header("origin", "http://evil.example:8080")
        .header("sec-fetch-site", "same-origin");
    ApiResponse::of(call.json(&json!({"index": 1})))
        .await
        .problem(421, "unknown_host");
    assert!(
        server.get("/api/v1/jobs").await.json()["jobs"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    // Probes and collectors use whatever name they have.
    for path in ["/healthz", "/readyz", "/metrics", "/api/healthz", "/api/metrics"] {
        assert_eq!(
            at(&server, "web-api:8080", Method::GET, path).await.status,
            200,
            "{path}"
        );
    }
    for host in ["localhost", "localhost:8080", "192.168.1.20:8080", "[::1]:8080"] {
        let answer = at(&server, host, Method::GET, "/api/v1/jobs").await;
        assert_eq!(answer.status, 200, "{host}: {}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_name_that_people_use_can_be_set() {
    let access = AccessSettings::from_lookup(&|name: &str| {
        (name == "SPIRAL_PUBLIC_URL").then(|| "https://spiral.example.org/below".to_owned())
    });
    let server = TestServer::start_with(TestDatabase::Sqlite, |config| {
        config.server.access = access.unwrap();
        config.server.base_path = "/below".parse().unwrap();
    })
    .await;
    for path in ["/api/v1/jobs", "/below/api/v1/jobs"] {
        assert_eq!(
            at(&server, "spiral.example.org", Method::GET, path).await.status,
            200
        );
        let other = at(&server, "evil.example", Method::GET, path).await;
        other.problem(421, "unknown_host");
        let address = server.address.to_string();
        assert_eq!(at(&server, &address, Method::GET, path).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_token_a_session_is_for_known_names_alone() {
    let server = locked(TestDatabase::Sqlite, &[("SPIRAL_PUBLIC_FUNCTIONS", "fibonacci")]).await;
    let cookie = sign_in(&server, ADMIN).await;
    let with_cookie = |host: &'static str| {
        let request = server.request(Method::GET, "/api/v1/jobs");
        ApiResponse::of(request.header("cookie", &cookie).header("host", host))
    };
    with_cookie("evil.example").await.problem(421, "unknown_host");
    assert_eq!(with_cookie("localhost").await.status, 200);
    let sign_in = server
        .request(Method::POST, "/api/v1/session")
        .header("host", "evil.example");
    ApiResponse::of(sign_in.json(&json!({"token": ADMIN})))
        .await
        .problem(421, "unknown_host");
    // Who knows the token needs no page of another site, and what is public is so everywhere.
    let token = server.request(Method::GET, "/api/v1/jobs").bearer_auth(ADMIN);
    assert_eq!(
        ApiResponse::of(token.header("host", "spiral.lan")).await.status,
        200
    );
    assert_eq!(
        at(&server, "spiral.lan", Method::GET, "/api/values/all")
            .await
            .status,
        200
    );
    at(&server, "spiral.lan", Method::GET, "/api/v1/jobs")
        .await
        .problem(401, "unauthorized");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn visitors_look_at_a_rate() {
    let server = locked(
        TestDatabase::Sqlite,
        &[
            ("SPIRAL_PUBLIC_FUNCTIONS", "fibonacci"),
            ("SPIRAL_PUBLIC_READS_PER_MINUTE", "3"),
        ],
    )
    .await;
    let mut answers = Vec::new();
    for path in [
        "/api/values/all",
        "/api/v1/jobs?function=fibonacci",
        "/api/v1/functions",
    ] {
        answers.push(server.get(path).await.status.as_u16());
    }
    assert_eq!(answers, [200, 200, 200]);
    let refused = server.get("/api/values/current").await;
    refused.problem(429, "too_many_reads");
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=20).contains(&wait), "{wait}");
    // Neither who one is nor those who have a token are counted.
    for _ in 0..5 {
        assert_eq!(server.get("/api/v1/session").await.status, 200);
        let admin = server.request(Method::GET, "/api/values/all").bearer_auth(ADMIN);
        assert_eq!(ApiResponse::of(admin).await.status, 200);
    }
}

/// A process that goes with its test.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beyond_this_machine_it_does_not_serve_without_a_token() {
    let folder = TempDir::new().unwrap();
    let serve = || {
        let mut command = program();
        command
            .arg("serve")
            .env("SPIRAL_LISTEN", "0.0.0.0:0")
            .env("SPIRAL_REDIS_URL", "redis://127.0.0.1:1")
            .env(
                "SPIRAL_DATABASE_URL",
                format!("sqlite://{}/spiral.db?mode=rwc", folder.path().display()),
            );
        command
    };
    let refused = serve().output().unwrap();
    let text = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{text}");
    for part in ["SPIRAL_ADMIN_TOKEN", "127.0.0.1", "SPIRAL_INSECURE_OPEN=true"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    for (name, value) in [("SPIRAL_VIEWER_TOKEN", ADMIN), ("SPIRAL_INSECURE_OPEN", "true")] {
        let log = folder.path().join(name);
        let mut serve = serve();
        serve.env(name, value).stdin(Stdio::null());
        let serving = Serving(serve.stderr(File::create(&log).unwrap()).spawn().unwrap());
        let text = eventually("it serves", || async {
            let mut text = String::new();
            File::open(&log).unwrap().read_to_string(&mut text).unwrap();
            assert!(!text.contains("error:"), "{text}");
            text.contains("the API is ready").then_some(text)
        })
        .await;
        assert_eq!(
            text.contains("as SPIRAL_INSECURE_OPEN says"),
            name == "SPIRAL_INSECURE_OPEN",
            "{text}"
        );
        drop(serving);
    }
}
