//! Converts an event of the queue to the patch of a job for the live feed.

use jobs::job::{JobId, JobState};
use jobs::queue::events::{self, AttemptError, EventBatch, Finished, JobEvent, Notes, Outcome};

use crate::http::dto;
use crate::http::dto::events::JobPatch;
use crate::http::dto::jobs::LogLine;

/// The patch; `None` for an event that is not about a single job.
pub(super) fn of(batch: &EventBatch, event: &JobEvent) -> Option<JobPatch> {
    Some(match event {
        JobEvent::Queued {
            id,
            function,
            input,
            run_at,
            max_attempts,
            priority,
            fairness_key,
            tags,
        } => {
            let ahead = run_at.is_some_and(|time| time > batch.at);
            let state = if ahead {
                JobState::Scheduled
            } else {
                JobState::Queued
            };
            JobPatch {
                function: Some(function.clone()),
                input: input.clone().map(Into::into),
                max_attempts: Some(*max_attempts),
                run_at: run_at.map(Into::into),
                priority: Some((*priority).into()),
                fairness_key: fairness_key.clone(),
                tags: tags.clone(),
                ..bare(batch, *id, state)
            }
        }
        JobEvent::QueuedMany { .. } => return None,
        JobEvent::Started {
            id,
            attempt,
            worker,
            started_at,
        } => JobPatch {
            attempt: Some(*attempt),
            worker: Some(worker.clone()),
            started_at: Some((*started_at).into()),
            progress: Some(0.0),
            ..bare(batch, *id, JobState::Running)
        },
        JobEvent::Noted { id, attempt, notes } => JobPatch {
            attempt: Some(*attempt),
            progress: notes.progress,
            log_lines: lines(*attempt, notes),
            ..bare(batch, *id, JobState::Running)
        },
        JobEvent::Finished(finished) => of_finished(batch, finished),
        JobEvent::Returned { id, attempt, .. } => JobPatch {
            attempt: Some(*attempt),
            progress: Some(0.0),
            ..bare(batch, *id, JobState::Queued)
        },
        JobEvent::Cancelled {
            id,
            attempt,
            function,
        } => JobPatch {
            function: Some(function.clone()),
            attempt: Some(*attempt),
            finished_at: Some(batch.at.into()),
            ..bare(batch, *id, JobState::Cancelled)
        },
        JobEvent::Promoted { id } => bare(batch, *id, JobState::Queued),
        JobEvent::Again {
            id,
            attempt,
            function,
        } => JobPatch {
            function: Some(function.clone()),
            attempt: Some(*attempt),
            run_again: true,
            ..bare(batch, *id, JobState::Queued)
        },
    })
}

fn of_finished(batch: &EventBatch, finished: &Finished) -> JobPatch {
    let with = |state| JobPatch {
        function: Some(finished.function.clone()),
        attempt: Some(finished.attempt),
        worker: Some(finished.worker.clone()),
        started_at: Some(finished.started_at.into()),
        progress: finished.notes.progress,
        log_lines: lines(finished.attempt, &finished.notes),
        ..bare(batch, finished.id, state)
    };
    let end = Some(finished.finished_at.into());
    match &finished.outcome {
        Outcome::Completed { output } => JobPatch {
            finished_at: end,
            output: output.json().map(|json| json.to_owned().into()),
            output_size: Some(output.size()),
            output_length: output.length(),
            output_preview: Some(output.preview()),
            ..with(JobState::Completed)
        },
        Outcome::Retrying { error, run_at, .. } => JobPatch {
            error: Some(of_error(error)),
            run_at: Some((*run_at).into()),
            // The next attempt starts without progress.
            progress: Some(0.0),
            ..with(JobState::Retrying)
        },
        Outcome::Dead { error } => JobPatch {
            finished_at: end,
            error: Some(of_error(error)),
            ..with(JobState::Dead)
        },
        Outcome::Cancelled => JobPatch {
            finished_at: end,
            ..with(JobState::Cancelled)
        },
    }
}

