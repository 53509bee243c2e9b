//! The id, log line and metrics of every request. The outermost layer, so that errors sent by Salvo itself
//! are included.

use std::time::Instant;

use salvo::http::header::{HeaderName, HeaderValue};
use salvo::http::{Method, StatusCode};
use salvo::prelude::*;
use tracing::Instrument as _;
use ulid::Ulid;

use crate::http::metrics;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of the current request.
#[derive(Debug, Clone)]
struct RequestId(String);

/// The id of the request; `-` outside of one.
pub fn request_id(depot: &Depot) -> &str {
    depot.get_typed::<RequestId>().map_or("-", |id| id.0.as_str())
}

/// Gives every request an id, a span, a log line and an entry in the histogram.
#[handler]
pub async fn observe(req: &mut Request, depot: &mut Depot, res: &mut Response, ctrl: &mut FlowCtrl) {
    let id = incoming_id(req).unwrap_or_else(|| Ulid::generate().to_string());
    if let Ok(value) = HeaderValue::from_str(&id) {
        res.headers_mut().insert(X_REQUEST_ID, value);
    }
    depot.insert_typed(RequestId(id.clone()));
    let seen = Seen::new(req, id);
    let span = tracing::info_span!("request", id = %seen.id);
    ctrl.call_next(req, depot, res).instrument(span).await;
    seen.answered(res.status_code.unwrap_or(StatusCode::OK));
}

/// The id that the client, or a proxy, gave the request: only when it is safe to repeat in logs.
fn incoming_id(req: &Request) -> Option<String> {
    let id = req.headers().get(X_REQUEST_ID)?.to_str().ok()?;
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
    ((1..=128).contains(&id.len()) && id.bytes().all(legal)).then(|| id.to_owned())
}

/// A request in progress. When the client disconnects its future is dropped, which is logged as well.
struct Seen {
    id: String,
    method: Method,
    path: String,
    matched: String,
    started: Instant,
    open: bool,
}

impl Seen {
    fn new(req: &Request, id: String) -> Self {
        Self {
            id,
            method: req.method().clone(),
            path: req.uri().path().to_owned(),
            matched: req.matched_path().to_owned(),
            started: Instant::now(),
            open: true,
        }
    }

    fn answered(mut self, status: StatusCode) {
        self.open = false;
        self.log(status.as_u16());
    }

    fn log(&self, status: u16) {
        let took = self.started.elapsed();
        let matched = if self.matched.is_empty() {
            "none"
        } else {
            self.matched.as_str()
        };
        metrics::request(&self.method, matched, status, took);
        let ms = took.as_secs_f64() * 1_000.0;
        tracing::info!(
            method = %self.method, path = %self.path, status, ms = (ms * 10.0).round() / 10.0, request_id = %self.id,
            "request"
        );
    }
}

impl Drop for Seen {
    fn drop(&mut self) {
        if self.open {
            // The status that nginx logs when the client closed the request before there was a response.
            self.log(499);
        }
    }
}
