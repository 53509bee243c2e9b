//! A database that is locked, read-only or slow: a quick 503, and what is slow stops nothing else.

use std::time::{Duration, Instant};

use reqwest::Method;
use sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::server::{ApiResponse, TestServer};
use crate::support::{TestDatabase, eventually, on_both_databases};

const CALL: &str = "/api/v1/functions/echo/jobs";

fn sql(ready: &Value) -> &Value {
    let checks = ready["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == "sql").unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_of_a_locked_sqlite_are_told_within_the_two_timeouts() {
    let server = TestServer::start_with(TestDatabase::Sqlite, |config| {
        config.database.acquire_timeout = Duration::from_secs(1);
        config.database.statement_timeout = Duration::from_secs(3);
    })
    .await;
    server.wait_until_ready().await;
    let other = server.database.connect().await;
    // What `sqlite3`, a backup or a migration does.
    other.execute_unprepared("BEGIN IMMEDIATE").await.unwrap();
    let waiting = async |path: &'static str, body: Value| {
        let start = Instant::now();
        let answer = server.post(path, body.to_string()).await;
        let took = start.elapsed();
        answer.problem(503, "unavailable");
        // Four seconds, and what a busy machine needs.
        assert!(took < Duration::from_secs(7), "{path}: {took:?}");
    };
    // Several at once, and again while the first ones wait.
    let batch = json!({"jobs": [{"function": "echo", "input": 1}]});
    let schedule = json!({"name": "s", "function": "echo", "input": 1, "every": "1h"});
    tokio::join!(
        waiting(CALL, json!({"input": 1})),
        waiting(CALL, json!({"input": 2})),
        waiting("/api/v1/batches", batch),
        waiting("/api/v1/schedules", schedule),
        async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            waiting(CALL, json!({"input": 3})).await;
        },
        async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            waiting(CALL, json!({"input": 4})).await;
        },
    );
    assert_eq!(server.get("/api/v1/jobs").await.status, 200, "reading goes on");
    assert_eq!(server.get("/readyz").await.status, 503);
    other.execute_unprepared("ROLLBACK").await.unwrap();
    eventually("calls are taken again", || async {
        (server.post(CALL, "{\"input\": 5}").await.status == 202).then_some(())
    })
    .await;
    server.wait_until_ready().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_that_is_read_only_is_not_ready() {
    let server = TestServer::idle(TestDatabase::Postgres).await;
    server.wait_until_ready().await;
    let admin = server.database.connect().await;
    let name = server.database.url().rsplit('/').next().unwrap();
    // As an operator does before a move; a standby answers the same.
    let read_only = |on: &str| format!("ALTER DATABASE {name} SET default_transaction_read_only = {on}");
    let ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid()";
    admin.execute_unprepared(&read_only("on")).await.unwrap();
    admin.execute_unprepared(ended).await.unwrap();
    let ready = eventually("it is not ready", || async {
        let ready = server.get("/readyz").await;
        (ready.status == 503).then(|| ready.json())
    })
    .await;
    assert_eq!(sql(&ready)["ok"], false);
    let message = sql(&ready)["message"].as_str().unwrap();
    assert!(message.contains("read-only"), "{message}");
    let refused = server.post(CALL, "{\"input\": 1}").await;
    let detail = refused.problem(503, "unavailable")["detail"].clone();
    assert!(
        detail.as_str().unwrap().starts_with("The database is read-only"),
        "{detail}"
    );
    assert_eq!(server.get("/api/v1/jobs").await.status, 200, "reading goes on");
    admin
        .execute_unprepared("SET default_transaction_read_only = off")
        .await
        .unwrap();
    admin.execute_unprepared(&read_only("off")).await.unwrap();
    admin.execute_unprepared(ended).await.unwrap();
    server.wait_until_ready().await;
    assert_eq!(server.post(CALL, "{\"input\": 1}").await.status, 202);
}

/// From now on whoever reads the audit log waits until it is ended.
async fn make_the_audit_log_slow(server: &TestServer, kind: TestDatabase) {
    let view = match kind {
        TestDatabase::Postgres => "CREATE VIEW audit AS SELECT kept.* FROM pg_sleep(60) LEFT JOIN kept ON true",
        TestDatabase::Sqlite => {
            "CREATE VIEW audit AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000000000)
             SELECT kept.* FROM n LEFT JOIN kept"
        }
    };
    let behind = server.database.connect().await;
    for statement in ["ALTER TABLE audit RENAME TO kept", view] {
        behind.execute_unprepared(statement).await.unwrap();
    }
}

on_both_databases! {
    async fn slow_searches_stop_neither_calls_nor_outcomes(kind) {
        let server = TestServer::start_with(kind, |config| {
            config.database.max_connections = 6;
            config.database.search_connections = 2;
            config.database.acquire_timeout = Duration::from_secs(1);
            config.database.statement_timeout = Duration::from_secs(3);
        })
        .await;
        server.start_worker();
        server.wait_until_ready().await;
        make_the_audit_log_slow(&server, kind).await;
        let mut searches = JoinSet::new();
        for _ in 0..20 {
            let request = server.request(Method::GET, "/api/v1/audit");
            searches.spawn(async move {
                // Those who are refused come back, as people do.
                for _ in 0..4 {
                    let request = request.try_clone().unwrap();
                    ApiResponse::of(request).await.problem(503, "unavailable");
                }
            });
        }
        let mut calls = 0;
        while searches.try_join_next().is_none() || calls < 10 {
            let start = Instant::now();
            let job = server.call("echo", &json!({"input": calls})).await;
            let took = start.elapsed();
            // A call that waited for a search would wait for a second at least, and be refused then.
            assert!(took < Duration::from_secs(1), "{took:?}");
            server.job_in_state(job["id"].as_str().unwrap(), "completed").await;
            calls += 1;
        }
        searches.join_all().await;
        let ready = server.get("/readyz").await;
        assert_eq!(ready.status, 200, "{}", ready.text);
    }
}
