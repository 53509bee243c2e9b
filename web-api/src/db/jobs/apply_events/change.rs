//! Folds the events of a batch into one change a job, and says which rows may take it. Pure rules, no SQL.

use std::collections::BTreeMap;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use jobs::{
    job::{JobId, JobState, QueueName},
    json::{self, Json},
    queue::events::{AttemptError, EventBatch, Finished, JobEvent, Outcome, ReturnReason},
};

use crate::db::failures::of_error;
use crate::db::jobs::Output;
use crate::db::values::saturated;
use crate::db::values::storable;

/// How far the clocks of callers, workers and Redis may be apart before a promotion looks outdated.
const CLOCK_SKEW: TimeDelta = TimeDelta::seconds(1);
/// Progress begins anew with each attempt. One that is short is not told to have begun, so the end of the one before says
/// it as well.
const ANEW: f64 = 0.0;

/// What a row becomes. `None` keeps what is there.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    pub id: JobId,
    pub queue: QueueName,
    /// When it happened, by the clock of the queue; `None` when it is told by SQL alone.
    pub(super) at: Option<DateTime<Utc>>,
    pub state: JobState,
    pub attempt: Option<i32>,
    pub run_at: Option<DateTime<Utc>>,
    pub worker: Option<String>,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    /// Kind and message.
    pub error: Option<(String, String)>,
    /// The fingerprint of the error.
    pub(super) failure: Option<String>,
    pub output: Option<Output>,
    pub progress: Option<f64>,
    /// Redis has let go of it until its next attempt, which is far off.
    pub parked: bool,
    /// The attempts that ended, for the metrics.
    pub ended: Vec<Attempt>,
    /// When workers were found to have vanished with an attempt: these failed as well, but nobody knows when they ended.
    pub(in crate::db) vanished: Vec<DateTime<Utc>>,
    pub(super) guard: Guard,
}

/// An attempt that ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    pub function: String,
    /// The state that it left the job in.
    pub state: JobState,
    pub started_at: DateTime<Utc>,
    pub finished_at: DateTime<Utc>,
}

/// Which unfinished rows take the change: any of the three is enough.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Guard {
    /// Rows whose attempt is lower than this one.
    pub(super) below: i32,
    /// Rows that run exactly this attempt.
    pub(super) running: Option<i32>,
    /// Rows that wait, scheduled or retrying, for a time not after this one.
    pub(super) due: Option<DateTime<Utc>>,
}

impl Guard {
    fn any() -> Self {
        Self {
            below: i32::MAX,
            ..Self::default()
        }
    }

    fn passes(&self, change: &Change) -> bool {
        let waits = matches!(change.state, JobState::Scheduled | JobState::Retrying);
        !change.state.is_final()
            && (change.attempt.is_none_or(|attempt| attempt < self.below)
                || change.state == JobState::Running && change.attempt == self.running
                || waits
                    && self
                        .due
                        .is_some_and(|due| change.run_at.is_none_or(|at| at <= due)))
    }
}

/// One change for each job in the batches, in the order of their ids.
///
/// What comes after the end of a job belongs to another life, for which somebody has run it again meanwhile. Each life
/// is a change of its own, in a list of its own: to be applied one list after the other.
pub(super) fn changes(batches: &[EventBatch]) -> Vec<Vec<Change>> {
    let mut lives = vec![BTreeMap::<JobId, Change>::new()];
    for batch in batches {
        for next in batch.events.iter().filter_map(|event| change(event, batch)) {
            let later = |changes: &BTreeMap<JobId, Change>| {
                let before = changes.get(&next.id);
                before.is_some_and(|change| change.state.is_final() && change.at < next.at)
            };
            let life = lives.iter().take_while(|changes| later(changes)).count();
            if life == lives.len() {
                lives.push(BTreeMap::new());
            }
            match lives[life].get_mut(&next.id) {
                Some(change) if next.guard.passes(change) => change.then(next),
                Some(_) => {}
                None => {
                    lives[life].insert(next.id, next);
                }
            }
        }
    }
    lives
        .into_iter()
        .map(|changes| changes.into_values().collect())
        .collect()
}

/// What one event means for its row; nothing when the row says it already.
fn change(event: &JobEvent, batch: &EventBatch) -> Option<Change> {
    let at = batch.at.trunc_subsecs(3);
    let to = |id: JobId, state: JobState, guard: Guard| Change {
        at: Some(at),
        ..Change::new(id, &batch.queue, state, guard)
    };
    match event {
        // The row was there before the job was pushed.
        JobEvent::Queued { .. } | JobEvent::QueuedMany { .. } | JobEvent::Again { .. } => None,
        JobEvent::Started {
            id,
            attempt,
            worker,
            started_at,
        } => {
            let attempt = saturated(*attempt);
            Some(Change {
                attempt: Some(attempt),
                worker: Some(storable(worker)),
                started_at: Some(*started_at),
                progress: Some(ANEW),
                ..to(
                    *id,
                    JobState::Running,
                    Guard {
                        below: attempt,
                        ..Guard::default()
                    },
                )
            })
        }
        JobEvent::Finished(finished) => Some(ended(finished, &to)),
        // Lines alone are no change of the row.
        JobEvent::Noted { id, attempt, notes } => notes.progress.map(|progress| {
            let attempt = saturated(*attempt);
            let guard = Guard {
                below: attempt,
                running: Some(attempt),
                due: None,
            };
            Change {
                attempt: Some(attempt),
                progress: Some(progress),
                ..to(*id, JobState::Running, guard)
            }
        }),
        JobEvent::Returned {
            id,
            attempt,
            reason,
            worker: _,
        } => {
            let counted = saturated(*attempt);
            let begun = match reason {
                // The attempt that was broken off does not count.
                ReturnReason::Stopped => counted.saturating_add(1),
                ReturnReason::Orphaned => counted,
            };
            let guard = Guard {
                below: begun,
                running: Some(begun),
                due: None,
            };
            let vanished = match reason {
                ReturnReason::Stopped => Vec::new(),
                ReturnReason::Orphaned => vec![at],
            };
            Some(Change {
                attempt: Some(counted),
                progress: Some(ANEW),
                vanished,
                ..to(*id, JobState::Queued, guard)
            })
        }
        JobEvent::Cancelled {
            id,
            attempt,
            function: _,
        } => Some(Change {
            attempt: Some(saturated(*attempt)),
            finished_at: Some(at),
            ..to(*id, JobState::Cancelled, Guard::any())
        }),
        JobEvent::Promoted { id } => Some(to(
            *id,
            JobState::Queued,
            Guard {
                due: Some(at + CLOCK_SKEW),
                ..Guard::default()
            },
        )),
    }
}

