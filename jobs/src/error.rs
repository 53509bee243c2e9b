//! What can go wrong: between this crate and Redis ([`Error`]), and in a function ([`JobError`]). Knows no HTTP.

use std::fmt::Display;
use std::time::Duration;

use apalis_redis::RedisError;

use crate::job::ParseError;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Redis cannot be reached, or refuses to serve (loading, read-only, cluster down).
    #[error("Redis is not available")]
    Unavailable(#[source] RedisError),
    /// The memory of Redis is full (`maxmemory`): it takes no more, and goes on with what it has.
    #[error("the memory of Redis is full")]
    Full(#[source] RedisError),
    /// Redis did not answer in time.
    #[error("Redis did not answer within {0:?}")]
    Timeout(Duration),
    /// Redis answered with something that should not be there.
    #[error("Redis answered what it should not: {0}")]
    Protocol(String),
    /// A command failed for a reason of its own.
    #[error("a Redis command failed")]
    Command(#[source] RedisError),
    /// The address of Redis cannot be used.
    #[error("the Redis address cannot be used: {0}")]
    Address(String),
    /// The position in the event stream was trimmed away; read everything again.
    #[error("the events after this position are gone")]
    Expired,
    /// A function of the catalog cannot be used.
    #[error("the function {0:?} cannot be used: {1}")]
    Function(&'static str, String),
    /// A part of the worker that must not end has ended, and the worker with it.
    #[error("the worker's {0} ended: {1}")]
    Role(&'static str, String),
    #[error(transparent)]
    Parse(#[from] ParseError),
}

impl Error {
    /// True when waiting may help: the same call can go through later.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Timeout(_) | Self::Full(_))
    }

    /// True when Redis has no room for what should come in.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full(_))
    }
}

impl From<RedisError> for Error {
    fn from(error: RedisError) -> Self {
        use redis::{ErrorKind, ServerErrorKind};
        #[expect(clippy::wildcard_enum_match_arm, reason = "Redis's own list of errors grows")]
        match error.kind() {
            ErrorKind::Io
            // Sentinels name no master while they choose a new one.
            | ErrorKind::MasterNameNotFoundBySentinel
            | ErrorKind::Server(
                ServerErrorKind::BusyLoading
                // A slot that is on its way to another node: ASK for keys that have gone, TRYAGAIN for some of each.
                | ServerErrorKind::Ask
                | ServerErrorKind::Moved
                | ServerErrorKind::TryAgain
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::MasterDown
                | ServerErrorKind::ReadOnly,
            ) => Self::Unavailable(error),
            _ if error.code() == Some("OOM") => Self::Full(error),
            // UNBLOCKED: the node that a reader waited on is no longer the one to wait on.
            _ if matches!(
                error.code(),
                Some("MISCONF" | "NOREPLICAS" | "UNBLOCKED" | "UNKILLABLE" | "BUSY")
            ) =>
            {
                Self::Unavailable(error)
            }
            _ if error.is_io_error() || error.is_timeout() || error.is_connection_dropped() => {
                Self::Unavailable(error)
            }
            _ => Self::Command(error),
        }
    }
}

/// Why an attempt gave no output.
///
/// Any error converts by `?` and means [`JobError::Retry`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobError {
    /// Try again after the policy's backoff, while attempts are left.
    Retry(String),
    /// Try again after this wait, while attempts are left.
    RetryAfter(Duration, String),
    /// Trying again is of no use: the job is dead at once.
    Fatal(String),
}

impl<E: std::error::Error> From<E> for JobError {
    fn from(error: E) -> Self {
        Self::Retry(chain(&error))
    }
}

impl JobError {
    pub fn retry(message: impl Display) -> Self {
        Self::Retry(message.to_string())
    }

    pub fn retry_after(wait: Duration, message: impl Display) -> Self {
        Self::RetryAfter(wait, message.to_string())
    }

    pub fn fatal(message: impl Display) -> Self {
        Self::Fatal(message.to_string())
    }
}

/// An error and all its causes in one line. A cause whose text stands there already is left out: many errors repeat
/// their source in their own text.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Failed {
        text: &'static str,
        source: Option<Box<Failed>>,
    }

    fn failed(text: &'static str, source: Option<Failed>) -> Failed {
        let source = source.map(Box::new);
        Failed { text, source }
    }

    #[test]
    fn an_error_is_one_line_with_its_causes() {
        let refused = failed("connection refused", None);
        let error = failed(
            "the mail was not sent",
            Some(failed("no connection", Some(refused))),
        );
        assert_eq!(
            chain(&error),
            "the mail was not sent: no connection: connection refused"
        );
    }

    #[test]
    fn a_cause_that_is_in_the_text_already_is_not_repeated() {
        let refused = failed("connection refused", Some(failed("no route", None)));
        let error = failed("not sent: connection refused", Some(refused));
        assert_eq!(chain(&error), "not sent: connection refused: no route");
    }

    #[test]
    fn any_error_means_try_again_and_tells_its_causes() {
        #[derive(Debug, thiserror::Error)]
        #[error("the mail was not sent")]
        struct NotSent(#[source] std::io::Error);

        fn send() -> Result<(), JobError> {
            Err(NotSent(std::io::Error::other("connection refused")))?
        }
        assert_eq!(
            send(),
            Err(JobError::Retry(
                "the mail was not sent: connection refused".to_owned()
            ))
        );
    }
}
