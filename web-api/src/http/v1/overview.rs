//! The current state of the system.

mod diagnostics;

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use ::jobs::clock;
use ::jobs::job::{JobState, QueueName};
use ::jobs::queue::Limits;
use salvo::oapi::endpoint;
use salvo::prelude::*;

use self::diagnostics::Seen;
use crate::db::job_counts::JobCount;
use crate::http::dto::overview::{JobCounts, OldestWaiting, Overview, QueueOverview};
use crate::http::dto::problems::Problem;
use crate::http::error::ApiError;
use crate::http::response::ApiResponse;
use crate::http::state::{AppState, Inner};
use crate::services::removed_queues;
use jobs::error::chain;

/// The timeout for Redis; after it the rest is returned without Redis.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Read the overview
///
/// Jobs by state and by queue, the job of each queue that has waited longest, the live workers, and the
/// current problems with what to do about them. The counts are exact, and cost the same with any number of
/// jobs, because each change of a job updates them in its transaction. Values that only Redis knows are null
/// while Redis is not available.
#[endpoint(
    operation_id = "read_overview",
    tags("monitoring"),
    responses(
        (status_code = 200, description = "The current state of the system.", body = Overview),
        (status_code = 503, description = "The database cannot be read at the moment.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub async fn read(depot: &mut Depot) -> Result<ApiResponse, ApiError> {
    let state = AppState::of(depot)?;
    let begun = Instant::now();
    let counts = state.store.job_counts().await?;
    let limits = state.store.queue_limits_all().await?;
    let names = state.catalog.queues();
    let mut queues = Vec::with_capacity(names.len());
    for name in &names {
        queues.push(queue(state, name, &counts, &limits).await?);
    }
    let database_took = begun.elapsed();
    let workers = add_workers(state, &names, &mut queues).await;
    // A Redis that cannot save still answers reads; a ping reports it.
    let redis = match &workers {
        Err(error) => Some(error.clone()),
        Ok(_) => state.queues.ping().await.err().map(|error| chain(&error)),
    };
    let total = tally(&counts);
    let seen = Seen {
        queues: &queues,
        redis: redis.as_deref(),
        warnings: state.redis_warnings.current(),
        recorder: state.recorder.age(),
        dead_lately: state.backlogs.dead_lately(),
        database_took,
        clock: clock::jump(),
        refusals: state.store.refusals(),
        full: names
            .iter()
            .filter(|name| {
                let line = state.backlogs.line(name);
                line.limit.is_some_and(|limit| line.waiting >= limit)
            })
            .map(ToString::to_string)
            .collect(),
        removed: removed_queues::unfinished(&counts, &names)
            .into_iter()
            .map(|(queue, jobs)| (queue.to_string(), jobs))
            .collect(),
    };
    let troubles = diagnostics::troubles(&seen, clock::now());
    ApiResponse::ok(&Overview {
        at: clock::now().into(),
        counts: total,
        queues,
        workers: workers.ok(),
        troubles,
    })
}

/// The data of a queue in SQL.
async fn queue(
    state: &Inner,
    name: &QueueName,
    counts: &[JobCount],
    limits: &HashMap<String, Limits>,
) -> Result<QueueOverview, ApiError> {
    let counts = tally(counts.iter().filter(|count| count.queue == *name));
    let oldest = match counts.queued {
        0 => None,
        _ => state.store.job_oldest_waiting(name).await?,
    };
    Ok(QueueOverview {
        name: name.to_string(),
        paused: limits.get(name.as_str()).is_some_and(|limits| limits.paused),
        counts,
        workers: None,
        ended_per_minute: (state.backlogs.line(name).ended_per_second * 600.0).round() / 10.0,
        oldest_waiting: oldest.map(|job| OldestWaiting {
            id: job.id.to_string(),
            function: job.function,
            since: job
                .run_at
                .map_or(job.created_at, |at| at.max(job.created_at))
                .into(),
        }),
    })
}

/// Adds the data of Redis, and returns the number of workers, or why it is not known.
async fn add_workers(
    state: &Inner,
    names: &[QueueName],
    queues: &mut [QueueOverview],
) -> Result<u64, String> {
    let asking = async {
        let mut alive = BTreeSet::new();
        for (name, queue) in names.iter().zip(queues) {
            let workers = state.queues.workers(name).await?;
            let of_queue = workers.into_iter().filter(|worker| worker.alive);
            let of_queue: Vec<String> = of_queue.map(|worker| worker.name).collect();
            queue.workers = Some(of_queue.len() as u64);
            alive.extend(of_queue);
        }
        Ok::<_, ::jobs::error::Error>(alive.len() as u64)
    };
    match tokio::time::timeout(TIMEOUT, asking).await {
        Ok(Ok(workers)) => Ok(workers),
        Ok(Err(error)) => Err(chain(&error)),
        Err(_elapsed) => Err(format!("no answer within {} s", TIMEOUT.as_secs())),
    }
}

pub(crate) fn tally<'c>(counts: impl IntoIterator<Item = &'c JobCount>) -> JobCounts {
    let mut tally = JobCounts::default();
    for count in counts {
        let sum = match count.state {
            JobState::Scheduled => &mut tally.scheduled,
            JobState::Queued => &mut tally.queued,
            JobState::Running => &mut tally.running,
            JobState::Retrying => &mut tally.retrying,
            JobState::Completed => &mut tally.completed,
            JobState::Dead => &mut tally.dead,
            JobState::Cancelled => &mut tally.cancelled,
        };
        *sum += count.jobs;
    }
    tally
}
