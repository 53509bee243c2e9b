//! A Redis whose memory is full: calls are answered as ever, an operator is told, and all jobs run when workers make room.

use futures::future::join_all;
use reqwest::StatusCode;
use serde_json::json;

use crate::support::server::TestServer;
use crate::support::{RedisServer, eventually, on_both_databases};

fn used(redis: &RedisServer) -> u64 {
    let info = redis.ask("INFO memory");
    let used = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
    used.unwrap().parse().unwrap()
}

async fn metric(server: &TestServer, name: &str) -> String {
    let text = server.get("/metrics").await.text;
    let line = text
        .lines()
        .find(|line| line.starts_with(name) && !line.starts_with('#'));
    line.and_then(|line| line.rsplit(' ').next())
        .unwrap_or_default()
        .to_owned()
}

async fn trouble(server: &TestServer, kind: &str) -> Option<String> {
    let overview = server.get("/api/v1/overview").await.json();
    let troubles = overview["troubles"].as_array().unwrap().iter();
    troubles
        .filter(|trouble| trouble["kind"] == kind)
        .map(|trouble| trouble["message"].as_str().unwrap().to_owned())
        .next()
}

async fn count(server: &TestServer, state: &str) -> u64 {
    let overview = server.get("/api/v1/overview").await.json();
    overview["counts"][state].as_u64().unwrap()
}

fn is_full(redis: &RedisServer) -> bool {
    redis.ask("SET probe x").contains("OOM")
}

on_both_databases! {
    async fn a_full_redis_is_told_and_loses_no_call(database) {
        let server = TestServer::idle(database).await;
        server.wait_until_ready().await;
        assert_eq!(metric(&server, "spiral_redis_full").await, "0");
        let most = used(&server.redis) + (6 << 20);
        server.redis.ask(&format!("CONFIG SET maxmemory {most}"));
        let body = json!({ "input": "x".repeat(64 << 10), "max_attempts": 1 });
        let mut calls: u64 = 0;
        while !is_full(&server.redis) {
            assert!(calls < 1_000, "it never becomes full");
            let made = join_all((0..10).map(|_| server.call("echo", &body))).await;
            calls += made.len() as u64;
        }
        // Well over it, so that nothing that comes and goes makes room.
        let most = used(&server.redis) - (1 << 20);
        server.redis.ask(&format!("CONFIG SET maxmemory {most}"));

        let answer = server.post("/api/v1/functions/echo/jobs", body.to_string()).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
        let echo = async |number: u32| server.call("echo", &json!({ "input": number, "max_attempts": 1 })).await;
        let small = join_all((0..50).map(echo)).await;
        calls += 1 + small.len() as u64;
        let told = eventually("it is told", async || trouble(&server, "redis_full").await).await;
        assert!(told.contains("is full: it uses") && told.contains("maxmemory"), "{told}");
        let ready = server.get("/readyz").await;
        assert_eq!(ready.status, StatusCode::OK, "{}", ready.text);
        let checks = ready.json()["checks"].clone();
        let redis = checks.as_array().unwrap().iter().find(|check| check["name"] == "redis").unwrap().clone();
        assert!(redis["message"].as_str().unwrap().contains("is full"), "{redis}");
        assert_eq!(metric(&server, "spiral_redis_full").await, "1");
        let of_one = small[0]["id"].as_str().unwrap();
        let cancelled = server.post(&format!("/api/v1/jobs/{of_one}/cancel"), "").await;
        assert!(cancelled.status.is_success(), "{}", cancelled.text);

        server.start_worker();
        server.start_worker();
        eventually("all have run", async || (count(&server, "completed").await == calls - 1).then_some(())).await;
        assert_eq!((count(&server, "dead").await, count(&server, "cancelled").await), (0, 1));
        eventually("it is full no more", async || trouble(&server, "redis_full").await.is_none().then_some(())).await;
        assert_eq!(metric(&server, "spiral_redis_full").await, "0");
        assert_eq!(trouble(&server, "no_worker").await, None);
        for job in join_all((0..5).map(echo)).await {
            server.job_in_state(job["id"].as_str().unwrap(), "completed").await;
        }
    }
}