fn of_error(error: &AttemptError) -> dto::jobs::AttemptError {
    dto::jobs::AttemptError {
        kind: error.kind.as_str().to_owned(),
        message: error.message.clone(),
    }
}

fn bare(batch: &EventBatch, id: JobId, state: JobState) -> JobPatch {
    JobPatch {
        id: id.to_string(),
        function: None,
        queue: batch.queue.to_string(),
        state: state.into(),
        attempt: None,
        at: batch.at.into(),
        input: None,
        max_attempts: None,
        priority: None,
        fairness_key: None,
        tags: Vec::new(),
        run_at: None,
        started_at: None,
        finished_at: None,
        error: None,
        output: None,
        output_size: None,
        output_length: None,
        output_preview: None,
        worker: None,
        progress: None,
        log_lines: Vec::new(),
        run_again: false,
    }
}

fn lines(attempt: u32, notes: &Notes) -> Vec<LogLine> {
    let line = |line: &events::LogLine| LogLine {
        attempt,
        number: line.number,
        at: line.at.into(),
        text: line.text.clone(),
    };
    notes.lines.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use jobs::job::Priority;
    use jobs::output::OutputSummary;
    use jobs::queue::events::EventId;
    use serde_json::json;

    use super::*;

    fn batch() -> EventBatch {
        let at: DateTime<Utc> = "2026-01-02T03:04:05.678Z".parse().unwrap();
        EventBatch {
            id: EventId::default(),
            queue: "default".parse().unwrap(),
            at,
            events: Vec::new(),
        }
    }

    #[test]
    fn a_new_job_comes_with_all_that_a_table_shows() {
        let (batch, id) = (batch(), JobId::new());
        let input = serde_json::value::to_raw_value(&json!({"index": 90})).unwrap();
        let event = JobEvent::Queued {
            id,
            function: "fibonacci".to_owned(),
            input: Some(input),
            run_at: None,
            max_attempts: 3,
            priority: Priority::FIRST,
            fairness_key: Some("a tenant".to_owned()),
            tags: vec!["customer:17".to_owned()],
        };
        let patch = serde_json::to_value(of(&batch, &event).unwrap()).unwrap();
        let expected = json!({"id": id, "function": "fibonacci", "queue": "default", "state": "queued",
            "at": "2026-01-02T03:04:05.678Z", "input": {"index": 90}, "max_attempts": 3,
            "priority": 1, "fairness_key": "a tenant", "tags": ["customer:17"]});
        assert_eq!(patch, expected);
    }

    #[test]
    fn a_completed_job_comes_with_its_output() {
        let batch = batch();
        let output = serde_json::value::to_raw_value("55").unwrap();
        let event = JobEvent::Finished(Box::new(Finished {
            id: JobId::new(),
            attempt: 2,
            function: "fibonacci".to_owned(),
            worker: "w".to_owned(),
            started_at: batch.at,
            finished_at: batch.at,
            outcome: Outcome::Completed {
                output: OutputSummary::of(output),
            },
            notes: Notes::default(),
        }));
        let patch = serde_json::to_value(of(&batch, &event).unwrap()).unwrap();
        assert_eq!(
            (&patch["state"], &patch["output"], &patch["output_length"]),
            (&json!("completed"), &json!("55"), &json!(2))
        );
        assert_eq!(patch.get("error"), None);
    }

    #[test]
    fn a_job_for_later_is_scheduled() {
        let batch = batch();
        let event = JobEvent::Queued {
            id: JobId::new(),
            function: "f".to_owned(),
            input: None,
            run_at: Some(batch.at + chrono::Duration::seconds(1)),
            max_attempts: 1,
            priority: Priority::STANDARD,
            fairness_key: None,
            tags: Vec::new(),
        };
        assert_eq!(
            of(&batch, &event).unwrap().state,
            dto::job_state::State::Scheduled
        );
    }
}
