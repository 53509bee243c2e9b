//! A bulk action as the API returns it, and the body that starts one.

use salvo::oapi::ToSchema;
use serde::Serialize;

use super::scalar::Timestamp;
use crate::db::bulk_actions as record;
use crate::db::jobs::Counted;
use crate::domain::search;

/// The kind of a bulk action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[salvo(schema(name = "Action"))]
pub enum Action {
    /// Retries dead and cancelled jobs; completed jobs only when the filter names their state.
    Retry,
    /// Cancels waiting jobs, and asks running jobs to stop.
    Cancel,
    /// Deletes finished jobs, unless their batch has not finished.
    Delete,
}

/// The state of a bulk action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[salvo(schema(name = "ActionState"))]
pub enum State {
    Running,
    /// All jobs have been processed.
    Finished,
    /// It was stopped by a user. The changes made before remain.
    Stopped,
}

/// A bulk action: one action on all jobs of a search.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "JobAction"))]
pub struct BulkAction {
    #[salvo(schema(example = "01JD3Y8M5Q2W7E9R4T6Y1P0A2S"))]
    pub id: String,
    pub action: Action,
    /// The search, limited to the states that the action applies to. A long list of ids is cut off after
    /// 2,000 characters and ends with `…`.
    #[salvo(schema(example = "state:dead function:fibonacci"))]
    pub filter: String,
    pub state: State,
    /// How many jobs the search matched at the start.
    #[salvo(schema(minimum = 0))]
    pub total: u64,
    /// False when there were more, and an exact count would have taken too long.
    pub total_is_exact: bool,
    /// How many jobs have been processed.
    #[salvo(schema(minimum = 0))]
    pub seen: u64,
    /// How many of them were changed. It may be too low after a process died during the action.
    #[salvo(schema(minimum = 0))]
    pub changed: u64,
    pub created_at: Timestamp,
    /// When all jobs had been processed, or the action was stopped.
    #[salvo(schema(required = true))]
    pub finished_at: Option<Timestamp>,
}

/// The latest bulk actions, newest first.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "JobActionList"))]
pub struct BulkActionList {
    pub actions: Vec<BulkAction>,
}

/// How many jobs a bulk action would apply to.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "JobCount"))]
pub struct JobCount {
    #[salvo(schema(minimum = 0))]
    pub jobs: u64,
    /// False when there are more, and an exact count would take too long.
    pub exact: bool,
}

/// A new bulk action.
#[derive(Debug, Clone, ToSchema)]
#[salvo(schema(name = "NewJobAction"))]
pub struct NewBulkAction {
    #[salvo(schema(required = true))]
    pub action: Action,
    /// A search, as in the parameter `q` of the list of jobs. Either this or `ids`. An empty filter means
    /// every job, and is refused without `all`.
    #[salvo(schema(max_length = 2000, example = "state:dead function:fibonacci"))]
    pub filter: Option<String>,
    /// The ids of the jobs.
    #[salvo(schema(min_items = 1, max_items = 1000))]
    pub ids: Option<Vec<String>>,
    /// Confirms that an empty filter means every job, so that a filter left empty by mistake does nothing.
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

/// Lists of bulk actions are polled, so they are kept short.
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
