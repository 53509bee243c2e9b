//! Jobs over HTTP: several connections that stay open, each with one call after the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use reqwest::StatusCode;
use tokio::task::JoinSet;
use xtask::interrupt;

/// The function that is called: the nearest there is to one that does nothing, without an output to keep.
const FUNCTION: &str = "echo";
const INPUT: &str = "null";

/// How many jobs one call brings.
const JOBS_PER_CALL: u64 = 1_000;

/// Connections that call at the same time.
const CONNECTIONS: u64 = 4;

/// What one call sends: where to, and what.
fn call(address: &str) -> (String, String) {
    let job = format!(r#"{{"function":"{FUNCTION}","input":{INPUT}}}"#);
    let jobs = vec![job; usize::try_from(JOBS_PER_CALL).unwrap_or(1)].join(",");
    (
        format!("{address}/api/v1/batches"),
        format!(r#"{{"jobs":[{jobs}]}}"#),
    )
}

/// Has so many jobs accepted, and says how long that took.
pub(super) async fn accept(client: &reqwest::Client, address: &str, jobs: u64) -> Result<Duration> {
    ensure!(
        jobs.is_multiple_of(JOBS_PER_CALL),
        "{jobs} jobs are no whole number of calls"
    );
    let calls = Arc::new(AtomicU64::new(jobs / JOBS_PER_CALL));
    let (url, body) = call(address);
    let begin = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..CONNECTIONS {
        callers.spawn(caller(
            client.clone(),
            url.clone(),
            body.clone(),
            Arc::clone(&calls),
        ));
    }
    while let Some(ended) = callers.join_next().await {
        ended.context("a caller panicked")??;
    }
    Ok(begin.elapsed())
}

async fn caller(client: reqwest::Client, url: String, body: String, left: Arc<AtomicU64>) -> Result<()> {
    let next = || left.try_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
    while next().is_ok() {
        interrupt::check()?;
        let call = client.post(&url).header("content-type", "application/json");
        let answer = call.body(body.clone()).send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        ensure!(
            status == StatusCode::ACCEPTED,
            "a call was answered {status}: {text}"
        );
    }
    Ok(())
}
