//! Why a request is not allowed.

use std::time::Duration;

/// `wait` is the time after which the caller may try again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    #[error("the access token is missing or wrong")]
    Unauthorized,
    #[error("the token is wrong")]
    WrongToken,
    #[error("there are no tokens, so there is nothing to sign in to")]
    NoLogin,
    #[error("too many attempts to sign in from this address")]
    TooManyAttempts { wait: Duration },
    #[error("too many calls from this address")]
    TooManyCalls { wait: Duration },
    #[error("too many requests from this address")]
    TooManyReads { wait: Duration },
    #[error("this server is not known by the name {host}")]
    UnknownHost { host: String },
}
