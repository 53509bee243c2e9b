//! An action on all jobs of a search, as callers see it, and the body that begins one.

use salvo::oapi::ToSchema;
use serde::Serialize;

use super::scalar::Timestamp;
use crate::db::bulk_actions as record;
use crate::db::jobs::Counted;
use crate::domain::search;

/// What is done to the jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[salvo(schema(name = "Action"))]
pub enum Action {
    /// Dead and cancelled jobs are retried; completed ones when the filter names their state.
    Retry,
    /// What waits is cancelled, what runs is told to stop.
    Cancel,
    /// What has ended is deleted, unless its batch has not finished.
    Delete,
}

/// Where an action is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[salvo(schema(name = "ActionState"))]
pub enum State {
    Running,
    /// It has come to all jobs.
    Finished,
    /// Somebody has stopped it. What it had done until then stays done.
    Stopped,
}

/// An action on all jobs of a search.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "JobAction"))]
pub struct BulkAction {
    #[salvo(schema(example = "01JD3Y8M5Q2W7E9R4T6Y1P0A2S"))]
    pub id: String,
    pub action: Action,
    /// The search, within the states in which something can be done. One of many ids is cut off after 2,000 characters,
    /// and ends with `…`.
    #[salvo(schema(example = "state:dead function:fibonacci"))]
    pub filter: String,
    pub state: State,
    /// How many jobs it found in the beginning.
    #[salvo(schema(minimum = 0))]
    pub total: u64,
    /// False when there were more, and counting them would have taken too long.
    pub total_is_exact: bool,
    /// How many it has come to.
    #[salvo(schema(minimum = 0))]
    pub seen: u64,
    /// How many of them it has changed. After a process died in the middle, some that it changed may be missing.
    #[salvo(schema(minimum = 0))]
    pub changed: u64,
    pub created_at: Timestamp,
    /// When it had come to all jobs, or was stopped.
    #[salvo(schema(required = true))]
    pub finished_at: Option<Timestamp>,
}

/// The latest actions, newest first.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "JobActionList"))]
pub struct BulkActionList {
    pub actions: Vec<BulkAction>,
}

/// How many jobs an action would be done to.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "JobCount"))]
pub struct JobCount {
    #[salvo(schema(minimum = 0))]
    pub jobs: u64,
    /// False when there are more, and counting them would take too long.
    pub exact: bool,
}

/// Something that is to be done to many jobs.
#[derive(Debug, Clone, ToSchema)]
#[salvo(schema(name = "NewJobAction"))]
pub struct NewBulkAction {
    #[salvo(schema(required = true))]
    pub action: Action,
    /// A search, as in the parameter `q` of the list of jobs. Either this or `ids`. An empty one means every job, and is
    /// refused without `all`.
    #[salvo(schema(max_length = 2000, example = "state:dead function:fibonacci"))]
    pub filter: Option<String>,
    /// The jobs themselves, picked by hand.
    #[salvo(schema(min_items = 1, max_items = 1000))]
    pub ids: Option<Vec<String>>,
    /// With an empty filter: every job is meant. So an action whose filter is empty by mistake does nothing.
    pub all: Option<bool>,
    /// Only count the jobs.
    pub dry_run: Option<bool>,
}

impl From<record::BulkAction> for BulkAction {
    fn from(action: record::BulkAction) -> Self {
        Self {
            id: action.id.to_string(),
            action: match action.action {
                record::Action::Retry => Action::Retry,
                record::Action::Cancel => Action::Cancel,
                record::Action::Delete => Action::Delete,
            },
            filter: shortened(action.filter.to_string()),
            state: match action.state {
                record::ActionState::Running => State::Running,
                record::ActionState::Finished => State::Finished,
                record::ActionState::Stopped => State::Stopped,
            },
            total: action.total.jobs,
            total_is_exact: action.total.exact,
            seen: action.seen,
            changed: action.changed,
            created_at: action.created_at.into(),
            finished_at: action.finished_at.map(Into::into),
        }
    }
}

/// Lists of actions are read again and again.
pub fn shortened(filter: String) -> String {
    match filter.char_indices().nth(search::LONGEST) {
        Some((end, _)) => format!("{}…", &filter[..end]),
        None => filter,
    }
}

impl From<Counted> for JobCount {
    fn from(counted: Counted) -> Self {
        Self {
            jobs: counted.jobs,
            exact: counted.exact,
        }
    }
}
