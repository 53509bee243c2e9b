//! What can go wrong with a request. The only place that picks an HTTP status.

use std::error::Error as StdError;
use std::time::Duration;

use salvo::http::header::{HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use salvo::http::{Method, StatusCode};
use salvo::oapi::{Components, EndpointOutRegister, Operation};
use salvo::prelude::*;

use crate::auth::error::AuthError;
use crate::db::{Reason, StoreError};
use crate::domain::base_path::link;
use crate::http::dto::problems::FieldError;
use crate::live::TooManyClients;
use crate::services::admission::BacklogFull;
use crate::services::cancel::CallOffError;
use crate::services::retry_loop::PartError;
use jobs::error::chain;

/// A cause that is told to the log and never to the caller.
pub type Cause = Box<dyn StdError + Send + Sync>;

/// Why a request gets no good answer. The text of each is what the caller reads as `detail`.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    #[error(
        "There is no function named {name:?}. GET {} lists those there are.",
        link("/api/v1/functions")
    )]
    UnknownFunction { name: String },
    #[error("There is no job with the id {id:?}.")]
    UnknownJob { id: String },
    #[error(
        "There is no queue named {name:?}. GET {} lists those there are.",
        link("/api/v1/queues")
    )]
    UnknownQueue { name: String },
    #[error("There is no schedule with the id {id:?}.")]
    UnknownSchedule { id: String },
    #[error("There is no batch with the id {id:?}.")]
    UnknownBatch { id: String },
    #[error("There is no action with the id {id:?}.")]
    UnknownAction { id: String },
    #[error("{message}")]
    InvalidJson { message: String },
    #[error("{}", list(.fields))]
    InvalidParameter { fields: Vec<FieldError> },
    #[error("{}", list(.fields))]
    InvalidInput { fields: Vec<FieldError> },
    #[error("{message}")]
    UnsupportedMediaType { message: String },
    #[error("The body is larger than the limit of {limit}.")]
    BodyTooLarge { limit: String },
    #[error("The body did not arrive in time.")]
    BodyTooSlow,
    #[error("This Idempotency-Key was used for another call before. Use a new key for a new call.")]
    IdempotencyKeyReused,
    #[error(
        "A call with this key was made before, as {what} {id}, which has been deleted since. The key is held until its \
         time is over: use a new key for a new call."
    )]
    KeyOutlivesJob { what: &'static str, id: String },
    #[error(
        "Job {holder} has the unique_key of this job now, so this one is not run again. Try again when that job has \
         ended, or delete it."
    )]
    UniqueKeyTaken { holder: String },
    #[error("The job is {state}; its output is there once it is completed.")]
    NotFinished { state: &'static str },
    #[error("The job is {state}, so there is no output.")]
    NoOutput { state: &'static str },
    #[error("The job is {state} already, so it cannot be cancelled.")]
    AlreadyFinished { state: &'static str },
    #[error("The job is {state}, so it cannot be {action}.")]
    WrongState {
        state: &'static str,
        action: &'static str,
    },
    #[error(
        "{limit} actions on many jobs are under way, and no more are allowed. Stop one, or wait for one to end."
    )]
    TooManyActions { limit: u64 },
    #[error(
        "Queue {queue} is no longer in SPIRAL_QUEUES, so no worker would take the job and it cannot be {action}. Add the queue \
         again, or call the function anew."
    )]
    QueueRemoved { queue: String, action: &'static str },
    #[error("The job belongs to a batch that has not finished, which still counts it.")]
    BatchUnderWay,
    #[error("{}", list(.fields))]
    NameTaken { fields: Vec<FieldError> },
    #[error("There are {limit} schedules, and no more are allowed. Delete one, or raise SPIRAL_SCHEDULES.")]
    TooManySchedules { limit: u64 },
    #[error("The schedule cannot run: {problem}.")]
    ScheduleBroken { problem: String },
    #[error("The output is no longer kept. Call the function again to compute it anew.")]
    OutputExpired,
    #[error("Send an access token (\"Authorization: Bearer TOKEN\"), or sign in.")]
    Unauthorized,
    #[error(
        "Viewers may look at everything and change nothing. Sign in as an admin, or send the admins' token."
    )]
    Forbidden,
    #[error("This Spiral is read-only for the moment (SPIRAL_READ_ONLY): nobody changes anything.")]
    ReadOnly,
    #[error("That is no token of this Spiral.")]
    WrongToken,
    #[error("This Spiral has no tokens, so there is nothing to sign in with: everybody may do everything.")]
    NoLogin,
    #[error("Too many attempts to sign in came from your address. Try again in {}.", seconds(*.wait))]
    TooManyAttempts { wait: Duration },
    #[error("Too many calls came from your address. Try again in {}.", seconds(*.wait))]
    TooManyCalls { wait: Duration },
    #[error("Too many requests came from your address. Try again in {}.", seconds(*.wait))]
    TooManyReads { wait: Duration },
    #[error(
        "This Spiral is not known by the name {host:?}. Use its address, or set SPIRAL_PUBLIC_URL to where people reach it, \
         such as https://{host}."
    )]
    UnknownHost { host: String },
    #[error("Without a token a call is an input and nothing else: {fields} may not be given.")]
    VisitorsOptions { fields: String },
    #[error("A page of another site may not change anything here.")]
    CrossSite,
    #[error("{limit} clients follow the live feed, and no more are allowed. Try again later.")]
    TooManyClients { limit: usize },
    #[error(
        "{limit} jobs may wait in queue {queue}, and as many do. Try again in {retry_after} s; \
         SPIRAL_BACKLOG_LIMIT or the queue's own limit says how many."
    )]
    BacklogFull {
        queue: String,
        limit: u64,
        /// Seconds.
        retry_after: u64,
    },
    #[error("More calls arrive than can be recorded. Try again in a moment.")]
    Busy,
    #[error("This server is about to stop. Try again in a moment.")]
    Stopping,
    #[error("{what} cannot be reached at the moment. Try again in a few seconds.")]
    Unavailable { what: &'static str, cause: Cause },
    #[error("{}", .reason.sentence())]
    DatabaseRefuses { reason: Reason, cause: Cause },
    #[error("Something went wrong on our side. The log tells more under this request id.")]
    Internal { cause: Cause },
    #[error("There is nothing at {path}. GET /api/docs/ describes what there is.")]
    NotFound { path: String },
    #[error("{method} is not possible at {path}.")]
    MethodNotAllowed { method: Method, path: String },
    #[error("{message}")]
    Other { status: StatusCode, message: String },
}

