//! The all-in-one mode as people start it: the binary, a folder, and what happens to it.

mod refusals;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use crate::support::binary::{Running, program};
use crate::support::eventually;

const F90: &str = "2880067194370816120";

/// A static build of one page and one asset.
pub(crate) fn build(folder: &Path) -> PathBuf {
    let build = folder.join("dist");
    std::fs::create_dir_all(build.join("assets")).unwrap();
    std::fs::write(
        build.join("index.html"),
        "<!doctype html><title>Spiral</title><script src=\"/assets/index-abc123.js\"></script>",
    )
    .unwrap();
    std::fs::write(build.join("assets/index-abc123.js"), "export {};".repeat(300)).unwrap();
    std::fs::write(
        build.join("favicon.svg"),
        "<svg xmlns=\"http://www.w3.org/2000/svg\"/>",
    )
    .unwrap();
    std::fs::write(build.join(".secret"), "secret").unwrap();
    build
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_command_gives_values_and_pages() {
    let folder = TempDir::new().unwrap();
    let build = build(folder.path());
    let spiral = Running::start(
        &folder.path().join("data"),
        &["--static", build.to_str().unwrap()],
    )
    .await;
    let answer = spiral.post("/api/values?wait=10s", &json!({"index": 90})).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["value"]),
        (200, &json!(F90))
    );
    assert_eq!(spiral.get("/api/values/current").await.json(), json!({"90": F90}));

    for page in ["/", "/jobs", "/jobs/deeper?tab=1"] {
        let answer = spiral.get(page).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("cache-control")),
            (200, "no-cache"),
            "{page}"
        );
        assert!(answer.header("content-type").starts_with("text/html"), "{page}");
        assert!(answer.text.contains("<title>Spiral"), "{page}");
        assert!(
            answer
                .header("content-security-policy")
                .contains("script-src 'self';"),
            "{page}"
        );
    }
    let asset = spiral.get("/assets/index-abc123.js").await;
    assert_eq!(
        asset.header("cache-control"),
        "public, max-age=31536000, immutable"
    );
    assert!(
        asset.header("content-type").starts_with("text/javascript"),
        "{:?}",
        asset.headers
    );
    assert_eq!(
        spiral.get("/favicon.svg").await.header("content-type"),
        "image/svg+xml"
    );
    for missing in ["/assets/index-old.js", "/api/nothing", "/api", "/api/v1/nothing"] {
        spiral.get(missing).await.problem(404, "not_found");
    }
    for hidden in ["/.secret", "/%2e%2e/Cargo.toml", "/..%2f..%2fetc/passwd"] {
        assert!(!spiral.get(hidden).await.text.contains("secret"), "{hidden}");
        assert!(!spiral.get(hidden).await.text.contains("root:"), "{hidden}");
    }
    spiral.get("/api/values").await.problem(405, "method_not_allowed");
    assert_eq!(spiral.stop().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_in_order_keeps_everything_and_leaves_nobody_behind() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data with a space, ä and 50%");
    let spiral = Running::start(&data, &[]).await;
    spiral.post("/api/values?wait=10s", &json!({"index": 90})).await;
    let later = json!({"input": {"index": 91}, "delay_seconds": 2});
    let later = spiral
        .post("/api/v1/functions/fibonacci/jobs", &later)
        .await
        .json();
    let redis = spiral.redis(&data).await;
    let begin = Instant::now();
    assert_eq!(spiral.stop().await.code(), Some(0));
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    assert!(!is_alive(redis) && !data.join("redis.sock").exists());

    let spiral = Running::start(&data, &[]).await;
    assert_eq!(spiral.get("/api/values/current").await.json()["90"], F90);
    let path = format!("/api/v1/jobs/{}", later["id"].as_str().unwrap());
    eventually("the job that waited runs", || async {
        (spiral.get(&path).await.json()["state"] == "completed").then_some(())
    })
    .await;
    assert_eq!(spiral.stop().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_takes_redis_along_and_loses_no_job() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let mut spiral = Running::start(&data, &[]).await;
    let redis = spiral.redis(&data).await;
    // Long enough to be under way when the end comes.
    let job = spiral
        .post("/api/values", &json!({"index": 9_000_000}))
        .await
        .json()["job"]
        .clone();
    spiral.kill().await;
    eventually("Redis is gone as well", || async {
        (!is_alive(redis)).then_some(())
    })
    .await;

    let spiral = Running::start(&data, &[]).await;
    let path = format!("/api/v1/jobs/{}", job["id"].as_str().unwrap());
    let done = spiral
        .eventually(&path, |job| job["state"] == "completed", Duration::from_secs(90))
        .await;
    assert_eq!(done["output_length"], 1_880_889);
    assert_eq!(spiral.stop().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_was_left_behind_is_ended_first() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir_all(&data).unwrap();
    let mut orphan = std::process::Command::new("redis-server")
        .args([
            "--port",
            "0",
            "--appendonly",
            "yes",
            "--save",
            "",
            "--unixsocket",
            "redis.sock",
        ])
        .current_dir(&data)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    eventually("it listens", || async {
        data.join("redis.sock").exists().then_some(())
    })
    .await;
    let spiral = Running::start(&data, &[]).await;
    assert!(
        orphan.wait().unwrap().success(),
        "it was asked to end, not killed"
    );
    assert_eq!(
        spiral
            .post("/api/values?wait=10s", &json!({"index": 90}))
            .await
            .status,
        200
    );
    assert!(
        spiral
            .log()
            .contains("ending a Redis that an earlier run left behind")
    );
    spiral.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_dies_is_started_again() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let spiral = Running::start(&data, &[]).await;
    for index in 0..3 {
        let redis = spiral.redis(&data).await;
        signal(redis, "KILL");
        // Meanwhile calls are taken.
        assert_eq!(
            spiral.post("/api/values", &json!({"index": index})).await.status,
            202
        );
        eventually("another Redis is there", || async {
            (!is_alive(redis) && spiral.get("/readyz").await.status == 200).then_some(())
        })
        .await;
    }
    eventually("all jobs are completed", || async {
        let jobs = spiral.get("/api/v1/jobs?state=completed").await.json();
        (jobs["jobs"].as_array().unwrap().len() == 3).then_some(())
    })
    .await;
    assert_eq!(spiral.stop().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_lets_running_jobs_finish_and_records_them() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let spiral = Running::start(&data, &[]).await;
    let job = spiral
        .post("/api/values", &json!({"index": 5_000_000}))
        .await
        .json()["job"]
        .clone();
    let path = format!("/api/v1/jobs/{}", job["id"].as_str().unwrap());
    spiral
        .eventually(&path, |job| job["state"] != "queued", Duration::from_secs(20))
        .await;
    assert_eq!(spiral.stop().await.code(), Some(0));
    let spiral = Running::start(&data, &[]).await;
    let done = spiral.get(&path).await.json();
    assert_eq!(
        (&done["state"], &done["attempt"]),
        (&json!("completed"), &json!(1)),
        "{done}"
    );
    spiral.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_does_not_wait() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let spiral = Running::start(&data, &[]).await;
    let job = spiral
        .post("/api/values", &json!({"index": 10_000_000}))
        .await
        .json()["job"]
        .clone();
    let path = format!("/api/v1/jobs/{}", job["id"].as_str().unwrap());
    spiral
        .eventually(&path, |job| job["state"] == "running", Duration::from_secs(20))
        .await;
    let redis = spiral.redis(&data).await;
    signal(spiral.id(), "TERM");
    eventually("it is stopping", || async {
        spiral.log().contains("stopping").then_some(())
    })
    .await;
    let begin = Instant::now();
    let status = spiral.stop().await;
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    assert_eq!(status.code(), Some(130));
    eventually("Redis is gone as well", || async {
        (!is_alive(redis)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_far_down_works_as_well() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("x".repeat(120)).join("y".repeat(120));
    let spiral = Running::start(&data, &[]).await;
    assert_eq!(
        spiral
            .post("/api/values?wait=10s", &json!({"index": 90}))
            .await
            .status,
        200
    );
    assert_eq!(spiral.stop().await.code(), Some(0));
    let spiral = Running::start(&data, &[]).await;
    assert_eq!(spiral.get("/api/values/current").await.json()["90"], F90);
    let socket = socket_in(&data.join("redis.log"));
    let socket = socket.parent().unwrap();
    assert!(socket.exists() && !socket.starts_with(folder.path()));
    spiral.stop().await;
    assert!(!socket.exists());
}

/// The socket that Redis says it listens on.
fn socket_in(log: &Path) -> PathBuf {
    let text = std::fs::read_to_string(log).unwrap();
    let line = text
        .lines()
        .rev()
        .find_map(|line| line.split_once("ready to accept connections at "))
        .unwrap();
    line.1.trim().into()
}

fn is_alive(process: u32) -> bool {
    // A zombie has an empty command line.
    std::fs::read(format!("/proc/{process}/cmdline")).is_ok_and(|line| !line.is_empty())
}

fn signal(process: u32, name: &str) {
    let sent = std::process::Command::new("kill")
        .args([format!("-{name}"), process.to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
}
