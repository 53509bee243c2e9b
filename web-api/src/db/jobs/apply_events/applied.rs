//! What came of events: the changes that reached their rows, and what the statistics count of them.

use std::time::Duration;

use chrono::{DateTime, Utc};
use jobs::job::{JobId, JobState};

use super::change::{Attempt, Change};
use crate::db::StoreError;
use crate::db::stats::{Notes, between};
use crate::domain::ids::BatchId;

/// What came of a batch of events.
#[derive(Debug, Default)]
pub struct Applied {
    /// The changes that their rows let pass.
    pub changes: Vec<AppliedChange>,
    /// The jobs whose changes the database refuses for ever, and why.
    pub refused: Vec<(JobId, StoreError)>,
}

/// A change that has reached its row.
#[derive(Debug)]
pub struct AppliedChange {
    pub change: Change,
    /// Not before this time it could have run, by the row; `None` for its call.
    pub could_run: Option<DateTime<Utc>>,
    /// The batch that the job was called with.
    pub batch: Option<BatchId>,
    /// The function of the job, by its row: not every event tells it.
    pub function: String,
}

impl AppliedChange {
    /// The batch in which a job has ended with this.
    pub fn ended_in(&self) -> Option<BatchId> {
        self.batch.filter(|_| self.change.state.is_final())
    }

    /// The last attempt of a job that has ended with this, and how long it had waited for that one: from the moment it could
    /// have run, which is its call, the time it was scheduled for, or the end of its last backoff.
    pub fn waited(&self) -> Option<(&Attempt, Duration)> {
        let last = self.change.ended.last()?;
        if last.state == JobState::Retrying {
            return None;
        }
        let created_at = self.change.id.created_at();
        let could_run = self.could_run.map_or(created_at, |at| Ord::max(at, created_at));
        Some((last, between(could_run, last.started_at)))
    }
}

/// What the statistics count of these changes.
pub(super) fn ended(changes: &[AppliedChange]) -> Notes {
    let mut notes = Notes::default();
    for applied in changes {
        let change = &applied.change;
        for attempt in &change.ended {
            let counters = notes.of(attempt.finished_at, change.queue.as_str(), &attempt.function);
            counters
                .run
                .record(between(attempt.started_at, attempt.finished_at));
            match attempt.state {
                JobState::Completed => counters.completed += 1,
                JobState::Retrying => counters.failed += 1,
                JobState::Dead => {
                    counters.failed += 1;
                    counters.dead += 1;
                }
                JobState::Cancelled | JobState::Scheduled | JobState::Queued | JobState::Running => {}
            }
        }
        for at in &change.vanished {
            notes.of(*at, change.queue.as_str(), &applied.function).failed += 1;
        }
        if let Some((last, waited)) = applied.waited() {
            let counters = notes.of(last.finished_at, change.queue.as_str(), &last.function);
            counters.wait.record(waited);
        }
    }
    notes
}
