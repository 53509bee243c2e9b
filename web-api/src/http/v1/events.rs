//! The live feed as server-sent events.

use salvo::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use salvo::oapi::endpoint;
use salvo::prelude::*;

use crate::http::dto::problems::Problem;
use crate::http::error::ApiError;
use crate::http::extract::caller::caller;
use crate::http::state::AppState;

const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Follow all jobs live
///
/// Server-sent events. `event: job` carries a `JobPatch`: absent fields are unchanged, an unknown id is a new
/// job. `event: refresh` carries a `Refresh`: read the lists again. Comments keep the connection open. After
/// a disconnect the browser sends the last `id` as `Last-Event-ID`, and no event is missed.
#[endpoint(
    operation_id = "follow_events",
    tags("events"),
    parameters(
        ("Last-Event-ID" = Option<String>, Header,
            description = "The id of the last event that was received."),
    ),
    responses(
        (status_code = 200, description = "The events, until either side ends the connection.", content(
            ("text/event-stream" = String),
        )),
        (status_code = 503, description = "The live feed has too many clients.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub async fn follow(req: &mut Request, depot: &mut Depot, res: &mut Response) -> Result<(), ApiError> {
    let last_event_id = req
        .headers()
        .get("last-event-id")
        .map(|id| id.to_str().unwrap_or_default());
    let client = AppState::of(depot)?
        .feed
        .join(last_event_id, caller(depot)?.is_visitor())?;
    let headers = res.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store, no-transform"));
    // Proxies like nginx buffer responses unless this header turns it off.
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    res.stream(client.frames());
    Ok(())
}
