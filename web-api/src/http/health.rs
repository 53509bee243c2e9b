//! Whether the process lives, whether it can work, and its metrics.

use std::time::Duration;

use jobs::queue::{ServerWarning, ServerWarningKind};
use jobs::version;
use salvo::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use salvo::http::{ResBody, StatusCode};
use salvo::oapi::endpoint;
use salvo::prelude::*;

use crate::http::dto::health::{Check, Health, Readiness};
use crate::http::error::ApiError;
use crate::http::response::ApiResponse;
use crate::http::state::{AppState, Inner};
use jobs::error::chain;

/// A part that takes longer to answer is as good as away.
const TIMEOUT: Duration = Duration::from_secs(2);
/// The recorder looks twice a second; past this it is stuck.
const PROGRESS_LIMIT: Duration = Duration::from_secs(10);

/// Is the process alive?
#[endpoint(
    operation_id = "healthz",
    tags("health"),
    responses((status_code = 200, description = "It is.", body = Health)),
)]
pub async fn healthz(depot: &mut Depot) -> Result<ApiResponse, ApiError> {
    let started = AppState::of(depot)?.started;
    ApiResponse::ok(&Health {
        status: "ok".to_owned(),
        version: version::VERSION.to_owned(),
        commit: version::COMMIT.map(str::to_owned),
        uptime_seconds: started.elapsed().as_secs(),
    })
}

/// Can the process do its work?
///
/// Looks at SQL, which has to take writes as well, at Redis and at the recorder's last poll. Warnings do not make it
/// unready: they tell what an operator should set right before it costs jobs.
#[endpoint(
    operation_id = "readyz",
    tags("health"),
    responses(
        (status_code = 200, description = "It can.", body = Readiness),
        (status_code = 503, description = "A part is away.", body = Readiness),
    ),
)]
pub async fn readyz(depot: &mut Depot) -> Result<ApiResponse, ApiError> {
    let state = AppState::of(depot)?;
    let (sql, redis) = tokio::join!(
        tokio::time::timeout(TIMEOUT, state.store.check()),
        tokio::time::timeout(TIMEOUT, state.queues.ping()),
    );
    let sql = check_of("sql", sql.map(|ping| ping.map_err(|error| chain(&error))));
    let mut redis = check_of("redis", redis.map(|ping| ping.map_err(|error| chain(&error))));
    let warnings: Vec<_> = state.redis_warnings.current();
    // It is no reason to take this process away from its callers: their jobs are kept in the database.
    let full = warnings
        .iter()
        .find(|warning| matches!(warning.kind, ServerWarningKind::Full { .. }));
    if let Some(full) = full.filter(|_| redis.ok) {
        redis.message = full.to_string();
    }
    let checks = vec![sql, redis, recorder(state)];
    let ready = checks.iter().all(|check| check.ok);
    let (status, word) = if ready {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not_ready")
    };
    ApiResponse::json(
        status,
        &Readiness {
            status: word.to_owned(),
            checks,
            warnings: all_warnings(state, &warnings),
        },
    )
}

/// What an operator should set right.
fn all_warnings(state: &Inner, of_redis: &[ServerWarning]) -> Vec<String> {
    let of_redis = of_redis.iter().map(ToString::to_string);
    let of_sql = state.store.refusals().into_iter();
    of_redis
        .chain(of_sql.map(|reason| reason.sentence().to_owned()))
        .collect()
}

fn check_of(name: &str, ping: Result<Result<(), String>, tokio::time::error::Elapsed>) -> Check {
    let (ok, message) = match ping {
        Ok(Ok(())) => (true, "answers".to_owned()),
        Ok(Err(error)) => (false, error),
        Err(_elapsed) => (false, format!("does not answer within {} s", TIMEOUT.as_secs())),
    };
    Check {
        name: name.to_owned(),
        ok,
        message,
    }
}

fn recorder(state: &Inner) -> Check {
    let (ok, message) = match state.recorder.age() {
        None => (false, "has not looked for outcomes yet".to_owned()),
        Some(age) => (
            age < PROGRESS_LIMIT,
            format!("looked for outcomes {:.1} s ago", age.as_secs_f64()),
        ),
    };
    Check {
        name: "recorder".to_owned(),
        ok,
        message,
    }
}

/// The metrics of this process in the text format of Prometheus.
#[handler]
pub async fn metrics(depot: &mut Depot, res: &mut Response) -> Result<(), ApiError> {
    let text = crate::http::metrics::render(AppState::of(depot)?).await;
    let headers = res.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    res.body(ResBody::Once(text.into()));
    Ok(())
}
