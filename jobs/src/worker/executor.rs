//! Runs one attempt of one job: finds the function, reads the memo, keeps the timeout, catches panics, and decides the
//! outcome and what happens to the job after it.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use serde_json::value::RawValue;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::completer::CompleterHandle;
use super::in_flight::{InFlight, InFlightJob};
use super::starter::StarterHandle;
use super::task_queue::{Assignment, TaskQueue};
use crate::backoff::Backoff;
use crate::catalog::{BadInput, Catalog, CatalogEntry};
use crate::context::{JobContext, Threads};
use crate::error::JobError;
use crate::job::{Envelope, JobId, QueueName};
use crate::output::{self, OutputSummary, storable};
use crate::panics::{self, Panicked};
use crate::queue::Queues;
use crate::queue::events::{AttemptError, ErrorKind, Finished, Outcome};
use crate::queue::leases::{Claim, Disposition, Ended, Keep, now};
use crate::queue::memo::MemoEntry;

mod begin;

/// The longest error message that is kept, in characters.
const MESSAGE_MAX: usize = 2_000;

/// The longest output, in bytes of JSON: Redis takes no more than this in one piece, and it could not be read back.
const OUTPUT_MAX: usize = 256 << 20;

/// A job of a function that this build does not know waits for a worker that does (a newer one, in a deploy).
const UNKNOWN_FUNCTION_WAIT: Duration = Duration::from_secs(10);

/// So does a job on which this build panics outside the function.
const PANICKED_WAIT: Duration = Duration::from_secs(10);

/// What every attempt of this process shares.
pub(crate) struct Runner {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) queues: Queues,
    pub(crate) in_flight: Arc<InFlight>,
    pub(crate) threads: Threads,
    pub(crate) worker: String,
    /// Waits longer than this are SQL's.
    pub(crate) horizon: Duration,
    pub(crate) completer: CompleterHandle,
    pub(crate) starter: StarterHandle,
    /// How long after the question that brought it a job may begin without another one.
    pub(crate) fresh_for: Duration,
    /// Takes back what a task cannot begin.
    pub(crate) tasks: Arc<TaskQueue>,
    /// From then on nothing is begun any more.
    pub(crate) shutdown: CancellationToken,
}

/// How running a function went.
enum Ran {
    Output(Box<RawValue>, Keep),
    Failed(AttemptError, Next),
    /// Cancelled, or not to be finished by this worker.
    Stopped,
}

/// What happens after a failure.
enum Next {
    /// The policy's backoff, while attempts are left.
    Backoff,
    /// This wait, while attempts are left.
    Wait(Duration),
    Dead,
}

impl Runner {
    /// Runs the attempts of one task to their ends, one after the other. Behind one that has to wait for anything the
    /// others are put back, for the next free place. What has not begun at the shutdown stays held, and is given back.
    pub(crate) async fn run_all(&self, assignments: Vec<Assignment>) {
        let mut ended = Vec::with_capacity(assignments.len());
        let mut rest = assignments.into_iter();
        while let Some(assignment) = rest.next() {
            if self.shutdown.is_cancelled() {
                break;
            }
            let mut run = Box::pin(self.run_or_return(assignment));
            let done = match futures::poll!(&mut run) {
                Poll::Ready(done) => done,
                Poll::Pending => {
                    self.tasks.put_back(rest.by_ref().collect());
                    self.completer.complete(std::mem::take(&mut ended));
                    run.await
                }
            };
            ended.extend(done);
        }
        self.completer.complete(ended);
    }

    /// Runs an attempt to its end. After a panic in this crate, outside the function, the job would be held for as long as
    /// this worker lives: it goes back, for another build of it.
    async fn run_or_return(&self, assignment: Assignment) -> Option<Ended> {
        let (queue, id) = (assignment.claim.queue.clone(), assignment.claim.id);
        let attempt = assignment.claim.attempt;
        match panics::caught(self.run(assignment)).await {
            Ok(ended) => ended,
            Err(Panicked(message)) => {
                tracing::error!(job = %id, attempt, error = message, "the worker failed to run a job; the job goes back");
                self.completer.give_back(&queue, id, attempt, PANICKED_WAIT);
                None
            }
        }
    }

