//! What a process bears without ending: a hangup, and being out of file descriptors.

use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::support::binary::Running;
use crate::support::eventually;

/// How the log names a failure to let connections in.
const TOLD: &str = "connections could not be accepted";

#[tokio::test(flavor = "multi_thread")]
async fn without_file_descriptors_the_log_says_so_once_a_second() {
    let data = TempDir::new().unwrap();
    let spiral = Running::start(data.path(), &[]).await;
    let open = std::fs::read_dir(format!("/proc/{}/fd", spiral.id()))
        .unwrap()
        .count();
    let most = open + 20;
    let limited = Command::new("prlimit")
        .args([
            "--pid",
            &spiral.id().to_string(),
            &format!("--nofile={most}:{most}"),
        ])
        .status()
        .unwrap();
    assert!(limited.success());
    let mut clients = Vec::new();
    for _ in 0..60 {
        clients.push(TcpStream::connect(spiral.address()).await.unwrap());
    }
    let told = || spiral.log().matches(TOLD).count();
    eventually("it is told", || async { (told() > 0).then_some(()) }).await;
    let (begin, before) = (Instant::now(), told());
    tokio::time::sleep(Duration::from_secs(4)).await;
    let lines = told() - before;
    let seconds = usize::try_from(begin.elapsed().as_secs()).unwrap() + 1;
    assert!(
        lines <= seconds,
        "{lines} lines in {seconds} s:\n{}",
        spiral.log()
    );
    assert!(lines > 0, "the other clients wait still, and nobody hears of it");
    drop(clients);
    eventually("it serves again", || async {
        (spiral.get("/healthz").await.status == 200).then_some(())
    })
    .await;
    assert!(spiral.stop().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hangup_does_not_end_the_api() {
    let data = TempDir::new().unwrap();
    let spiral = Running::start(data.path(), &[]).await;
    for _ in 0..3 {
        let sent = Command::new("kill")
            .args(["-HUP", &spiral.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
    }
    eventually("the log tells of it", || async {
        spiral.log().contains("SIGHUP").then_some(())
    })
    .await;
    assert_eq!(spiral.get("/healthz").await.status, 200);
    assert!(spiral.stop().await.success());
}
