//! How an entry of the event stream is written, compact because there is one for every batch, and read back.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use redis::streams::StreamId;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{AttemptError, ErrorKind, EventBatch, EventId, Finished, JobEvent, Notes, Outcome, ReturnReason};
use crate::error::{Error, chain};
use crate::job::{Envelope, JobId, Priority, QueueName};
use crate::output::{OutputMeasure, OutputSummary};
use crate::queue::Fields;

/// Inputs up to this many bytes travel with the event that announces a job.
const INPUT_IN_EVENT_MAX: usize = 256;

/// A job that came into Redis, as the push script appends it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Queued {
    id: JobId,
    function: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    input: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run_at: Option<DateTime<Utc>>,
    max_attempts: u32,
    #[serde(default, skip_serializing_if = "Priority::is_standard")]
    priority: Priority,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fairness_key: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
}

impl Queued {
    pub(crate) fn of(job: &Envelope) -> Self {
        Self {
            id: job.id,
            function: job.function.clone(),
            input: (job.input.get().len() <= INPUT_IN_EVENT_MAX).then(|| job.input.clone()),
            run_at: job.run_at,
            max_attempts: job.max_attempts,
            priority: job.priority,
            fairness_key: job.fairness_key.clone(),
            tags: job.tags.clone(),
        }
    }
}

impl From<Queued> for JobEvent {
    fn from(
        Queued {
            id,
            function,
            input,
            run_at,
            max_attempts,
            priority,
            fairness_key,
            tags,
        }: Queued,
    ) -> Self {
        Self::Queued {
            id,
            function,
            input,
            run_at,
            max_attempts,
            priority,
            fairness_key,
            tags,
        }
    }
}

/// An attempt that ended, as the finish script appends it: id, attempt, function, when it began and ended (in ms),
/// outcome, notes. The worker is named once for all of an entry.
#[derive(Serialize, Deserialize)]
pub(crate) struct EncodedFinished<'a>(
    JobId,
    u32,
    #[serde(borrow)] Cow<'a, str>,
    i64,
    i64,
    EncodedOutcome,
    Option<Notes>,
);

// Tagged from outside: serde cannot carry a `RawValue` through the buffer that an inner tag needs.
#[derive(Serialize, Deserialize)]
enum EncodedOutcome {
    /// Completed, with the output.
    #[serde(rename = "c")]
    Output(Box<RawValue>),
    /// Completed, with the measure of a large output.
    #[serde(rename = "m")]
    Measure(OutputMeasure),
    /// Retrying: error kind, message, next time in ms, whether SQL keeps it meanwhile.
    #[serde(rename = "r")]
    Retrying(ErrorKind, String, i64, bool),
    #[serde(rename = "d")]
    Dead(ErrorKind, String),
    #[serde(rename = "x")]
    Cancelled,
}

impl<'a> EncodedFinished<'a> {
    pub(crate) fn of(finished: &'a Finished) -> Self {
        let outcome = match &finished.outcome {
            Outcome::Completed {
                output: OutputSummary::Whole(json),
            } => EncodedOutcome::Output(json.clone()),
            Outcome::Completed {
                output: OutputSummary::Measured(measure),
            } => EncodedOutcome::Measure(measure.clone()),
            Outcome::Retrying {
                error,
                run_at,
                parked,
            } => {
                let message = error.message.clone();
                EncodedOutcome::Retrying(error.kind, message, run_at.timestamp_millis(), *parked)
            }
            Outcome::Dead { error } => EncodedOutcome::Dead(error.kind, error.message.clone()),
            Outcome::Cancelled => EncodedOutcome::Cancelled,
        };
        Self(
            finished.id,
            finished.attempt,
            Cow::Borrowed(&finished.function),
            finished.started_at.timestamp_millis(),
            finished.finished_at.timestamp_millis(),
            outcome,
            (!finished.notes.is_empty()).then(|| finished.notes.clone()),
        )
    }

    fn read(self, worker: &str) -> Finished {
        let Self(id, attempt, function, started, finished, outcome, notes) = self;
        let outcome = match outcome {
            EncodedOutcome::Output(json) => Outcome::Completed {
                output: OutputSummary::Whole(json),
            },
            EncodedOutcome::Measure(measure) => Outcome::Completed {
                output: OutputSummary::Measured(measure),
            },
            EncodedOutcome::Retrying(kind, message, run_at, parked) => Outcome::Retrying {
                error: AttemptError { kind, message },
                run_at: time(run_at),
                parked,
            },
            EncodedOutcome::Dead(kind, message) => Outcome::Dead {
                error: AttemptError { kind, message },
            },
            EncodedOutcome::Cancelled => Outcome::Cancelled,
        };
        Finished {
            id,
            attempt,
            function: function.into_owned(),
            worker: worker.to_owned(),
            started_at: time(started),
            finished_at: time(finished),
            outcome,
            notes: notes.unwrap_or_default(),
        }
    }
}

/// What a running attempt reports, as the report script appends it: id, attempt, when it began (in ms, the first time
/// alone), notes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct EncodedReport(
    pub(crate) JobId,
    pub(crate) u32,
    pub(crate) Option<i64>,
    pub(crate) Option<Notes>,
);

impl EncodedReport {
    fn events(self, worker: &str) -> impl Iterator<Item = JobEvent> {
        let Self(id, attempt, started, notes) = self;
        let started = started.map(|started| JobEvent::Started {
            id,
            attempt,
            worker: worker.to_owned(),
            started_at: time(started),
        });
        let noted = notes.map(|notes| JobEvent::Noted { id, attempt, notes });
        started.into_iter().chain(noted)
    }
}

