//! Converts the errors of the lower layers to errors of the API.

use crate::auth::error::AuthError;
use crate::db::StoreError;
use crate::live::TooManyClients;
use crate::services::admission::BacklogFull;
use crate::services::cancel::CancelError;
use crate::services::retry_loop::PartError;

use super::ApiError;

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

impl From<CancelError> for ApiError {
    fn from(error: CancelError) -> Self {
        match error {
            CancelError::Store(error) => error.into(),
            CancelError::Queue(error) => error.into(),
            CancelError::Behind => Self::Unavailable {
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
