//! The caller of the current request.

use salvo::prelude::*;

use crate::auth::roles::Caller;
use crate::http::error::ApiError;

/// # Errors
/// When the path has no [`authorize`](crate::http::middleware::authorize) layer, which identifies the caller.
pub fn caller(depot: &Depot) -> Result<&Caller, ApiError> {
    depot
        .get_typed::<Caller>()
        .map_err(|_absent| ApiError::internal("the path has no layer that knows its caller"))
}
