//! Queues: their length and their limits.

use std::time::Duration;

use ::jobs::job::QueueName;
use ::jobs::json::{Json, Object};
use ::jobs::queue::{Limits, RateLimit};
use salvo::oapi::endpoint;
use salvo::prelude::*;

use super::overview::tally;
use crate::config::MOST_BACKLOG;
use crate::db::job_counts::JobCount;
use crate::db::queues::Limit;
use crate::http::dto::overview::JobCounts;
use crate::http::dto::problems::Problem;
use crate::http::dto::queues::{Queue, QueueLimits, QueueList};
use crate::http::error::ApiError;
use crate::http::extract::json::{self, Fields};
use crate::http::response::ApiResponse;
use crate::http::state::{AppState, Inner};
use crate::services::limits_sync;

const EXAMPLE: &str = "{\"concurrency\": 10}";
const MOST: u64 = 1_000_000;
const SHORTEST_PERIOD: f64 = 0.001;
const LONGEST_PERIOD: f64 = 86_400.0;

/// List the queues
#[endpoint(
    operation_id = "list_queues",
    tags("queues"),
    responses(
        (status_code = 200, description = "The queues.", body = QueueList),
        (status_code = 503, description = "The queues cannot be read at the moment.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub async fn list(depot: &mut Depot) -> Result<ApiResponse, ApiError> {
    let state = AppState::of(depot)?;
    let counts = state.store.job_counts().await?;
    let mut queues = Vec::new();
    for (name, weight) in state.catalog.weighted_queues() {
        queues.push(read(state, &name, weight, &counts).await?);
    }
    ApiResponse::ok(&QueueList { queues })
}

/// Read a queue
#[endpoint(
    operation_id = "get_queue",
    tags("queues"),
    parameters(("name" = String, Path, description = "The name of the queue.")),
    responses(
        (status_code = 200, description = "The queue.", body = Queue),
        (status_code = 404, description = "There is no such queue.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 503, description = "The queue cannot be read at the moment.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub async fn get(req: &mut Request, depot: &mut Depot) -> Result<ApiResponse, ApiError> {
    let state = AppState::of(depot)?;
    let (name, weight) = find(state, req)?;
    let counts = state.store.job_counts().await?;
    ApiResponse::ok(&read(state, &name, weight, &counts).await?)
}

/// Set the limits of a queue
///
/// The limits apply to all workers from now on. An absent field is unchanged; null removes a limit.
/// `backlog_limit`: while that many jobs wait, new calls and batches for the queue are refused with `429`;
/// the jobs of schedules and of batch callbacks are not refused.
#[endpoint(
    operation_id = "set_queue_limits",
    tags("queues"),
    parameters(("name" = String, Path, description = "The name of the queue.")),
    request_body(content = QueueLimits, description = "The new limits."),
    responses(
        (status_code = 200, description = "The queue with its new limits.", body = Queue),
        (status_code = 400, description = "The body is not JSON.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 403, description = "The request came from a page of another site.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 404, description = "There is no such queue.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 413, description = "The body is too large.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 415, description = "The body is not `application/json`.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 422, description = "A limit is out of bounds.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 503, description = "The limits cannot be set at the moment.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub async fn change(req: &mut Request, depot: &mut Depot) -> Result<ApiResponse, ApiError> {
    let state = AppState::of(depot)?;
    let (name, weight) = find(state, req)?;
    let body = json::object(req, state.settings.body_limit, EXAMPLE).await?;
    let Changed {
        limits,
        which,
        backlog_limit,
    } = changed(body)?;
    if let BacklogLimit::Set(limit) = backlog_limit {
        state.store.queue_set_backlog_limit(&name, limit).await?;
        state.backlogs.set_limit(&name, limit);
        tracing::info!(queue = %name, ?limit, "the backlog limit of a queue was set");
    }
    set(state, &name, weight, limits, &which).await
}

/// Pause a queue
///
/// Its jobs wait until the queue is resumed; running jobs continue. A paused queue is unchanged.
#[endpoint(
    operation_id = "pause_queue",
    tags("queues"),
    parameters(("name" = String, Path, description = "The name of the queue.")),
    responses(
        (status_code = 200, description = "The queue, which is paused.", body = Queue),
        (status_code = 403, description = "The request came from a page of another site.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 404, description = "There is no such queue.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 503, description = "The queue cannot be reached at the moment.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub async fn pause(req: &mut Request, depot: &mut Depot) -> Result<ApiResponse, ApiError> {
    set_paused(req, depot, true).await
}

/// Resume a queue
#[endpoint(
    operation_id = "resume_queue",
    tags("queues"),
    parameters(("name" = String, Path, description = "The name of the queue.")),
    responses(
        (status_code = 200, description = "The queue, which is not paused.", body = Queue),
        (status_code = 403, description = "The request came from a page of another site.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 404, description = "There is no such queue.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 503, description = "The queue cannot be reached at the moment.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub async fn resume(req: &mut Request, depot: &mut Depot) -> Result<ApiResponse, ApiError> {
    set_paused(req, depot, false).await
}

async fn set_paused(req: &mut Request, depot: &mut Depot, paused: bool) -> Result<ApiResponse, ApiError> {
    let state = AppState::of(depot)?;
    let (name, weight) = find(state, req)?;
    let limits = Limits {
        paused,
        ..Limits::default()
    };
    set(state, &name, weight, limits, &[Limit::Paused]).await
}

async fn set(
    state: &Inner,
    name: &QueueName,
    weight: u32,
    limits: Limits,
    which: &[Limit],
) -> Result<ApiResponse, ApiError> {
    let limits = limits_sync::set(&state.store, &state.queues, name, &limits, which).await?;
    tracing::info!(queue = %name, ?limits, "the limits of a queue were set");
    let backlog_limit = state.store.queue_backlog_limits().await?;
    let backlog_limit = backlog_limit.get(name.as_str()).copied();
    let depth = state.queues.depth(name).await?;
    let counts = of_queue(&state.store.job_counts().await?, name);
    ApiResponse::ok(&Queue::new(name, weight, &limits, backlog_limit, &counts, &depth))
}

async fn read(state: &Inner, name: &QueueName, weight: u32, counts: &[JobCount]) -> Result<Queue, ApiError> {
    let limits = state.store.queue_limits(name).await?;
    let backlog_limit = state.store.queue_backlog_limits().await?;
    let backlog_limit = backlog_limit.get(name.as_str()).copied();
    let depth = state.queues.depth(name).await?;
    let counts = of_queue(counts, name);
    Ok(Queue::new(name, weight, &limits, backlog_limit, &counts, &depth))
}

/// Counts of SQL: Redis holds only the head of a long backlog, and no jobs that are due much later.
fn of_queue(counts: &[JobCount], name: &QueueName) -> JobCounts {
    tally(counts.iter().filter(|count| count.queue == *name))
}

fn find(state: &Inner, req: &Request) -> Result<(QueueName, u32), ApiError> {
    let name = req.param::<String>("name").unwrap_or_default();
    let queues = state.catalog.weighted_queues();
    let found = queues.into_iter().find(|(queue, _)| queue.as_str() == name);
    found.ok_or(ApiError::UnknownQueue { name })
}

/// The backlog limit in a body.
enum BacklogLimit {
    Unsaid,
    Set(Option<u64>),
}

/// The limits in a body, and which of them it sets.
struct Changed {
    limits: Limits,
    which: Vec<Limit>,
    backlog_limit: BacklogLimit,
}

fn changed(body: Object) -> Result<Changed, ApiError> {
    let mut limits = Limits::default();
    let mut which = Vec::new();
    let takes_away = |name: &str| body.get(name).is_some_and(Json::is_null);
    let (no_concurrency, no_rate) = (takes_away("concurrency"), takes_away("rate"));
    let no_backlog_limit = takes_away("backlog_limit");
    let mut fields = Fields::of(body);
    if let Some(paused) = fields.flag("paused") {
        limits.paused = paused;
        which.push(Limit::Paused);
    }
    let concurrency = fields.number("concurrency", 1, MOST);
    if concurrency.is_some() || no_concurrency {
        limits.concurrency = concurrency.and_then(|most| u32::try_from(most).ok());
        which.push(Limit::Concurrency);
    }
    let rate = fields.object("rate");
    if rate.is_some() || no_rate {
        which.push(Limit::Rate);
    }
    if let Some(rate) = rate {
        let mut rate = Fields::of(rate);
        limits.rate = new_rate(&mut rate);
        fields.inner("rate", rate);
    }
    let most = fields.number("backlog_limit", 1, MOST_BACKLOG);
    fields.finish()?;
    Ok(Changed {
        limits,
        which,
        backlog_limit: if most.is_some() || no_backlog_limit {
            BacklogLimit::Set(most)
        } else {
            BacklogLimit::Unsaid
        },
    })
}

fn new_rate(fields: &mut Fields) -> Option<RateLimit> {
    let jobs = fields.number("jobs", 1, MOST);
    let period = fields.decimal("period_seconds", SHORTEST_PERIOD, LONGEST_PERIOD);
    let burst = fields.number("burst", 1, MOST);
    for (name, missing) in [("/jobs", jobs.is_none()), ("/period_seconds", period.is_none())] {
        if missing {
            fields.missing(name);
        }
    }
    let jobs = u32::try_from(jobs?).ok()?;
    Some(RateLimit {
        jobs,
        period: Duration::from_secs_f64(period?),
        burst: burst.and_then(|burst| u32::try_from(burst).ok()).unwrap_or(jobs),
    })
}
