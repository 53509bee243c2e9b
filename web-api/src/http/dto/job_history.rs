//! What people have done to a job, as callers see it.

use salvo::oapi::ToSchema;
use serde::Serialize;

use super::scalar::Timestamp;
use crate::db::job_history as record;
use crate::http::dto::job_state::State;

/// Something that somebody has done to a job.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "HistoryEntry"))]
pub struct HistoryEntry {
    pub at: Timestamp,
    pub action: ManualAction,
    /// Who did it; null when that is not known.
    #[salvo(schema(required = true))]
    pub by: Option<Actor>,
    /// The action on many jobs that it was a part of.
    #[salvo(schema(required = true))]
    pub job_action_id: Option<String>,
    /// Attempts that had been made until then.
    #[salvo(schema(minimum = 0))]
    pub attempt: u32,
    /// The state that a retry has ended.
    #[salvo(schema(required = true))]
    pub state: Option<State>,
    /// When the job had reached it.
    #[salvo(schema(required = true))]
    pub ended_at: Option<Timestamp>,
}

/// What was done. `cancel`: it was asked for; a job that ended meanwhile stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[salvo(schema(name = "ManualAction"))]
pub enum ManualAction {
    Retry,
    RunNow,
    Change,
    Cancel,
}

/// Somebody, as far as it is known who.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "Actor"))]
pub struct Actor {
    /// `admin`; also where there are no tokens, so that everybody is one.
    #[salvo(schema(example = "admin"))]
    pub role: String,
    /// The address that the request came from; null for visitors.
    #[salvo(schema(required = true, example = "192.0.2.7"))]
    pub address: Option<String>,
}

impl From<record::HistoryEntry> for HistoryEntry {
    fn from(entry: record::HistoryEntry) -> Self {
        Self {
            at: entry.at.into(),
            action: match entry.action {
                record::ManualAction::Retry => ManualAction::Retry,
                record::ManualAction::RunNow => ManualAction::RunNow,
                record::ManualAction::Change => ManualAction::Change,
                record::ManualAction::Cancel => ManualAction::Cancel,
            },
            by: entry.actor.map(|actor| Actor {
                role: actor.role,
                address: (!actor.address.is_empty()).then_some(actor.address),
            }),
            job_action_id: entry.job_action.map(|id| id.to_string()),
            attempt: entry.attempt,
            state: entry.state.map(Into::into),
            ended_at: entry.ended_at.map(Into::into),
        }
    }
}
