//! The states of a job.

use jobs::job::JobState;
use salvo::oapi::ToSchema;
use serde::Serialize;

/// The state of a job. `completed`, `dead` and `cancelled` are final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[salvo(schema(name = "JobState"))]
pub enum State {
    /// Waits for the time set in the call.
    Scheduled,
    /// Waits for a worker.
    Queued,
    /// A worker runs it.
    Running,
    /// An attempt failed; the job waits for the next one.
    Retrying,
    /// Finished with an output.
    Completed,
    /// Failed for good after its last attempt.
    Dead,
    /// Cancelled by a user.
    Cancelled,
}

impl From<JobState> for State {
    fn from(state: JobState) -> Self {
        match state {
            JobState::Scheduled => Self::Scheduled,
            JobState::Queued => Self::Queued,
            JobState::Running => Self::Running,
            JobState::Retrying => Self::Retrying,
            JobState::Completed => Self::Completed,
            JobState::Dead => Self::Dead,
            JobState::Cancelled => Self::Cancelled,
        }
    }
}
