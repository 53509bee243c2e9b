//! Liveness, readiness and metrics of the process.

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

/// The timeout of each check.
const TIMEOUT: Duration = Duration::from_secs(2);
/// The recorder polls twice a second; after this time without a poll it is stuck.
const PROGRESS_LIMIT: Duration = Duration::from_secs(10);

/// Read the liveness of the process
#[endpoint(
    operation_id = "healthz",
    tags("health"),
    responses((status_code = 200, description = "The process is alive.", body = Health)),
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

/// Read the readiness of the process
///
/// Checks that SQL accepts writes, that Redis responds, and that the recorder polls. Warnings do not make the
/// process unready: they list settings that an operator should fix, because they can lose jobs later.
#[endpoint(
    operation_id = "readyz",
    tags("health"),
    responses(
        (status_code = 200, description = "The process is ready.", body = Readiness),
        (status_code = 503, description = "A dependency is not available.", body = Readiness),
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
    // A full Redis does not make the process unready: new jobs are kept in the database.
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

/// The settings that an operator should fix.
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
