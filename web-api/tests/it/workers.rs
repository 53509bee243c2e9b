//! The list of workers.

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::support::server::TestServer;
use crate::support::{TestDatabase, eventually};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_tell_what_they_are_and_what_they_hold() {
    let server = TestServer::idle(TestDatabase::Sqlite).await;
    assert_eq!(server.get("/api/v1/workers").await.json(), json!({"workers": []}));
    server.start_worker();
    let body = json!({"input": {"seconds": 600}}).to_string();
    assert_eq!(
        server.post("/api/v1/functions/sleep/jobs", body).await.status,
        202
    );
    let worker = eventually("a worker holds the job", || async {
        let workers = server.get("/api/v1/workers").await.json();
        let worker = workers["workers"].get(0)?.clone();
        (worker["held"] == 1 && worker["version"].is_string()).then_some(worker)
    })
    .await;
    assert_eq!(worker["alive"], true);
    assert_eq!(worker["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(worker["pid"], std::process::id());
    assert!(worker["concurrency"].as_u64().is_some_and(|most| most > 0));
    if cfg!(target_os = "linux") {
        assert!(
            worker["memory_bytes"]
                .as_u64()
                .is_some_and(|bytes| bytes > 100_000),
            "{worker}"
        );
    }
    let time = |name: &str| worker[name].as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
    assert!(time("started_at") <= time("heartbeat_at"), "{worker}");
    assert!(
        worker["queues"].as_array().unwrap().contains(&json!("default")),
        "{worker}"
    );
}