    /// Runs an attempt to its end. `None` when it has no outcome: the job is then given back, or is another worker's
    /// already.
    ///
    /// A job of a function that this build does not know is given back at once, for a worker that does.
    async fn run(&self, assignment: Assignment) -> Option<Ended> {
        let Assignment { claim, job } = assignment;
        let began = self.begins(&claim, &job).await?;
        let Claim {
            queue,
            id,
            attempt,
            envelope,
            bytes: frees,
            suspect: _,
            asked_at,
        } = claim;
        let started_at = now();
        self.in_flight.begins(&job, started_at.timestamp_millis());
        let (function, ran, backoff, max_attempts) = match envelope {
            Err(message) => (
                String::new(),
                failed(ErrorKind::BadInput, &message, Next::Dead),
                Backoff::default(),
                attempt,
            ),
            Ok(envelope) => match self.catalog.get(&envelope.function) {
                None => {
                    let function = envelope.function;
                    tracing::warn!(job = %id, function, "this worker has no such function; the job waits for a worker that has it");
                    self.completer
                        .give_back(&queue, id, attempt, UNKNOWN_FUNCTION_WAIT);
                    return None;
                }
                Some(entry) => {
                    let context = JobContext {
                        id,
                        attempt,
                        max_attempts: envelope.max_attempts,
                        handle: Arc::<InFlightJob>::clone(&job),
                        threads: self.threads.clone(),
                    };
                    let run = self.run_function(entry, &queue, context, &job, &envelope, asked_at);
                    // What a function leaves behind is dropped in there, and may panic as well.
                    let ran = panics::caught(run).await.unwrap_or_else(|Panicked(message)| {
                        failed(ErrorKind::Panic, &message, Next::Backoff)
                    });
                    let backoff = envelope.backoff.unwrap_or_else(|| entry.policy().backoff.clone());
                    (envelope.function, ran, backoff, envelope.max_attempts)
                }
            },
        };
        job.ended();
        self.in_flight.ran(began.elapsed());

        let (outcome, disposition, keep) = match ran {
            Ran::Stopped if job.is_cancelled() => {
                tracing::info!(job = %id, attempt, function, "cancelled while it ran");
                (Outcome::Cancelled, Disposition::Forget, Keep::Nothing)
            }
            Ran::Stopped => {
                tracing::debug!(job = %id, attempt, function, "stopped without an outcome");
                return None;
            }
            Ran::Output(json, keep) => (
                Outcome::Completed {
                    output: OutputSummary::of(json),
                },
                Disposition::Forget,
                keep,
            ),
            Ran::Failed(error, next) => {
                let left = attempt < max_attempts;
                let again_in = match next {
                    Next::Backoff if left => Some(backoff.wait(attempt, &mut rand::rng())),
                    Next::Wait(wait) if left => Some(wait),
                    Next::Backoff | Next::Wait(_) | Next::Dead => None,
                };
                log_failure(id, &function, attempt, max_attempts, &error, again_in);
                let (outcome, disposition) = self.after_failure(error, again_in);
                (outcome, disposition, Keep::Nothing)
            }
        };
        let finished = Finished {
            id,
            attempt,
            function,
            worker: self.worker.clone(),
            started_at,
            finished_at: now(),
            outcome,
            notes: job.progress_log.take(),
        };
        Some(Ended {
            queue,
            finished,
            disposition,
            keep,
            frees,
        })
    }

    fn after_failure(&self, error: AttemptError, again_in: Option<Duration>) -> (Outcome, Disposition) {
        let Some(wait) = again_in else {
            return (Outcome::Dead { error }, Disposition::Forget);
        };
        let run_at = now() + wait;
        let parked = wait > self.horizon;
        let disposition = if parked {
            Disposition::Park
        } else {
            Disposition::Retry(wait)
        };
        let outcome = Outcome::Retrying {
            error,
            run_at,
            parked,
        };
        (outcome, disposition)
    }

