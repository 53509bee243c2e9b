//! A log that cannot be written is lost, and nothing else.

use std::fs::OpenOptions;
use std::net::TcpListener;
use std::process::{Child, Stdio};

use reqwest::Client;
use serde_json::json;

use crate::support::binary::program;
use crate::support::server::ApiResponse;
use crate::support::{Database, RedisServer, TestDatabase, eventually};

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

async fn serves_without_its_log(log: Stdio, format: &str) {
    let (database, redis) = (Database::new(TestDatabase::Sqlite).await, RedisServer::start());
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let mut child = program()
        .arg("serve")
        .env("SPIRAL_LISTEN", address.to_string())
        .env("SPIRAL_DATABASE_URL", database.url())
        .env("SPIRAL_REDIS_URL", redis.url())
        .env("SPIRAL_LOG", "debug")
        .env("SPIRAL_LOG_FORMAT", format)
        .stdin(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    // With a pipe this is its reader, who goes away.
    drop(child.stderr.take());
    let mut child = Killed(child);
    let client = Client::new();
    let root = format!("http://{address}");
    eventually("it is ready", || async {
        client
            .get(format!("{root}/readyz"))
            .send()
            .await
            .ok()
            .filter(|ready| ready.status() == 200)
            .map(|_| ())
    })
    .await;
    for _ in 0..20 {
        let call = client
            .post(format!("{root}/api/v1/functions/echo/jobs"))
            .json(&json!({"input": 1}));
        assert_eq!(ApiResponse::of(call).await.status, 202);
        // A line with a field that is told at the highest level.
        let wrong = client
            .post(format!("{root}/api/v1/functions/nothing/jobs"))
            .json(&json!({"input": 1}));
        assert_eq!(ApiResponse::of(wrong).await.status, 404);
    }
    assert_eq!(child.0.try_wait().unwrap(), None, "it lives");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_goes_on_when_the_disk_of_its_log_is_full() {
    for format in ["text", "json"] {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        serves_without_its_log(full.into(), format).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_goes_on_when_nobody_reads_its_log_any_more() {
    serves_without_its_log(Stdio::piped(), "text").await;
}
