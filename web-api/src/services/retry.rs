//! Retries jobs that have ended.
//!
//! The row decides: it goes to the backlog, from which `dispatch` pushes it like any other. Since the job
//! ended, Redis has removed it, or removes it now, when it was cancelled and its id is still in a lane. Where
//! a push of it was under way, the next push finds it there and changes nothing, and `reconcile` covers the
//! rest. Events from before the retry may still arrive, or arrive twice: they are older than the time that
//! the row records, and are ignored.

use std::collections::BTreeMap;

use jobs::job::{JobId, QueueName};
use jobs::queue::Queues;

use crate::db::Store;
use crate::db::job_history::Cause;
use crate::db::jobs::Job;
use crate::services::dispatcher::window::Windows;
use crate::services::retry_loop::PartError;
use jobs::error::chain;

/// Retries those of `ids`, all of one queue, that have ended, and returns them.
///
/// # Errors
/// When SQL or Redis is away. Either nothing has changed then, or the result is unknown.
pub async fn run(
    store: &Store,
    queues: &Queues,
    windows: &Windows,
    queue: &QueueName,
    ids: &[JobId],
    cause: &Cause,
) -> Result<Vec<Job>, PartError> {
    // The clock is read first: every later event belongs to the retry.
    let now = queues.now(queue).await?;
    queues.forget(queue, ids).await?;
    let jobs = store.job_retry_by(queue, ids, now, cause).await?;
    if jobs.is_empty() {
        return Ok(jobs);
    }
    windows.enqueued(queue);
    let mut counts = BTreeMap::<&str, u64>::new();
    for job in &jobs {
        *counts.entry(&job.function).or_default() += 1;
    }
    for (function, count) in counts {
        let labels = [("queue", queue.to_string()), ("function", function.to_owned())];
        metrics::counter!("spiral_jobs_run_again_total", &labels).increment(count);
    }
    let told: Vec<(JobId, u32, &str)> = jobs
        .iter()
        .map(|job| (job.id, job.attempt, job.function.as_str()))
        .collect();
    if let Err(error) = queues.announce_again(queue, &told).await {
        tracing::warn!(
            %queue, error = chain(&error),
            "the retry was not published: pages may show jobs as ended until reloaded"
        );
    }
    Ok(jobs)
}
