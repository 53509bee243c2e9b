//! How jobs ended, by the events of their queue.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use apalis_core::backend::TaskResult;
use apalis_core::task::status::Status;
use apalis_core::task::task_id::TaskId;
use chrono::TimeDelta;
use futures::{Stream, stream};
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::job::{JobId, QueueName};
use crate::output::OutputSummary;
use crate::queue::Queues;
use crate::queue::events::{EventId, JobEvent, Outcome, Tail};

/// How far the clock that made an id may be ahead of Redis's.
const CLOCKS_APART: TimeDelta = TimeDelta::minutes(1);

/// Between two looks at outputs of jobs whose events may be gone.
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub(super) struct Outcomes<Output> {
    queues: Queues,
    queue: QueueName,
    /// Those that are still waited for.
    ids: BTreeSet<JobId>,
    tail: Tail,
    found: VecDeque<TaskResult<Output>>,
}

impl<Output: DeserializeOwned + Send + 'static> Outcomes<Output> {
    pub(super) fn new(queues: &Queues, queue: &QueueName, ids: BTreeSet<JobId>) -> Self {
        // Nothing happened to a job before it had its id.
        let made_at = ids.first().map(|id| id.created_at() - CLOCKS_APART);
        let ms = made_at.and_then(|time| u64::try_from(time.timestamp_millis()).ok());
        let after = EventId {
            ms: ms.unwrap_or_default(),
            seq: 0,
        };
        Self {
            tail: queues.tail_since(queue, after),
            queues: queues.clone(),
            queue: queue.clone(),
            ids,
            found: VecDeque::new(),
        }
    }

    /// Each outcome as soon as it is known, and the end when all are.
    pub(super) fn stream(self) -> impl Stream<Item = Result<TaskResult<Output>, Error>> + Send + 'static {
        stream::try_unfold(self, |mut outcomes| async move {
            while outcomes.found.is_empty() && !outcomes.ids.is_empty() {
                if !outcomes.read(LOOK_EVERY).await? {
                    outcomes.look_at_outputs().await?;
                }
            }
            Ok(outcomes.found.pop_front().map(|result| (result, outcomes)))
        })
    }

    /// The outcomes that are known now.
    pub(super) async fn known(mut self) -> Result<Vec<TaskResult<Output>>, Error> {
        while !self.ids.is_empty() && self.read(Duration::from_millis(1)).await? {}
        self.look_at_outputs().await?;
        Ok(self.found.into())
    }

    /// Reads the next events. False when there were none.
    async fn read(&mut self, longest: Duration) -> Result<bool, Error> {
        let batches = self.tail.next(longest).await?;
        let any = !batches.is_empty();
        for event in batches.into_iter().flat_map(|batch| batch.events) {
            match event {
                JobEvent::Finished(finished) if finished.outcome.state().is_final() => {
                    self.ended(finished.id, finished.attempt, finished.outcome)
                        .await?;
                }
                JobEvent::Cancelled { id, attempt, .. } => {
                    self.ended(id, attempt, Outcome::Cancelled).await?;
                }
                JobEvent::Finished(_)
                | JobEvent::Queued { .. }
                | JobEvent::QueuedMany { .. }
                | JobEvent::Started { .. }
                | JobEvent::Noted { .. }
                | JobEvent::Returned { .. }
                | JobEvent::Promoted { .. }
                | JobEvent::Again { .. } => {}
            }
        }
        Ok(any)
    }

    async fn ended(&mut self, id: JobId, attempt: u32, outcome: Outcome) -> Result<(), Error> {
        if !self.ids.contains(&id) {
            return Ok(());
        }
        let (status, result) = match outcome {
            Outcome::Completed {
                output: OutputSummary::Whole(json),
            } => (Status::Done, read(json.get().as_bytes())),
            Outcome::Completed {
                output: OutputSummary::Measured(_),
            } => {
                let output = self.queues.output(&self.queue, id).await?;
                let gone = || Err("the output has expired".to_owned());
                (Status::Done, output.map_or_else(gone, |json| read(&json)))
            }
            Outcome::Dead { error } => (Status::Failed, Err(error.message)),
            Outcome::Cancelled => (Status::Killed, Err("the job was cancelled".to_owned())),
            Outcome::Retrying { .. } => return Ok(()),
        };
        self.found(id, attempt, status, result);
        Ok(())
    }

    /// Outputs are kept for longer than events.
    async fn look_at_outputs(&mut self) -> Result<(), Error> {
        let ids: Vec<JobId> = self.ids.iter().copied().collect();
        for id in self.queues.unknown(&self.queue, &ids).await? {
            if let Some(json) = self.queues.output(&self.queue, id).await? {
                self.found(id, 0, Status::Done, read(&json));
            }
        }
        Ok(())
    }

    fn found(&mut self, id: JobId, attempt: u32, status: Status, result: Result<Output, String>) {
        self.ids.remove(&id);
        self.found.push_back(TaskResult {
            task_id: TaskId::from_string(id.to_string()),
            attempt: usize::try_from(attempt).unwrap_or(usize::MAX),
            status,
            result,
        });
    }
}

fn read<Output: DeserializeOwned>(json: &[u8]) -> Result<Output, String> {
    serde_json::from_slice(json).map_err(|error| format!("the output has another type: {error}"))
}
