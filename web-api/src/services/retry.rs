//! Runs jobs again that have ended.
//!
//! The row is what counts: it goes to the backlog, from which `dispatch` hands it over as any other. It ended, so
//! Redis has let go of it, or does so now, where its id is still in a lane because it was cancelled there. Where a push
//! of it was on its way, the next one finds it there and changes nothing, and `reconcile` sees to the rest. What the
//! queue told of its earlier life may still come, or come again: such events are older than the time that the row notes.

use std::collections::BTreeMap;

use jobs::job::{JobId, QueueName};
use jobs::queue::Queues;

use crate::db::Store;
use crate::db::job_history::Cause;
use crate::db::jobs::Job;
use crate::services::dispatcher::window::Windows;
use crate::services::retry_loop::PartError;
use jobs::error::chain;

/// Runs those of `ids`, all of one queue, again that have ended, and returns them.
///
/// # Errors
/// When SQL or Redis is away. Nothing has changed then, or it is not known.
pub async fn run(
    store: &Store,
    queues: &Queues,
    windows: &Windows,
    queue: &QueueName,
    ids: &[JobId],
    cause: &Cause,
) -> Result<Vec<Job>, PartError> {
    // Asked first: all that is told of them from here on is of their new life.
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
        tracing::warn!(%queue, error = chain(&error), "pages may show jobs as ended until they are read again");
    }
    Ok(jobs)
}
