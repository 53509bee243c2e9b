//! The status of each error, its stable code, its title and its headers.

use salvo::http::StatusCode;
use salvo::http::header::{HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};

use super::{ApiError, whole_seconds};

impl ApiError {
    pub fn status(&self) -> StatusCode {
        match self {
            Self::UnknownFunction { .. }
            | Self::UnknownJob { .. }
            | Self::UnknownQueue { .. }
            | Self::UnknownSchedule { .. }
            | Self::UnknownBatch { .. }
            | Self::UnknownAction { .. }
            | Self::NotFound { .. } => StatusCode::NOT_FOUND,
            Self::InvalidJson { .. } | Self::InvalidParameter { .. } => StatusCode::BAD_REQUEST,
            Self::InvalidInput { .. } | Self::IdempotencyKeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::UnsupportedMediaType { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::NotFinished { .. }
            | Self::NoOutput { .. }
            | Self::AlreadyFinished { .. }
            | Self::NameTaken { .. }
            | Self::TooManySchedules { .. }
            | Self::WrongState { .. }
            | Self::BatchUnderWay
            | Self::QueueRemoved { .. }
            | Self::UniqueKeyTaken { .. }
            | Self::TooManyActions { .. }
            | Self::NoLogin
            | Self::ScheduleBroken { .. } => StatusCode::CONFLICT,
            Self::OutputExpired | Self::KeyOutlivesJob { .. } => StatusCode::GONE,
            Self::Unauthorized | Self::WrongToken => StatusCode::UNAUTHORIZED,
            Self::CrossSite | Self::Forbidden | Self::ReadOnly | Self::VisitorsOptions { .. } => {
                StatusCode::FORBIDDEN
            }
            Self::UnknownHost { .. } => StatusCode::MISDIRECTED_REQUEST,
            Self::TooManyAttempts { .. }
            | Self::TooManyCalls { .. }
            | Self::TooManyReads { .. }
            | Self::BacklogFull { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooManyClients { .. }
            | Self::Busy
            | Self::Stopping
            | Self::Unavailable { .. }
            | Self::DatabaseRefuses { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal { .. } => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Other { status, .. } => *status,
        }
    }

    /// The stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownFunction { .. } => "unknown_function",
            Self::UnknownJob { .. } => "unknown_job",
            Self::UnknownQueue { .. } => "unknown_queue",
            Self::UnknownSchedule { .. } => "unknown_schedule",
            Self::UnknownBatch { .. } => "unknown_batch",
            Self::UnknownAction { .. } => "unknown_action",
            Self::TooManyActions { .. } => "too_many_actions",
            Self::InvalidJson { .. } => "invalid_json",
            Self::InvalidParameter { .. } => "invalid_parameter",
            Self::InvalidInput { .. } => "invalid_input",
            Self::UnsupportedMediaType { .. } => "unsupported_media_type",
            Self::BodyTooLarge { .. } => "body_too_large",
            Self::BodyTooSlow => "body_too_slow",
            Self::IdempotencyKeyReused => "idempotency_key_reused",
            Self::KeyOutlivesJob { .. } => "key_outlives_job",
            Self::UniqueKeyTaken { .. } => "unique_key_taken",
            Self::NotFinished { .. } => "not_finished",
            Self::NoOutput { .. } => "no_output",
            Self::AlreadyFinished { .. } => "already_finished",
            Self::WrongState { .. } => "wrong_state",
            Self::BatchUnderWay => "batch_under_way",
            Self::QueueRemoved { .. } => "queue_removed",
            Self::NameTaken { .. } => "name_taken",
            Self::TooManySchedules { .. } => "too_many_schedules",
            Self::ScheduleBroken { .. } => "schedule_broken",
            Self::OutputExpired => "output_expired",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::ReadOnly => "read_only",
            Self::WrongToken => "wrong_token",
            Self::NoLogin => "no_login",
            Self::TooManyAttempts { .. } => "too_many_attempts",
            Self::TooManyCalls { .. } => "too_many_calls",
            Self::TooManyReads { .. } => "too_many_reads",
            Self::UnknownHost { .. } => "unknown_host",
            Self::VisitorsOptions { .. } => "visitors_options",
            Self::CrossSite => "cross_site",
            Self::TooManyClients { .. } => "too_many_clients",
            Self::BacklogFull { .. } => "backlog_full",
            Self::Busy => "busy",
            Self::Stopping => "stopping",
            Self::Unavailable { .. } | Self::DatabaseRefuses { .. } => "unavailable",
            Self::Internal { .. } => "internal",
            Self::NotFound { .. } => "not_found",
            Self::MethodNotAllowed { .. } => "method_not_allowed",
            Self::Other { .. } => "other",
        }
    }

    pub fn title(&self) -> &'static str {
        match self {
            Self::UnknownFunction { .. } => "There is no such function",
            Self::UnknownJob { .. } => "There is no such job",
            Self::UnknownQueue { .. } => "There is no such queue",
            Self::UnknownSchedule { .. } => "There is no such schedule",
            Self::UnknownBatch { .. } => "There is no such batch",
            Self::UnknownAction { .. } => "There is no such action",
            Self::TooManyActions { .. } => "Too many actions",
            Self::InvalidJson { .. } => "The body is not JSON",
            Self::InvalidParameter { .. } => "A parameter is not valid",
            Self::InvalidInput { .. } => "The input is not valid",
            Self::UnsupportedMediaType { .. } => "The body has the wrong media type",
            Self::BodyTooLarge { .. } => "The body is too large",
            Self::BodyTooSlow => "The body came too slowly",
            Self::IdempotencyKeyReused => "The idempotency key belongs to another call",
            Self::KeyOutlivesJob { .. } => "The job of this key was deleted",
            Self::UniqueKeyTaken { .. } => "Another job has the unique key",
            Self::NotFinished { .. } => "The job has not finished",
            Self::NoOutput { .. } => "The job has no output",
            Self::AlreadyFinished { .. } => "The job has ended already",
            Self::WrongState { .. } => "The job is in another state",
            Self::BatchUnderWay => "The batch has not finished",
            Self::QueueRemoved { .. } => "The queue is not there any more",
            Self::NameTaken { .. } => "The name is taken",
            Self::TooManySchedules { .. } => "Too many schedules",
            Self::ScheduleBroken { .. } => "The schedule cannot run",
            Self::OutputExpired => "The output has expired",
            Self::Unauthorized => "The access token is missing or wrong",
            Self::Forbidden => "Your role may not do this",
            Self::ReadOnly => "Nothing can be changed at the moment",
            Self::WrongToken => "The token is wrong",
            Self::NoLogin => "There is nothing to sign in to",
            Self::TooManyAttempts { .. } => "Too many attempts",
            Self::TooManyCalls { .. } => "Too many calls",
            Self::TooManyReads { .. } => "Too many requests",
            Self::UnknownHost { .. } => "The name is not known here",
            Self::VisitorsOptions { .. } => "A visitor may give an input alone",
            Self::CrossSite => "The request comes from another site",
            Self::TooManyClients { .. } => "Too many clients",
            Self::BacklogFull { .. } => "Too many jobs wait",
            Self::Busy => "Too much at once",
            Self::Stopping => "The server is stopping",
            Self::Unavailable { .. } => "A part of the service is away",
            Self::DatabaseRefuses { .. } => "The database cannot do it now",
            Self::Internal { .. } => "Internal error",
            Self::NotFound { .. } => "There is nothing here",
            Self::MethodNotAllowed { .. } => "The method is not possible here",
            Self::Other { .. } => "The request cannot be answered",
        }
    }

    /// The headers that belong to the status.
    pub fn headers(&self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        let header = match (self, self.status()) {
            (
                Self::TooManyAttempts { wait } | Self::TooManyCalls { wait } | Self::TooManyReads { wait },
                _,
            ) => Some((RETRY_AFTER, HeaderValue::from(whole_seconds(*wait)))),
            (Self::BacklogFull { retry_after, .. }, _) => {
                Some((RETRY_AFTER, HeaderValue::from(*retry_after)))
            }
            (_, StatusCode::SERVICE_UNAVAILABLE) => Some((RETRY_AFTER, HeaderValue::from_static("2"))),
            (_, StatusCode::UNAUTHORIZED) => Some((
                WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"spiral\""),
            )),
            _ => None,
        };
        header.into_iter()
    }
}