fn ended(finished: &Finished, to: &impl Fn(JobId, JobState, Guard) -> Change) -> Change {
    let attempt = saturated(finished.attempt);
    let started_at = finished.started_at.trunc_subsecs(3);
    let finished_at = finished.finished_at.trunc_subsecs(3);
    let of = |error: &AttemptError| Some((error.kind.as_str().to_owned(), storable(&error.message)));
    let last = |state| Change {
        finished_at: Some(finished_at),
        ..to(finished.id, state, Guard::any())
    };
    // Workers refuse such outputs; those of an older version do not. The queue still has it.
    let not_kept = match &finished.outcome {
        Outcome::Completed { output } => output.json().and_then(|json| json::check(json.get()).err()),
        Outcome::Dead { .. } | Outcome::Cancelled | Outcome::Retrying { .. } => None,
    };
    let change = match &finished.outcome {
        Outcome::Completed { output } => Change {
            output: Some(Output {
                size: output.size(),
                length: output.length(),
                preview: not_kept.as_ref().map_or_else(
                    || storable(&output.preview()),
                    |error| format!("The output is not recorded: {}", storable(&error.to_string())),
                ),
                json: output
                    .json()
                    .filter(|_| not_kept.is_none())
                    .map(|json| Json::from(json.to_owned())),
            }),
            ..last(JobState::Completed)
        },
        Outcome::Dead { error } => Change {
            error: of(error),
            ..last(JobState::Dead)
        },
        Outcome::Cancelled => last(JobState::Cancelled),
        Outcome::Retrying {
            error,
            run_at,
            parked,
        } => Change {
            error: of(error),
            run_at: Some(run_at.trunc_subsecs(3)),
            parked: *parked,
            progress: Some(ANEW),
            ..to(
                finished.id,
                JobState::Retrying,
                Guard {
                    below: attempt,
                    running: Some(attempt),
                    due: None,
                },
            )
        },
    };
    let failure = change
        .error
        .as_ref()
        .map(|(kind, message)| of_error(&finished.function, kind, message).0.to_string());
    Change {
        failure,
        attempt: Some(attempt),
        worker: Some(storable(&finished.worker)),
        started_at: Some(started_at),
        progress: change.progress.or(finished.notes.progress),
        ended: vec![Attempt {
            function: finished.function.clone(),
            state: change.state,
            started_at,
            finished_at,
        }],
        ..change
    }
}

impl Change {
    fn new(id: JobId, queue: &QueueName, state: JobState, guard: Guard) -> Self {
        Self {
            id,
            queue: queue.clone(),
            at: None,
            state,
            attempt: None,
            run_at: None,
            worker: None,
            started_at: None,
            finished_at: None,
            error: None,
            failure: None,
            output: None,
            progress: None,
            parked: false,
            ended: Vec::new(),
            vanished: Vec::new(),
            guard,
        }
    }

    /// Leaves the state and the times, and drops every text that came from outside.
    pub(super) fn strip(&mut self) {
        self.worker = None;
        if let Some((_, message)) = &mut self.error {
            "the database refused the message".clone_into(message);
        }
        if let Some(output) = &mut self.output {
            output.json = None;
            output.preview.clear();
        }
    }

    /// Adds what came later. A row that takes either takes both.
    fn then(&mut self, next: Self) {
        let Self {
            id: _,
            queue: _,
            at,
            state,
            attempt,
            run_at,
            worker,
            started_at,
            finished_at,
            error,
            failure,
            output,
            progress,
            parked,
            ended,
            vanished,
            guard,
        } = next;
        self.guard = Guard {
            below: self.guard.below.max(guard.below),
            running: guard.running.or(self.guard.running),
            // An older promotion has nothing to say to a row that a later event is for.
            due: guard.due,
        };
        self.at = at;
        self.state = state;
        self.attempt = attempt.or(self.attempt);
        self.run_at = run_at.or(self.run_at);
        self.worker = worker.or(self.worker.take());
        self.started_at = started_at.or(self.started_at);
        self.finished_at = finished_at.or(self.finished_at);
        self.error = error.or(self.error.take());
        self.failure = failure.or(self.failure.take());
        self.output = output.or(self.output.take());
        self.progress = progress.or(self.progress);
        self.parked = parked;
        self.ended.extend(ended);
        self.vanished.extend(vanished);
    }
}

/// What a job becomes that the queue does not hold and that somebody cancels.
pub(super) fn cancelled(id: JobId, queue: &QueueName, now: DateTime<Utc>) -> Change {
    Change {
        finished_at: Some(now.trunc_subsecs(3)),
        ..Change::new(id, queue, JobState::Cancelled, Guard::any())
    }
}
