//! The session of a caller, as the API returns it.

use salvo::oapi::ToSchema;
use serde::{Deserialize, Serialize};

use super::scalar::Timestamp;

/// The credentials to sign in with.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[salvo(schema(name = "NewSession"))]
pub struct NewSession {
    /// The admin token or the viewer token.
    #[salvo(schema(min_length = 1, max_length = 1024))]
    pub token: String,
}

/// The role of the caller, and its permissions.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "Session"))]
#[expect(clippy::struct_excessive_bools, reason = "each answers a question of its own")]
pub struct Session {
    pub role: SessionRole,
    /// Whether the server has tokens. Without tokens every caller is an admin.
    pub locked: bool,
    /// When the session of this browser expires; absent without a session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_until: Option<Timestamp>,
    /// Whether the server is read-only at the moment.
    pub read_only: bool,
    /// May read everything.
    pub may_read: bool,
    /// May make changes, and call every function.
    pub may_change: bool,
    /// The functions that callers without a token may call.
    pub public_functions: Vec<String>,
}

/// The role of a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[salvo(schema(name = "SessionRole"))]
#[serde(rename_all = "snake_case")]
pub enum SessionRole {
    Anybody,
    Viewer,
    Admin,
}
