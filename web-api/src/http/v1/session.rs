//! Sessions of browsers: sign in, sign out, and the role of the caller.

use salvo::http::StatusCode;
use salvo::http::header::{HeaderValue, SET_COOKIE};
use salvo::oapi::endpoint;
use salvo::prelude::*;

use crate::auth::roles::{Caller, Role};
use crate::http::dto::problems::Problem;
use crate::http::dto::session::{NewSession, Session, SessionRole};
use crate::http::error::ApiError;
use crate::http::extract::caller::caller;
use crate::http::extract::json::{self, Fields};
use crate::http::response::ApiResponse;
use crate::http::state::{AppState, Inner};

const EXAMPLE: &str = "{\"token\": \"...\"}";
/// Longer than any token, and small enough to accept from any caller.
const BODY_LIMIT: u64 = 4 << 10;
const LONGEST_TOKEN: usize = 1_024;

/// Read the session
///
/// The role of the caller, and its permissions.
#[endpoint(
    operation_id = "get_session",
    tags("session"),
    responses((status_code = 200, description = "The role of the caller, and its permissions.",
        body = Session)),
)]
pub async fn get(depot: &mut Depot) -> Result<ApiResponse, ApiError> {
    let state = AppState::of(depot)?;
    ApiResponse::ok(&session_of(state, caller(depot)?))
}

/// Sign in
///
/// For browsers: sets a cookie that scripts cannot read and other sites cannot use. The session lasts 12
/// hours, or until the token is changed. An address may make ten attempts at once, and one more every six
/// seconds.
#[endpoint(
    operation_id = "sign_in",
    tags("session"),
    request_body(content = NewSession, description = "The admin token or the viewer token."),
    responses(
        (status_code = 200, description = "The role of the caller, and its permissions.", body = Session,
            headers(("Set-Cookie" = String, description = "The session cookie."))),
        (status_code = 400, description = "The body is not JSON.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 401, description = "The token is wrong.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 403, description = "The request came from a page of another site.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 409, description = "The server has no tokens.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 413, description = "The body is too large.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 415, description = "The body is not `application/json`.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 421, description = "The name in `Host` is not one of the server's names.",
            body = Problem,
            content_type = "application/problem+json"),
        (status_code = 422, description = "There is no token in the body.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 429, description = "Too many attempts.", body = Problem,
            content_type = "application/problem+json",
            headers(("Retry-After" = u32, description = "Seconds to wait."))),
    ),
)]
pub async fn sign_in(
    req: &mut Request,
    depot: &mut Depot,
    res: &mut Response,
) -> Result<ApiResponse, ApiError> {
    let state = AppState::of(depot)?;
    // A cookie set under a name of another site could be read there once the name points to that site again.
    state.authenticator.check_host(req)?;
    let address = caller(depot)?.address;
    let mut fields = Fields::of(json::object(req, BODY_LIMIT, EXAMPLE).await?);
    let token = fields.short_text("token", LONGEST_TOKEN);
    if token.is_none() {
        fields.missing("/token");
    }
    fields.finish()?;
    let role = state
        .authenticator
        .sign_in(address, token.unwrap_or_default().trim())?;
    let (until, cookie) = state
        .authenticator
        .open_session(role, req)
        .ok_or_else(|| ApiError::internal("there is no key for this session"))?;
    set_cookie(res, &cookie)?;
    tracing::info!(%address, role = role.as_str(), "somebody signed in");
    let caller = Caller {
        role,
        address,
        session_until: Some(until),
    };
    ApiResponse::ok(&session_of(state, &caller))
}

/// Sign out
#[endpoint(
    operation_id = "sign_out",
    tags("session"),
    responses(
        (status_code = 204, description = "The session is over.",
            headers(("Set-Cookie" = String, description = "Removes the session cookie."))),
        (status_code = 403, description = "The request came from a page of another site.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub async fn sign_out(req: &mut Request, depot: &mut Depot, res: &mut Response) -> Result<(), ApiError> {
    set_cookie(res, &AppState::of(depot)?.authenticator.end_session(req))?;
    res.status_code(StatusCode::NO_CONTENT);
    Ok(())
}

fn set_cookie(res: &mut Response, cookie: &str) -> Result<(), ApiError> {
    let value = HeaderValue::from_str(cookie).map_err(ApiError::internal)?;
    res.headers_mut().insert(SET_COOKIE, value);
    Ok(())
}

fn session_of(state: &Inner, caller: &Caller) -> Session {
    let settings = state.authenticator.settings();
    Session {
        role: match caller.role {
            Role::Anybody => SessionRole::Anybody,
            Role::Viewer => SessionRole::Viewer,
            Role::Admin => SessionRole::Admin,
        },
        locked: !settings.is_open(),
        session_until: caller.session_until.map(Into::into),
        read_only: settings.read_only,
        may_read: caller.role >= Role::Viewer,
        may_change: caller.role == Role::Admin && !settings.read_only,
        public_functions: settings.public_functions.iter().cloned().collect(),
    }
}
