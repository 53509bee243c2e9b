//! The Prometheus metrics of this process. Base units, no label with an unbounded set of values.

use std::time::Duration;

use salvo::http::Method;

/// Buckets of the request histogram, in seconds: from an answer out of memory to a long wait for an outcome.
pub const REQUEST_BUCKETS: [f64; 13] = [
    0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0,
];

/// One request was answered.
pub fn request(method: &Method, matched: &str, status: u16, took: Duration) {
    let labels = [
        ("method", metrics_method(method).to_owned()),
        ("path", matched.to_owned()),
        ("status", status.to_string()),
    ];
    metrics::histogram!("spiral_http_request_duration_seconds", &labels).record(took.as_secs_f64());
}

/// The method as a label: callers may invent methods, so the set is closed here.
fn metrics_method(method: &Method) -> &str {
    match method.as_str() {
        name @ ("GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS") => name,
        _ => "other",
    }
}
