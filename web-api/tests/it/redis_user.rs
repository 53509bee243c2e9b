//! The API and a worker as the user of Redis that compose/redis.acl describes: all that they do works, and what is not
//! Spiral's is out of their reach.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jobs::catalog::{Catalog, FunctionSettings};
use jobs::worker::{self, WorkerSettings};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::support::TestDatabase;
use crate::support::server::TestServer;

const PASSWORD: &str = "spirals-own";

/// The rules of the user, as compose/redis.sh fills them in.
fn rules() -> String {
    let text = include_str!("../../../compose/redis.acl")
        .replace("@password@", PASSWORD)
        .replace("@prefix@", "spiral");
    let mut lines = text.lines().filter(|line| !line.starts_with('#'));
    let line = lines.next().unwrap().to_owned();
    assert!(lines.next().is_none(), "one user is enough");
    line.strip_prefix("user ").unwrap().to_owned()
}

/// Somebody with a connection to Redis.
struct Asked(BufReader<UnixStream>);

impl Asked {
    fn open(socket: &Path) -> Self {
        Self(BufReader::new(UnixStream::connect(socket).unwrap()))
    }

    /// The first line of the answer.
    fn ask(&mut self, question: &[&str]) -> String {
        let mut text = format!("*{}\r\n", question.len());
        for part in question {
            write!(text, "${}\r\n{part}\r\n", part.len()).unwrap();
        }
        self.0.get_mut().write_all(text.as_bytes()).unwrap();
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn api_and_worker_need_nothing_but_spirals_keys() {
    let server = TestServer::start_with(TestDatabase::Sqlite, |config| {
        let socket = config.redis.url.strip_prefix("unix://").unwrap().to_owned();
        let rules = rules();
        let parts: Vec<&str> = ["ACL", "SETUSER"].into_iter().chain(rules.split(' ')).collect();
        assert_eq!(Asked::open(socket.as_ref()).ask(&parts), "+OK");
        config.redis.url = format!("unix://{socket}?user=spiral&pass={PASSWORD}");
    })
    .await;
    let socket = server.redis.socket();
    let shutdown = CancellationToken::new();
    let _end = shutdown.clone().drop_guard();
    let mut redis = server.redis.settings();
    redis.url = format!("{}?user=spiral&pass={PASSWORD}", redis.url);
    let settings = WorkerSettings {
        redis,
        grace: Duration::ZERO,
        ..WorkerSettings::default()
    };
    let catalog = Arc::new(Catalog::new(&FunctionSettings::default()).unwrap());
    tokio::spawn(worker::run(settings, catalog, shutdown));
    server.wait_until_ready().await;

    // What calls, callers and pages ask for, and what the roles do beside it.
    let value = server.post("/api/values?wait=60s", "{\"index\": 2000}").await;
    assert_eq!(value.status, 200, "{}", value.text);
    let again = server.post("/api/values?wait=60s", "{\"index\": 2000}").await;
    assert_eq!(again.status, 200, "{}", again.text);
    assert!(server.get("/api/values/current").await.text.contains("2000"));
    let flaky = server.call("flaky", &json!({"input": {"failures": 1}})).await;
    let running = server.call("sleep", &json!({"input": {"seconds": 600}})).await;
    let running = running["id"].as_str().unwrap();
    server.job_in_state(running, "running").await;
    let cancelled = server.post(&format!("/api/v1/jobs/{running}/cancel"), "").await;
    assert!(
        matches!(cancelled.status.as_u16(), 200 | 202),
        "{}",
        cancelled.text
    );
    server.job_in_state(running, "cancelled").await;
    let later = server
        .call("echo", &json!({"input": 1, "delay_seconds": 30}))
        .await;
    let later = format!("/api/v1/jobs/{}", later["id"].as_str().unwrap());
    let edited = server.patch(&later, &json!({"input": 2})).await;
    assert_eq!(edited.status, 200, "{}", edited.text);
    let now = server.post(&format!("{later}/run-now"), "").await;
    assert_eq!(now.status, 202, "{}", now.text);
    for action in ["pause", "resume"] {
        let path = format!("/api/v1/queues/default/{action}");
        assert_eq!(server.post(&path, "").await.status, 200, "{path}");
    }
    server
        .job_in_state(flaky["id"].as_str().unwrap(), "completed")
        .await;
    for path in [
        "/api/v1/workers",
        "/api/v1/queues",
        "/api/v1/overview",
        "/readyz",
        "/metrics",
    ] {
        assert_eq!(server.get(path).await.status, 200, "{path}");
    }
    let overview = server.get("/api/v1/overview").await.json();
    assert_eq!(overview["workers"], 1, "{overview}");
    let mut admin = Asked::open(&socket);
    assert_eq!(
        admin.ask(&["ACL", "LOG"]),
        "*0",
        "something was refused that they need: {}",
        server.redis.ask("ACL LOG")
    );
    nothing_else_is_theirs(&socket, &mut admin);
}

fn nothing_else_is_theirs(socket: &Path, admin: &mut Asked) {
    assert_eq!(admin.ask(&["SET", "others:key", "1"]), "+OK");
    let mut spiral = Asked::open(socket);
    assert_eq!(spiral.ask(&["AUTH", "spiral", PASSWORD]), "+OK");
    for refused in [
        &["GET", "others:key"][..],
        &["SET", "others:key", "2"],
        &["DEL", "others:key"],
        &["RENAME", "spiral:x", "others:x"],
        &["EVAL", "return redis.call('GET', 'others:key')", "0"],
        &["EVAL", "return redis.call('GET', KEYS[1])", "1", "others:key"],
        &["KEYS", "*"],
        &["SCAN", "0"],
        &["FLUSHALL"],
        &["FLUSHDB"],
        &["CONFIG", "SET", "maxmemory", "1"],
        &["CONFIG", "GET", "requirepass"],
        &["ACL", "LIST"],
        &["ACL", "SETUSER", "spiral", "allkeys"],
        &["CLIENT", "LIST"],
        &["CLIENT", "KILL", "TYPE", "normal"],
        &["SHUTDOWN", "NOSAVE"],
        &["SCRIPT", "FLUSH"],
        &["FUNCTION", "FLUSH"],
        &["MONITOR"],
        &["REPLICAOF", "127.0.0.1", "1"],
        &["SAVE"],
        &["PUBLISH", "others", "1"],
    ] {
        let answer = spiral.ask(refused);
        let denied = [
            "NOPERM",
            "can't access at least one of the keys",
            "ACL failure in script",
        ];
        assert!(
            denied.iter().any(|text| answer.contains(text)),
            "{refused:?}: {answer}"
        );
    }
}
