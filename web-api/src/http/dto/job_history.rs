//! The actions of users on a job, as the API returns them.

use salvo::oapi::ToSchema;
use serde::Serialize;

use super::scalar::Timestamp;
use crate::db::job_history as record;
use crate::http::dto::job_state::State;

/// An action of a user on a job.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "HistoryEntry"))]
pub struct HistoryEntry {
    pub at: Timestamp,
    pub action: ManualAction,
    /// Who did it; null when that is not known.
    #[salvo(schema(required = true))]
    pub by: Option<Actor>,
    /// The id of the bulk action that it was part of.
    #[salvo(schema(required = true))]
    pub job_action_id: Option<String>,
    /// The number of attempts made before it.
    #[salvo(schema(minimum = 0))]
    pub attempt: u32,
    /// For a retry: the final state that the job had before.
    #[salvo(schema(required = true))]
    pub state: Option<State>,
    /// For a retry: when the job had reached that state.
    #[salvo(schema(required = true))]
    pub ended_at: Option<Timestamp>,
}

/// The kind of action. `cancel` records the request: a job that finishes first keeps its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[salvo(schema(name = "ManualAction"))]
pub enum ManualAction {
    Retry,
    RunNow,
    Change,
    Cancel,
}

/// The user of an action, as far as it is known.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "Actor"))]
pub struct Actor {
    /// The role. On a server without tokens every caller is an `admin`.
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
