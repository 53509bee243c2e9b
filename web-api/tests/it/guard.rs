//! Who may do what: the access token, pages of other sites, and a handler that panics.

use std::sync::Arc;

use jobs::catalog::{Catalog, FunctionSettings};
use reqwest::Method;
use salvo::prelude::*;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use web_api::app::App;
use web_api::config::ServerSettings;
use web_api::http::server::Listening;

use crate::support::server::{ApiResponse, TestServer};
use crate::support::{TestDatabase, TestEnv};

const TOKEN: &str = "correct-horse-battery";

fn with_token() -> ServerSettings {
    ServerSettings::from_lookup(&|name| (name == "SPIRAL_TOKEN").then(|| TOKEN.to_owned())).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_token_only_those_who_know_it_get_in() {
    let server = TestServer::start_with(TestDatabase::Sqlite, |config| config.server = with_token()).await;
    for path in [
        "/api/v1/jobs",
        "/api/v1/functions",
        "/api/v1/events",
        "/api/values/all",
        "/metrics",
        "/api/metrics",
    ] {
        let answer = server.get(path).await;
        answer.problem(401, "unauthorized");
        assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"spiral\"");
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    server
        .post("/api/values", "{\"index\": 1}")
        .await
        .problem(401, "unauthorized");
    for wrong in [
        "Bearer wrong",
        "Bearer",
        "Basic correct-horse-battery",
        "correct-horse-battery",
        "Bearer correct-horse-batter",
    ] {
        let answer = ApiResponse::of(
            server
                .request(Method::GET, "/api/v1/jobs")
                .header("authorization", wrong),
        )
        .await;
        answer.problem(401, "unauthorized");
    }
    for right in [format!("Bearer {TOKEN}"), format!("bearer  {TOKEN} ")] {
        let answer = ApiResponse::of(
            server
                .request(Method::GET, "/api/v1/jobs")
                .header("authorization", right),
        )
        .await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert!(
            answer.json()["jobs"].as_array().unwrap().is_empty(),
            "nothing was stored"
        );
    }
    // What tells nothing is open: load balancers and people who want to know how to get in.
    for path in [
        "/healthz",
        "/readyz",
        "/api/healthz",
        "/api/openapi.json",
        "/api/docs/",
    ] {
        assert_ne!(server.get(path).await.status, 401, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_refused_before_a_long_body_is_read_gets_to_read_why() {
    const LENGTH: usize = 16 << 20;
    let server = TestServer::start_with(TestDatabase::Sqlite, |config| config.server = with_token()).await;
    let (token, nobody) = (format!("authorization: Bearer {TOKEN}\r\n"), String::new());
    for (path, who, status) in [
        ("/api/v1/batches", &nobody, "401"),
        ("/api/v1/jobs:batch", &nobody, "401"),
        ("/api/v1/functions/nothing/jobs", &token, "404"),
        ("/api/nowhere", &token, "404"),
        ("/api/v1/tags", &token, "405"),
    ] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n{who}\
             content-length: {LENGTH}\r\n\r\n",
            server.address
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // It reads nothing before it has sent everything.
        let sent = stream.write_all(&vec![b' '; LENGTH]).await;
        assert!(sent.is_ok(), "{path}: {sent:?}");
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer[9..], status.as_bytes(), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_another_site_changes_nothing() {
    let server = TestServer::idle(TestDatabase::Sqlite).await;
    let post = |site: &'static str| {
        let request = server
            .request(Method::POST, "/api/values")
            .header("sec-fetch-site", site);
        ApiResponse::of(request.json(&json!({"index": 90})))
    };
    post("cross-site").await.problem(403, "cross_site");
    post("same-site").await.problem(403, "cross_site");
    for site in ["same-origin", "none"] {
        assert_eq!(post(site).await.status, 202, "{site}");
    }
    let read = server
        .request(Method::GET, "/api/v1/jobs")
        .header("sec-fetch-site", "cross-site");
    assert_eq!(
        ApiResponse::of(read).await.json()["jobs"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    // No header allows another origin to read the answer.
    let preflight = server
        .request(Method::OPTIONS, "/api/values")
        .header("origin", "https://example.org");
    assert_eq!(
        ApiResponse::of(preflight)
            .await
            .header("access-control-allow-origin"),
        ""
    );
}

#[handler]
async fn panicking() {
    panic!("the secret of the handler");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_is_a_problem_that_tells_nothing() {
    let env = TestEnv::new(TestDatabase::Sqlite).await;
    let catalog = Arc::new(Catalog::new(&FunctionSettings::default()).unwrap());
    let shutdown = CancellationToken::new();
    let (store, queues) = (env.store.clone(), env.queues.clone());
    let app = App::start(
        ServerSettings::default(),
        catalog,
        store,
        queues,
        shutdown.clone(),
    )
    .unwrap();
    let listening = Listening::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listening.address();
    let router = Router::with_path("panic").get(panicking);
    let serving = tokio::spawn(listening.serve(router, app.state(), shutdown.clone()));
    for _ in 0..2 {
        let answer = ApiResponse::of(reqwest::Client::new().get(format!("http://{address}/panic"))).await;
        answer.problem(500, "internal");
        assert!(!answer.text.contains("secret"), "{}", answer.text);
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
    shutdown.cancel();
    serving.await.unwrap().unwrap();
    app.end().await;
}