    async fn run_function(
        &self,
        entry: &CatalogEntry,
        queue: &QueueName,
        context: JobContext,
        job: &InFlightJob,
        envelope: &Envelope,
        asked_at: Instant,
    ) -> Ran {
        let stop = &job.stop;
        // Reading the input and naming its memo are the function's as well.
        let (memo_key, run) = match panics::caught_here(|| entry.run(context, &envelope.input)) {
            Ok(Ok(begun)) => begun,
            Ok(Err(BadInput(message))) => return failed(ErrorKind::BadInput, &message, Next::Dead),
            Err(Panicked(message)) => return failed(ErrorKind::Panic, &message, Next::Backoff),
        };
        if let Some(key) = memo_key.as_deref() {
            let remembered = tokio::select! {
                remembered = self.remembered(queue, entry.name(), key) => remembered,
                () = stop.cancelled() => return Ran::Stopped,
            };
            if let Some(output) = remembered {
                return Ran::Output(output, Keep::Nothing);
            }
            // The memo may have taken its time, and the function has not begun.
            if asked_at.elapsed() > self.fresh_for && !self.is_confirmed(queue, envelope.id, job).await {
                return Ran::Stopped;
            }
        }
        if stop.is_cancelled() {
            return Ran::Stopped;
        }
        let limit = Duration::from_millis(envelope.timeout_ms);
        let result = tokio::select! {
            biased;
            // First, because most attempts of a busy worker end before they wait for anything.
            result = tokio::time::timeout(limit, panics::caught(run)) => result,
            () = stop.cancelled() => return Ran::Stopped,
        };
        match result {
            Ok(Ok(Ok(output))) if output.get().len() > OUTPUT_MAX => {
                let bytes = output.get().len();
                let message = format!("the output has {bytes} bytes; at most {OUTPUT_MAX} can be kept");
                failed(ErrorKind::Error, &message, Next::Dead)
            }
            Ok(Ok(Ok(output))) => {
                let keep = keep(&output, memo_key);
                Ran::Output(output, keep)
            }
            Ok(Ok(Err(JobError::Retry(message)))) => failed(ErrorKind::Error, &message, Next::Backoff),
            Ok(Ok(Err(JobError::RetryAfter(wait, message)))) => {
                failed(ErrorKind::Error, &message, Next::Wait(wait))
            }
            Ok(Ok(Err(JobError::Fatal(message)))) => failed(ErrorKind::Error, &message, Next::Dead),
            Ok(Err(Panicked(message))) => failed(ErrorKind::Panic, &message, Next::Backoff),
            Err(_elapsed) => {
                // A computation on a thread of its own sees this at its next check point.
                stop.cancel();
                failed(
                    ErrorKind::Timeout,
                    &format!("took longer than {limit:?}"),
                    Next::Backoff,
                )
            }
        }
    }

    /// The output of an earlier job of the same input.
    async fn remembered(&self, queue: &QueueName, function: &str, key: &str) -> Option<Box<RawValue>> {
        match self.queues.memo(queue, function, key).await {
            Ok(json) => RawValue::from_string(String::from_utf8(json?.into()).ok()?).ok(),
            Err(error) => {
                // The memo saves time; without it the function runs.
                tracing::debug!(%error, function, "the memo could not be read");
                None
            }
        }
    }
}

fn keep(output: &RawValue, memo_key: Option<String>) -> Keep {
    match memo_key {
        Some(key) => Keep::Memo(MemoEntry::new(key, output)),
        None if output.get() == "null" => Keep::Nothing,
        None => Keep::Output(output::pack(output.get())),
    }
}

fn failed(kind: ErrorKind, message: &str, next: Next) -> Ran {
    let message = output::shorten(&storable(message), MESSAGE_MAX, MESSAGE_MAX / 2 - 1);
    Ran::Failed(AttemptError { kind, message }, next)
}

fn log_failure(
    id: JobId,
    function: &str,
    attempt: u32,
    max_attempts: u32,
    error: &AttemptError,
    again_in: Option<Duration>,
) {
    let kind = error.kind.as_str();
    let error = &error.message;
    if let Some(wait) = again_in {
        let message = "an attempt failed; the job will be retried";
        tracing::info!(job = %id, function, attempt, max_attempts, kind, error, again_in = ?wait, message);
    } else {
        let message = "an attempt failed, and the job is dead";
        tracing::warn!(job = %id, function, attempt, max_attempts, kind, error, message);
    }
}
