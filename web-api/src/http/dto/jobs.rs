//! A job as the API returns it, and lists of jobs.

use jobs::job::JobState;
use salvo::oapi::ToSchema;
use serde::Serialize;

use super::job_history::HistoryEntry;
use super::job_state::State;
use super::scalar::{AnyJson, Timestamp};
use crate::db::attempts::{PastAttempt, PastOutcome};
use crate::db::job_history as record_history;
use crate::db::{jobs as record, log_lines};
use crate::domain::base_path;
use crate::services::queue_position::QueuePosition;

/// Why the latest attempt of a job failed.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "JobError"))]
pub struct AttemptError {
    /// `error`, `panic`, `timeout`, `crash` or `bad_input`.
    pub kind: String,
    /// The error message.
    pub message: String,
}

/// A log line of a function.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "LogLine"))]
pub struct LogLine {
    /// The attempt that logged it.
    #[salvo(schema(minimum = 1))]
    pub attempt: u32,
    /// Its number among the lines of the attempt.
    #[salvo(schema(minimum = 1))]
    pub number: u32,
    pub at: Timestamp,
    pub text: String,
}

/// An attempt to run a job.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "Attempt"))]
pub struct Attempt {
    /// The number of the attempt, from 1.
    #[salvo(schema(minimum = 1))]
    pub number: u32,
    /// The worker that ran it.
    #[salvo(schema(required = true))]
    pub worker: Option<String>,
    /// When it started; null when its worker stopped before it reported the start.
    #[salvo(schema(required = true))]
    pub started_at: Option<Timestamp>,
    /// When it ended; null while it runs.
    #[salvo(schema(required = true))]
    pub finished_at: Option<Timestamp>,
    /// Why it failed; null when it did not.
    #[salvo(schema(required = true))]
    pub error: Option<AttemptError>,
    /// How it ended; null while it runs.
    #[salvo(schema(required = true))]
    pub outcome: Option<AttemptOutcome>,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[salvo(schema(name = "AttemptOutcome"))]
pub enum AttemptOutcome {
    Completed,
    Failed,
    Cancelled,
}

/// A job: one call of a function.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "Job"))]
pub struct Job {
    /// A ULID: ids sort by creation time.
    #[salvo(schema(example = "01JD3Y8M5Q2W7E9R4T6Y1P0A2S"))]
    pub id: String,
    /// The name of the function.
    #[salvo(schema(example = "fibonacci"))]
    pub function: String,
    /// The queue of the job.
    #[salvo(schema(example = "default"))]
    pub queue: String,
    pub state: State,
    /// The input of the function, as it was sent. In lists it is null when its JSON text has more than 4096
    /// bytes: see `input_preview`, and read the job for the whole input.
    #[salvo(schema(required = true))]
    pub input: AnyJson,
    /// Size of the input's JSON text in bytes; present when the input was left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[salvo(schema(minimum = 0))]
    pub input_size: Option<u64>,
    /// The start of the input's JSON text, at most 200 characters; present when the input was left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_preview: Option<String>,
    /// Attempts made so far.
    #[salvo(schema(minimum = 0))]
    pub attempt: u32,
    /// How many attempts are made before the job is dead.
    #[salvo(schema(minimum = 1))]
    pub max_attempts: u32,
    /// The earliest time of the next attempt: the time in the call, or the end of the backoff.
    #[salvo(schema(required = true))]
    pub run_at: Option<Timestamp>,
    /// The priority, from 1 (runs first) to 9 (runs last).
    #[salvo(schema(minimum = 1, maximum = 9))]
    pub priority: u8,
    /// Jobs with the same key share one turn in the queue.
    #[salvo(schema(required = true))]
    pub fairness_key: Option<String>,
    /// The tags of the call.
    #[salvo(schema(example = json!(["customer:17"])))]
    pub tags: Vec<String>,
    /// The progress of the latest attempt, from 0 to 1, when its function reports it.
    #[salvo(schema(required = true, minimum = 0, maximum = 1))]
    pub progress: Option<f64>,
    pub created_at: Timestamp,
    /// When the latest attempt started.
    #[salvo(schema(required = true))]
    pub started_at: Option<Timestamp>,
    /// When the job reached its final state.
    #[salvo(schema(required = true))]
    pub finished_at: Option<Timestamp>,
    /// Why the latest attempt failed; null when it did not.
    #[salvo(schema(required = true))]
    pub error: Option<AttemptError>,
    /// The return value of the function, when its JSON text has at most 4096 bytes; otherwise null: see
    /// `result_url`.
    #[salvo(schema(required = true))]
    pub output: Option<AnyJson>,
    /// Size of the output's JSON text in bytes.
    #[salvo(schema(required = true, minimum = 0))]
    pub output_size: Option<u64>,
    /// Length of the output in characters, when it is a string.
    #[salvo(schema(required = true, minimum = 0))]
    pub output_length: Option<u64>,
    /// The output as text, shortened in the middle to at most 201 characters.
    #[salvo(schema(required = true))]
    pub output_preview: Option<String>,
    /// The id of the job's batch; absent when the job is in none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_id: Option<String>,
    /// The address of the whole output; null until there is one.
    #[salvo(schema(required = true, example = "/api/v1/jobs/01JD3Y8M5Q2W7E9R4T6Y1P0A2S/result"))]
    pub result_url: Option<String>,
    /// The id of the schedule that made the job; null when a caller made it.
    #[salvo(schema(required = true))]
    pub schedule_id: Option<String>,
}

impl From<&record::Job> for Job {
    fn from(job: &record::Job) -> Self {
        let output = job.output.as_ref();
        Self {
            id: job.id.to_string(),
            function: job.function.clone(),
            queue: job.queue.to_string(),
            state: job.state.into(),
            input: job.input.clone().into(),
            input_size: job.input_cut.as_ref().map(|cut| cut.size),
            input_preview: job.input_cut.as_ref().map(|cut| cut.preview.clone()),
            attempt: job.attempt,
            max_attempts: job.max_attempts,
            run_at: job.run_at.map(Into::into),
            priority: job.priority.into(),
            fairness_key: job.fairness_key.clone(),
            tags: job.tags.iter().map(ToString::to_string).collect(),
            progress: job.progress,
            created_at: job.created_at.into(),
            started_at: job.started_at.map(Into::into),
            finished_at: job.finished_at.map(Into::into),
            error: job.error.as_ref().map(Into::into),
            output: output.and_then(|output| output.json.clone()).map(Into::into),
            output_size: output.map(|output| output.size),
            output_length: output.and_then(|output| output.length),
            output_preview: output.map(|output| output.preview.clone()),
            batch_id: job.batch.map(|batch| batch.to_string()),
            result_url: output.map(|_| base_path::link(&format!("/api/v1/jobs/{}/result", job.id))),
            schedule_id: job.schedule.map(|id| id.to_string()),
        }
    }
}

/// A job with its attempts.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "JobDetail"))]
pub struct JobDetail {
    #[serde(flatten)]
    pub job: Job,
    /// The attempts that count, in their order; the last one may be running.
    pub attempts: Vec<Attempt>,
    /// The actions of users on the job, oldest first. They are deleted with the job.
    pub history: Vec<HistoryEntry>,
    /// The position in the queue; null unless the job is queued.
    #[salvo(schema(required = true))]
    pub waiting: Option<Waiting>,
}

/// The position of a queued job.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "Waiting"))]
pub struct Waiting {
    /// 1 for the next job to run. Priorities and fairness keys are taken into account.
    #[salvo(schema(minimum = 1))]
    pub position: u64,
    /// False when the queue is so long that the position is an estimate.
    pub exact: bool,
    /// The expected start, from the jobs that finished in the last minutes and the queue's rate limit. Null
    /// when it cannot be estimated: the queue is paused, no job has finished, or its limits changed in the
    /// last minutes.
    #[salvo(schema(required = true))]
    pub estimated_start: Option<Timestamp>,
}

impl From<QueuePosition> for Waiting {
    fn from(standing: QueuePosition) -> Self {
        Self {
            position: standing.position,
            exact: standing.exact,
            estimated_start: standing.start.map(Into::into),
        }
    }
}

impl JobDetail {
    pub fn new(
        job: &record::Job,
        past: Vec<PastAttempt>,
        history: Vec<record_history::HistoryEntry>,
        waiting: Option<QueuePosition>,
    ) -> Self {
        let mut attempts: Vec<Attempt> = past.into_iter().map(Into::into).collect();
        // The row of a job describes its latest attempt, unless that attempt failed.
        let latest = job.attempt > 0 && attempts.last().is_none_or(|last| last.number < job.attempt);
        let told = matches!(
            job.state,
            JobState::Running | JobState::Completed | JobState::Cancelled
        );
        // A job that was cancelled during its backoff has no attempt for the cancellation.
        if latest && told && job.started_at.is_some() {
            attempts.push(Attempt {
                number: job.attempt,
                worker: job.worker.clone(),
                started_at: job.started_at.map(Into::into),
                finished_at: job.finished_at.map(Into::into),
                error: None,
                outcome: match job.state {
                    JobState::Completed => Some(AttemptOutcome::Completed),
                    JobState::Cancelled => Some(AttemptOutcome::Cancelled),
                    JobState::Scheduled
                    | JobState::Queued
                    | JobState::Running
                    | JobState::Retrying
                    | JobState::Dead => None,
                },
            });
        }
        Self {
            job: job.into(),
            attempts,
            history: history.into_iter().map(Into::into).collect(),
            waiting: waiting.map(Into::into),
        }
    }
}

impl From<PastAttempt> for Attempt {
    fn from(attempt: PastAttempt) -> Self {
        let (error, outcome) = match &attempt.outcome {
            PastOutcome::Failed(error) => (Some(error.into()), AttemptOutcome::Failed),
            PastOutcome::Completed => (None, AttemptOutcome::Completed),
            PastOutcome::Cancelled => (None, AttemptOutcome::Cancelled),
        };
        Self {
            number: attempt.number,
            worker: Some(attempt.worker),
            started_at: attempt.started_at.map(Into::into),
            finished_at: Some(attempt.finished_at.into()),
            error,
            outcome: Some(outcome),
        }
    }
}

impl From<&record::JobError> for AttemptError {
    fn from(error: &record::JobError) -> Self {
        Self {
            kind: error.kind.clone(),
            message: error.message.clone(),
        }
    }
}

/// The log lines of a job.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "LogLineList"))]
pub struct LogLineList {
    pub lines: Vec<LogLine>,
}

impl From<log_lines::LogLine> for LogLine {
    fn from(line: log_lines::LogLine) -> Self {
        Self {
            attempt: line.attempt,
            number: line.number,
            at: line.at.into(),
            text: line.text,
        }
    }
}

/// A page of jobs, newest first.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "JobPage"))]
pub struct JobPage {
    pub jobs: Vec<Job>,
    /// The value of `cursor` for the next page; null on the last page.
    #[salvo(schema(required = true))]
    pub next_cursor: Option<String>,
    /// The value of `before` for the previous page; null on the first page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_cursor: Option<String>,
    /// Present when the search stopped before it had read all jobs: the time that it reached. Continue with
    /// the cursor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub searched_to: Option<Timestamp>,
}
