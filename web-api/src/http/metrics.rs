//! The Prometheus metrics of this process. Base units, and no label with an unbounded set of values.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jobs::version;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use salvo::http::Method;
use tokio_util::sync::CancellationToken;

use crate::http::state::Inner;
use jobs::error::chain;

const REQUEST_SECONDS: &str = "spiral_http_request_duration_seconds";

/// Seconds: from a response out of memory to a long wait for an outcome.
const BUCKETS: [f64; 13] = [
    0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0,
];

/// How often recorded samples are summed up, so that they do not pile up when the metrics are not scraped.
const UPKEEP: Duration = Duration::from_secs(5);

/// Starts the collection, which all servers of a process share.
///
/// # Errors
/// When another recorder is installed already.
pub fn install() -> Result<PrometheusHandle, BuildError> {
    static HANDLE: Mutex<Option<PrometheusHandle>> = Mutex::new(None);
    let mut installed = HANDLE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = installed.as_ref() {
        return Ok(handle.clone());
    }
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_duration_seconds".to_owned()), &BUCKETS)?
        // Quantiles of several processes cannot be added; buckets can.
        .set_buckets_for_metric(Matcher::Suffix("_wait_seconds".to_owned()), &BUCKETS)?
        .install_recorder()?;
    describe();
    Ok(installed.insert(handle).clone())
}

fn describe() {
    use metrics::{describe_counter, describe_gauge, describe_histogram};
    describe_histogram!(
        REQUEST_SECONDS,
        "Time to an answer, by method, path and status; 499: the caller left."
    );
    describe_gauge!("spiral_jobs", "Jobs in Redis by queue and state.");
    describe_gauge!("spiral_workers", "Workers whose lease holds, by queue.");
    describe_gauge!("spiral_queue_paused", "1 while the queue is paused, else 0.");
    describe_gauge!(
        "spiral_redis_warnings",
        "Settings of Redis that will cost jobs one day; `/readyz` names them."
    );
    describe_gauge!(
        "spiral_redis_memory_used_bytes",
        "Memory that Redis uses, by server."
    );
    describe_gauge!(
        "spiral_redis_memory_max_bytes",
        "Memory that Redis may use (maxmemory), by server; 0 is no limit."
    );
    describe_gauge!(
        "spiral_redis_full",
        "1 while a Redis takes no new jobs because its memory is full, else 0."
    );
    describe_counter!(
        "spiral_stale_results_total",
        "Results that came too late and were dropped, by queue."
    );
    describe_counter!(
        "spiral_batches_finished_total",
        "Batches that this process has closed."
    );
    describe_counter!(
        "spiral_rows_pruned_total",
        "Old rows that this process has deleted, by table."
    );
    describe_gauge!(
        "spiral_event_clients",
        "Clients that follow the live feed of this process."
    );
    describe_gauge!("spiral_build_info", "1, with the version as a label.");
    metrics::gauge!("spiral_build_info", "version" => version::VERSION).set(1.0);
}

/// Sums up the samples from time to time, until the shutdown.
pub async fn upkeep(handle: PrometheusHandle, shutdown: CancellationToken) {
    while tokio::time::timeout(UPKEEP, shutdown.cancelled()).await.is_err() {
        handle.run_upkeep();
    }
}

/// Records a request.
pub fn request(method: &Method, matched: &str, status: u16, took: Duration) {
    let labels = [
        ("method", method_label(method).to_owned()),
        ("path", matched.to_owned()),
        ("status", status.to_string()),
    ];
    metrics::histogram!(REQUEST_SECONDS, &labels).record(took.as_secs_f64());
}

/// The method as a label. Clients may invent methods, so the set of labels is fixed here.
fn method_label(method: &Method) -> &str {
    match method.as_str() {
        name @ ("GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS") => name,
        _ => "other",
    }
}

/// All metrics as text, with the current numbers of the queues.
pub async fn render(state: &Inner) -> String {
    #[expect(clippy::cast_precision_loss, reason = "no server has 2^53 of anything")]
    let number = |count: u64| count as f64;
    metrics::gauge!("spiral_event_clients").set(number(state.feed.clients() as u64));
    metrics::gauge!("spiral_redis_warnings").set(number(state.redis_warnings.current().len() as u64));
    let full = Box::pin(redis_memory(state)).await;
    metrics::gauge!("spiral_redis_full").set(full);
    for queue in state.catalog.queues() {
        let depth = state.queues.depth(&queue).await;
        if let Err(error) = &depth {
            tracing::warn!(%queue, error = %chain(error), "the depth of the queue cannot be read");
        }
        let name = queue.to_string();
        let depth = depth.ok();
        let counts = [
            ("queued", depth.map(|depth| depth.queued)),
            ("scheduled", depth.map(|depth| depth.scheduled)),
            ("running", depth.map(|depth| depth.running)),
        ];
        // An unknown number is left out: an old one would look like a queue without progress.
        for (job_state, count) in counts {
            metrics::gauge!("spiral_jobs", "queue" => name.clone(), "state" => job_state)
                .set(count.map_or(f64::NAN, number));
        }
        metrics::gauge!("spiral_workers", "queue" => name.clone())
            .set(depth.map_or(f64::NAN, |depth| number(depth.workers)));
        let limits = state.queues.limits(&queue).await;
        metrics::gauge!("spiral_queue_paused", "queue" => name.clone())
            .set(limits.map_or(f64::NAN, |limits| f64::from(u8::from(limits.paused))));
        if let Some(depth) = depth {
            metrics::counter!("spiral_stale_results_total", "queue" => name).absolute(depth.stale_results);
        }
    }
    state.metrics.render()
}

/// Sets the memory gauges of the Redis servers. Returns 1 when one of them is full, and NaN when it is not
/// known.
async fn redis_memory(state: &Inner) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "no server has 2^53 bytes")]
    let number = |count: u64| count as f64;
    let Ok(servers) = state.queues.memory_of_servers().await else {
        return f64::NAN;
    };
    for memory in &servers {
        let server = memory.server.clone();
        metrics::gauge!("spiral_redis_memory_used_bytes", "server" => server.clone())
            .set(number(memory.used));
        metrics::gauge!("spiral_redis_memory_max_bytes", "server" => server).set(number(memory.most));
    }
    let full = servers
        .iter()
        .any(|memory| memory.most > 0 && memory.used >= memory.most);
    f64::from(u8::from(full))
}
