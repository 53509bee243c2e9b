//! The errors of requests. The only place that picks an HTTP status.

mod convert;
mod status;

use std::error::Error as StdError;
use std::time::Duration;

use salvo::http::{Method, StatusCode};
use salvo::oapi::{Components, EndpointOutRegister, Operation};
use salvo::prelude::*;

use crate::db::Reason;
use crate::domain::base_path::link;
use crate::http::dto::problems::FieldError;
use jobs::error::chain;

/// A cause that is logged and never sent to the caller.
pub type Cause = Box<dyn StdError + Send + Sync>;

/// Why a request fails. The text of each variant is the `detail` of the problem.
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
        "Job {holder} has the unique_key of this job now, so this one is not retried. Try again when that job has \
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
    #[error("Something went wrong on our side. The log has more under this request id.")]
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

    /// The error for a status that Salvo set itself.
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

    /// Logs the internal cause. The caller's own mistakes are in the request's log line already.
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

/// Rounded up, so that a caller who waits that long is not too early.
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

impl EndpointOutRegister for ApiError {
    /// Every endpoint declares its problems itself, with descriptions of its own.
    fn register(_components: &mut Components, _operation: &mut Operation) {}
}
