//! An entry of the audit log.

use salvo::oapi::ToSchema;
use serde::Serialize;

use super::scalar::{AnyJson, Timestamp};
use crate::db::audit as record;
use crate::db::audit::Outcome;

/// A change that somebody made, or tried to make.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "AuditEntry"))]
pub struct AuditEntry {
    pub id: String,
    /// When it was begun.
    pub at: Timestamp,
    /// `admin`; also where there are no tokens, so that everybody is one.
    #[salvo(schema(example = "admin"))]
    pub role: String,
    /// The address that the request came from.
    #[salvo(schema(example = "192.0.2.7"))]
    pub address: String,
    /// What was to be done.
    #[salvo(schema(example = "pause_queue"))]
    pub action: String,
    #[salvo(schema(example = "POST"))]
    pub method: String,
    #[salvo(schema(example = "/api/v1/queues/mail/pause"))]
    pub path: String,
    /// The name or id of what was changed or made.
    #[salvo(schema(example = "mail"))]
    pub subject: Option<String>,
    pub outcome: AuditOutcome,
    /// The HTTP status of the answer.
    #[salvo(schema(minimum = 100, maximum = 599, example = 200))]
    pub status: Option<u16>,
    pub finished_at: Option<Timestamp>,
    /// What was asked for, where the path does not say it: of an action on many jobs what is done to how many, by which
    /// filter.
    #[salvo(schema(required = true))]
    pub detail: Option<AnyJson>,
    /// The id of the request, as in the log.
    pub request_id: String,
}

/// What became of a change. `unknown`: there was no answer; what was asked for may have been done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[salvo(schema(name = "AuditOutcome"))]
#[serde(rename_all = "snake_case")]
pub enum AuditOutcome {
    Done,
    Refused,
    Failed,
    Unknown,
}

/// A page of the audit log, the newest first.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "AuditPage"))]
pub struct AuditPage {
    pub entries: Vec<AuditEntry>,
    /// For the next page; absent on the last one.
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