impl ApiError {
    pub fn invalid_parameter(name: &str, message: impl Into<String>) -> Self {
        Self::InvalidParameter {
            fields: vec![FieldError::new(name, message)],
        }
    }

    pub fn invalid_input(pointer: &str, message: impl Into<String>) -> Self {
        Self::InvalidInput {
            fields: vec![FieldError::new(pointer, message)],
        }
    }

    pub fn internal(cause: impl Into<Cause>) -> Self {
        Self::Internal { cause: cause.into() }
    }

    /// The error for a status that Salvo set by itself.
    pub fn from_status(status: StatusCode, req: &Request) -> Self {
        let path = req.uri().path().to_owned();
        match status {
            StatusCode::NOT_FOUND => Self::NotFound { path },
            StatusCode::METHOD_NOT_ALLOWED => Self::MethodNotAllowed {
                method: req.method().clone(),
                path,
            },
            StatusCode::INTERNAL_SERVER_ERROR => Self::internal("the handler panicked; see the line above"),
            _ => {
                let reason = status
                    .canonical_reason()
                    .unwrap_or("The request cannot be answered");
                Self::Other {
                    status,
                    message: format!("{reason}."),
                }
            }
        }
    }

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

    /// The stable word for programs.
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

    pub fn fields(&self) -> &[FieldError] {
        if let Self::InvalidParameter { fields }
        | Self::InvalidInput { fields }
        | Self::NameTaken { fields } = self
        {
            fields
        } else {
            &[]
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

    /// Tells the log what the caller must not know. Callers' own mistakes are in the request line already.
    pub(crate) fn log(&self) {
        if let Self::Unavailable { what, cause } = self {
            tracing::warn!(what, error = %chain(cause.as_ref()), "a part of the service is away");
        } else if let Self::DatabaseRefuses { cause, .. } = self {
            tracing::warn!(error = %chain(cause.as_ref()), "the database refuses its work");
        } else if let Self::Internal { cause } = self {
            tracing::error!(error = %chain(cause.as_ref()), "internal error");
        }
    }
}

/// Rounded up: who comes back after so long is not too early.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

fn seconds(wait: Duration) -> String {
    match whole_seconds(wait) {
        1 => "1 second".to_owned(),
        seconds => format!("{seconds} seconds"),
    }
}

/// The fields and their messages as one sentence each.
fn list(fields: &[FieldError]) -> String {
    let texts = fields.iter().map(|error| match error.field.as_str() {
        "" => format!("The body {}", error.message),
        field => format!("{field}: {}", error.message),
    });
    texts.collect::<Vec<_>>().join("; ")
}

impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Unauthorized => Self::Unauthorized,
            AuthError::WrongToken => Self::WrongToken,
            AuthError::NoLogin => Self::NoLogin,
            AuthError::TooManyAttempts { wait } => Self::TooManyAttempts { wait },
            AuthError::TooManyCalls { wait } => Self::TooManyCalls { wait },
            AuthError::TooManyReads { wait } => Self::TooManyReads { wait },
            AuthError::UnknownHost { host } => Self::UnknownHost { host },
        }
    }
}

impl From<TooManyClients> for ApiError {
    fn from(error: TooManyClients) -> Self {
        Self::TooManyClients { limit: error.limit }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error.reason() {
            Some(reason) => Self::DatabaseRefuses {
                reason,
                cause: error.into(),
            },
            None if error.is_unavailable() => Self::Unavailable {
                what: "The database",
                cause: error.into(),
            },
            None => Self::internal(error),
        }
    }
}

impl From<CallOffError> for ApiError {
    fn from(error: CallOffError) -> Self {
        match error {
            CallOffError::Store(error) => error.into(),
            CallOffError::Queue(error) => error.into(),
            CallOffError::Behind => Self::Unavailable {
                what: "The job",
                cause: error.into(),
            },
        }
    }
}

impl From<PartError> for ApiError {
    fn from(error: PartError) -> Self {
        match error {
            PartError::Store(error) => error.into(),
            PartError::Queue(error) => error.into(),
        }
    }
}

impl From<BacklogFull> for ApiError {
    fn from(full: BacklogFull) -> Self {
        Self::BacklogFull {
            queue: full.queue.to_string(),
            limit: full.limit,
            retry_after: full.retry_after.as_secs(),
        }
    }
}

impl From<jobs::error::Error> for ApiError {
    fn from(error: jobs::error::Error) -> Self {
        if error.is_unavailable() {
            Self::Unavailable {
                what: "The queue",
                cause: error.into(),
            }
        } else {
            Self::internal(error)
        }
    }
}

impl EndpointOutRegister for ApiError {
    /// Every endpoint names its problems itself, with the words that fit it.
    fn register(_components: &mut Components, _operation: &mut Operation) {}
}
