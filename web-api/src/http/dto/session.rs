//! Who somebody is to this server.

use salvo::oapi::ToSchema;
use serde::{Deserialize, Serialize};

use super::scalar::Timestamp;

/// What to sign in with.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[salvo(schema(name = "NewSession"))]
pub struct NewSession {
    /// The token of admins or of viewers.
    #[salvo(schema(min_length = 1, max_length = 1024))]
    pub token: String,
}

/// Who the caller is, and what that is good for.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "Session"))]
#[expect(clippy::struct_excessive_bools, reason = "each answers a question of its own")]
pub struct Session {
    pub role: SessionRole,
    /// The server has tokens. Without any, everybody is an admin.
    pub locked: bool,
    /// When the session of this browser ends; absent for one without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_until: Option<Timestamp>,
    /// Nobody changes anything at the moment.
    pub read_only: bool,
    /// May look at everything.
    pub may_read: bool,
    /// May change things, and call every function.
    pub may_change: bool,
    /// The functions that everybody may call.
    pub public_functions: Vec<String>,
}

/// Who somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[salvo(schema(name = "SessionRole"))]
#[serde(rename_all = "snake_case")]
pub enum SessionRole {
    Anybody,
    Viewer,
    Admin,
}
