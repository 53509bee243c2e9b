//! Redis or the database away: a fast answer, never a hang, and what was answered 202 runs.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::proxy::Proxy;
use crate::support::server::{ApiResponse, TestServer};
use crate::support::{Database, TestDatabase, eventually, on_both_databases};

/// An answer that nobody has to wait for.
async fn quick(answer: impl Future<Output = ApiResponse>) -> ApiResponse {
    tokio::time::timeout(Duration::from_secs(5), answer)
        .await
        .unwrap()
}

fn check<'a>(ready: &'a Value, name: &str) -> &'a Value {
    ready["checks"]
        .as_array()
        .unwrap()
        .iter()
        .find(|check| check["name"] == name)
        .unwrap()
}

on_both_databases! {
    async fn without_redis_calls_are_recorded_and_run_when_it_is_back(database) {
        let server = TestServer::start(database).await;
        server.wait_until_ready().await;
        server.redis.kill();
        let answer = quick(server.post("/api/values", "{\"index\": 90}")).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        let id = answer.json()["job"]["id"].as_str().unwrap().to_owned();
        let waited = quick(server.post("/api/values?wait=500ms", "{\"index\": 91}")).await;
        assert_eq!(waited.status, 202, "{}", waited.text);

        let values = quick(server.get("/api/values/current")).await;
        let problem = values.problem(503, "unavailable");
        assert_eq!(problem["detail"], "The queue cannot be reached at the moment. Try again in a few seconds.");
        assert_eq!(values.header("retry-after"), "2");
        let ready = quick(server.get("/readyz")).await;
        assert_eq!((ready.status.as_u16(), &ready.json()["status"]), (503, &json!("not_ready")));
        assert_eq!((&check(&ready.json(), "redis")["ok"], &check(&ready.json(), "sql")["ok"]), (&json!(false), &json!(true)));
        assert_eq!(quick(server.get("/healthz")).await.status, 200);
        assert_eq!(quick(server.get(&format!("/api/v1/jobs/{id}"))).await.json()["state"], "queued");
        eventually("the depth of the queue is not known", || async {
            let metrics = quick(server.get("/metrics")).await.text;
            metrics.contains("spiral_jobs{queue=\"default\",state=\"queued\"} NaN").then_some(())
        })
        .await;

        server.redis.launch();
        for id in [id.as_str(), waited.json()["job"]["id"].as_str().unwrap()] {
            server.job_in_state(id, "completed").await;
        }
        server.wait_until_ready().await;
    }
}

/// A server whose PostgreSQL is behind a proxy.
async fn behind_a_proxy() -> (TestServer, Proxy) {
    let database = Database::new(TestDatabase::Postgres).await;
    let proxy = Proxy::to(database.address()).await;
    let url = proxy.url(database.url(), &database.address());
    let server = TestServer::on(database, |config| {
        config.database.url = url;
        config.database.acquire_timeout = Duration::from_secs(1);
        config.database.statement_timeout = Duration::from_secs(1);
    })
    .await;
    server.wait_until_ready().await;
    (server, proxy)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_calls_while_it_starts_waits_for_the_first_answer_of_the_database() {
    let database = Database::new(TestDatabase::Postgres).await;
    let proxy = Proxy::to(database.address()).await;
    let url = proxy.url(database.url(), &database.address());
    proxy.cut();
    let server = TestServer::on(database, |config| {
        config.database.url = url;
        config.database.acquire_timeout = Duration::from_millis(200);
    })
    .await;
    let back = async {
        // As long as nobody can have an answer other than a refusal.
        tokio::time::sleep(Duration::from_secs(1)).await;
        proxy.restore();
    };
    let (answer, ()) = tokio::join!(server.post("/api/values", "{\"index\": 90}"), back);
    assert_eq!(answer.status, 202, "{}", answer.text);
}

async fn refuses_until_it_is_back(server: &TestServer) {
    for _ in 0..2 {
        let answer = quick(server.post("/api/values", "{\"index\": 90}")).await;
        let problem = answer.problem(503, "unavailable");
        assert_eq!(
            problem["detail"],
            "The database cannot be reached at the moment. Try again in a few seconds."
        );
        assert_eq!(answer.header("retry-after"), "2");
        quick(server.get("/api/v1/jobs"))
            .await
            .problem(503, "unavailable");
    }
    let ready = quick(server.get("/readyz")).await;
    assert_eq!(
        (ready.status.as_u16(), &check(&ready.json(), "sql")["ok"]),
        (503, &json!(false))
    );
    assert_eq!(quick(server.get("/healthz")).await.status, 200);
    // What needs no database goes on.
    assert_eq!(quick(server.get("/api/values/current")).await.status, 200);
    assert_eq!(quick(server.get("/api/v1/functions")).await.status, 200);
}

async fn goes_on(server: &TestServer) {
    let begin = Instant::now();
    eventually("calls are recorded again", || async {
        (server.post("/api/values", "{\"index\": 90}").await.status == 202).then_some(())
    })
    .await;
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    server.wait_until_ready().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_gone_means_503_at_once_until_it_is_back() {
    let (server, proxy) = behind_a_proxy().await;
    proxy.cut();
    refuses_until_it_is_back(&server).await;
    proxy.restore();
    goes_on(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_silent_means_503_soon_and_never_a_hang() {
    let (server, proxy) = behind_a_proxy().await;
    proxy.silence();
    refuses_until_it_is_back(&server).await;
    proxy.restore();
    goes_on(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_starts_while_redis_is_away() {
    let server = TestServer::on(Database::new(TestDatabase::Sqlite).await, |config| {
        config.redis.url = "unix:///nowhere/redis.sock".to_owned();
    })
    .await;
    assert_eq!(
        quick(server.post("/api/values", "{\"index\": 90}")).await.status,
        202
    );
    assert_eq!(quick(server.get("/readyz")).await.status, 503);
}
