//! What an error means for the node that it came from.

use std::fmt::Display;
use std::io;

use apalis_redis::RedisError;
use redis::{ErrorKind, ServerErrorKind, Value};

/// What to think of a node after an error.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The slot is at another address.
    Elsewhere(String),
    /// The slot is on its way to another address, and what was asked for is there already: for this one call.
    Asked(String),
    /// The slot is on its way to another address, and some of what was asked for is there: the same call can go through
    /// in a moment.
    Unstable,
    /// It answers, but does not serve: no longer master, without its cluster, being taken from.
    Unknown,
    /// It does not answer.
    Lost,
    /// The command failed; the node is in order.
    None,
}

impl Fault {
    pub(super) fn of(error: &RedisError) -> Self {
        #[expect(clippy::wildcard_enum_match_arm, reason = "Redis's own list of errors grows")]
        match error.kind() {
            ErrorKind::Server(ServerErrorKind::Moved) => match error.redirect_node() {
                Some((address, _)) => Self::Elsewhere(address.to_owned()),
                None => Self::Unknown,
            },
            ErrorKind::Server(ServerErrorKind::Ask) => match error.redirect_node() {
                Some((address, _)) => Self::Asked(address.to_owned()),
                None => Self::Unstable,
            },
            ErrorKind::Server(ServerErrorKind::TryAgain) => Self::Unstable,
            ErrorKind::Server(
                ServerErrorKind::ReadOnly
                | ServerErrorKind::MasterDown
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::BusyLoading,
            ) => Self::Unknown,
            // A connection that could not log in does not try again by itself.
            ErrorKind::Io | ErrorKind::Parse | ErrorKind::AuthenticationFailed => Self::Lost,
            // NOAUTH: this connection is older than the password.
            _ if matches!(error.code(), Some("UNBLOCKED" | "NOAUTH")) => Self::Unknown,
            _ => Self::None,
        }
    }
}

/// The error in an answer, if it is one.
pub(super) fn server_error(answer: &Value) -> Option<RedisError> {
    if let Value::ServerError(error) = answer {
        Some(error.clone().into())
    } else {
        None
    }
}

/// An error of the connection together with the node's address: with several nodes it matters which.
pub(super) fn with_address(node: &impl Display, error: RedisError) -> RedisError {
    if error.kind() != ErrorKind::Io {
        return error;
    }
    let kind = if error.is_timeout() {
        io::ErrorKind::TimedOut
    } else if error.is_connection_refusal() {
        io::ErrorKind::ConnectionRefused
    } else if error.is_connection_dropped() {
        io::ErrorKind::ConnectionReset
    } else {
        io::ErrorKind::Other
    };
    io::Error::new(kind, format!("{node}: {error}")).into()
}
