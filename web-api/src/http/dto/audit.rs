//! An entry of the audit log.

use salvo::oapi::ToSchema;
use serde::Serialize;

use super::scalar::{AnyJson, Timestamp};
use crate::db::audit as record;
use crate::db::audit::Outcome;

/// A change that a user made, or tried to make.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "AuditEntry"))]
pub struct AuditEntry {
    pub id: String,
    /// When the request began.
    pub at: Timestamp,
    /// The role. On a server without tokens every caller is an `admin`.
    #[salvo(schema(example = "admin"))]
    pub role: String,
    /// The address that the request came from.
    #[salvo(schema(example = "192.0.2.7"))]
    pub address: String,
    /// The operation, as `pause_queue`.
    #[salvo(schema(example = "pause_queue"))]
    pub action: String,
    #[salvo(schema(example = "POST"))]
    pub method: String,
    #[salvo(schema(example = "/api/v1/queues/mail/pause"))]
    pub path: String,
    /// The name or id of the resource that was changed or made.
    #[salvo(schema(example = "mail"))]
    pub subject: Option<String>,
    pub outcome: AuditOutcome,
    /// The HTTP status of the response.
    #[salvo(schema(minimum = 100, maximum = 599, example = 200))]
    pub status: Option<u16>,
    pub finished_at: Option<Timestamp>,
    /// What the request asked for, where the path does not say it: for a bulk action the action, the filter
    /// and the number of jobs.
    #[salvo(schema(required = true))]
    pub detail: Option<AnyJson>,
    /// The id of the request, as in the log.
    pub request_id: String,
}

/// The outcome of a change. `unknown`: no response was sent, and the change may have been made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[salvo(schema(name = "AuditOutcome"))]
#[serde(rename_all = "snake_case")]
pub enum AuditOutcome {
    Done,
    Refused,
    Failed,
    Unknown,
}

/// A page of the audit log, newest first.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "AuditPage"))]
pub struct AuditPage {
    pub entries: Vec<AuditEntry>,
    /// The cursor of the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

impl From<Outcome> for AuditOutcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => Self::Done,
            Outcome::Refused => Self::Refused,
            Outcome::Failed => Self::Failed,
            Outcome::Unknown => Self::Unknown,
        }
    }
}

impl From<record::Entry> for AuditEntry {
    fn from(entry: record::Entry) -> Self {
        Self {
            id: entry.id.to_string(),
            at: entry.at.into(),
            role: entry.role,
            address: entry.address,
            action: entry.action,
            method: entry.method,
            path: entry.path,
            subject: entry.subject,
            outcome: Outcome::of(entry.status).into(),
            status: entry.status,
            finished_at: entry.finished_at.map(Into::into),
            detail: entry
                .detail
                .and_then(|detail| serde_json::from_str::<serde_json::Value>(&detail).ok())
                .map(Into::into),
            request_id: entry.request_id,
        }
    }
}