fn time(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(ms).unwrap_or_default()
}

/// Reads one entry. One that cannot be read has no events and is logged: it must not stop those behind it.
pub(super) fn read_or_skip(queue: &QueueName, entry: &StreamId) -> Result<EventBatch, Error> {
    read(queue, entry).or_else(|error| {
        tracing::error!(%queue, event = entry.id, error = chain(&error), "skipped an event that cannot be read");
        let id: EventId = entry.id.parse()?;
        Ok(EventBatch { id, queue: queue.clone(), at: time_of(id), events: Vec::new() })
    })
}

fn time_of(id: EventId) -> DateTime<Utc> {
    time(i64::try_from(id.ms).unwrap_or_default())
}

/// Reads one entry. An entry of a kind that this build does not know (a newer version wrote it) has no events.
fn read(queue: &QueueName, entry: &StreamId) -> Result<EventBatch, Error> {
    let id: EventId = entry.id.parse()?;
    let fields: Fields = entry
        .map
        .iter()
        .filter_map(|(name, value)| Some((name.clone(), text(value)?)))
        .collect();
    let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
    let at = time_of(id);
    let data = field("d");

    let events = match field("t") {
        "queued" => from_json::<Queued>(id, data)?
            .into_iter()
            .map(JobEvent::from)
            .collect(),
        "queued_many" => vec![JobEvent::QueuedMany {
            count: data.parse().unwrap_or_default(),
        }],
        "finished" => from_json::<EncodedFinished<'_>>(id, data)?
            .into_iter()
            .map(|ended| JobEvent::Finished(Box::new(ended.read(field("w")))))
            .collect(),
        "reported" => from_json::<EncodedReport>(id, data)?
            .into_iter()
            .flat_map(|report| report.events(field("w")))
            .collect(),
        "returned" => {
            let reason = if field("r") == "orphaned" {
                ReturnReason::Orphaned
            } else {
                ReturnReason::Stopped
            };
            attempts(id, data)
                .into_iter()
                .map(|(id, attempt, _)| JobEvent::Returned {
                    id,
                    attempt,
                    reason,
                    worker: field("w").to_owned(),
                })
                .collect()
        }
        "promoted" => data
            .split_whitespace()
            .filter_map(|item| or_skip(id, item.parse().map_err(Error::from)))
            .map(|id| JobEvent::Promoted { id })
            .collect(),
        "cancelled" => attempts(id, data)
            .into_iter()
            .map(|(id, attempt, function)| JobEvent::Cancelled {
                id,
                attempt,
                function: function.to_owned(),
            })
            .collect(),
        "again" => attempts(id, data)
            .into_iter()
            .map(|(id, attempt, function)| JobEvent::Again {
                id,
                attempt,
                function: function.to_owned(),
            })
            .collect(),
        "crashed" => attempts(id, data)
            .into_iter()
            .map(|(id, attempt, function)| crashed(id, attempt, function, field("w"), at))
            .collect(),
        unknown => {
            tracing::warn!(kind = unknown, event = %id, "skipped an event of a kind that this version does not know");
            Vec::new()
        }
    };
    Ok(EventBatch {
        id,
        queue: queue.clone(),
        at,
        events,
    })
}

fn text(value: &redis::Value) -> Option<String> {
    redis::from_redis_value_ref(value).ok()
}

/// Reads a JSON array. Items that cannot be read are left out and logged: each is of another job.
fn from_json<'a, T: Deserialize<'a>>(id: EventId, data: &'a str) -> Result<Vec<T>, Error> {
    let no_json = |error| Error::Protocol(format!("an event that is no JSON: {error}"));
    if let Ok(all) = serde_json::from_str(data) {
        return Ok(all);
    }
    let items: Vec<&RawValue> = serde_json::from_str(data).map_err(no_json)?;
    let read = items.into_iter().map(|item| serde_json::from_str(item.get()));
    Ok(read
        .filter_map(|item| or_skip(id, item.map_err(no_json)))
        .collect())
}

/// One item of an entry. It must not take along the others.
fn or_skip<T>(id: EventId, item: Result<T, Error>) -> Option<T> {
    item.inspect_err(|error| {
        tracing::error!(event = %id, error = chain(error), "skipped one job of an event that cannot be read");
    })
    .ok()
}

/// Reads `id:attempt` or `id:attempt:function`, separated by blanks.
fn attempts(id: EventId, data: &str) -> Vec<(JobId, u32, &str)> {
    data.split_whitespace()
        .filter_map(|item| or_skip(id, attempt(item)))
        .collect()
}

fn attempt(item: &str) -> Result<(JobId, u32, &str), Error> {
    let mut parts = item.splitn(3, ':');
    let id = parts.next().unwrap_or_default().parse()?;
    let attempt = parts.next().and_then(|attempt| attempt.parse().ok());
    let attempt = attempt.ok_or_else(|| Error::Protocol(format!("an event without an attempt: {item:?}")))?;
    Ok((id, attempt, parts.next().unwrap_or_default()))
}

/// A job whose last attempt ended with its worker.
fn crashed(id: JobId, attempt: u32, function: &str, worker: &str, at: DateTime<Utc>) -> JobEvent {
    JobEvent::Finished(Box::new(Finished {
        id,
        attempt,
        function: function.to_owned(),
        worker: worker.to_owned(),
        started_at: at,
        finished_at: at,
        outcome: Outcome::Dead {
            error: AttemptError {
                kind: ErrorKind::Crash,
                message: format!("the worker {worker} vanished during attempt {attempt}, the last one"),
            },
        },
        notes: Notes::default(),
    }))
}
