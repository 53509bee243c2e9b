//! The live feed as server-sent events.

use salvo::oapi::endpoint;
use salvo::prelude::*;

use crate::error::ApiError;
use crate::problem::Problem;

/// Follow all jobs live
///
/// Server-sent events. `event: job` carries a `JobPatch`: fields that are absent are unchanged, an unknown id is a new
/// job. `event: refresh` carries a `Refresh`: read the lists again. Comments keep the connection alive. After a break the
/// browser sends the last `id` it saw as `Last-Event-ID` and misses nothing.
#[endpoint(
    operation_id = "follow_events",
    tags("events"),
    parameters(
        ("Last-Event-ID" = Option<String>, Header, description = "Go on after this event."),
    ),
    responses(
        (status_code = 200, description = "The events, until either side ends the connection.", content(
            ("text/event-stream" = String),
        )),
        (status_code = 400, description = "`Last-Event-ID` is not a position of this feed.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 503, description = "Too many clients follow already.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub async fn follow(_req: &mut Request, _depot: &mut Depot, _res: &mut Response) -> Result<(), ApiError> {
    Err(ApiError::internal("not yet"))
}
