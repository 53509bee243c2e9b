//! Brings SQL up to date with what happened in the queue: reads the outcome stream as one of a group, applies it in
//! batches, acknowledges. The only writer of states after a job was enqueued.
//!
//! Never ends of an error. While SQL is away, the outcomes stay in the stream and are applied when it is back. An event
//! that SQL refuses for ever is logged and counted, and the others go on.

use std::{collections::HashMap, time::Duration};

use chrono::{DateTime, Utc};
use jobs::{
    job::{JobId, JobState},
    queue::events::{EventBatch, JobEvent, Outcome, Recorder},
};
use tokio_util::sync::CancellationToken;

use crate::db::Store;
use crate::db::jobs::apply_events::{Applied, AppliedChange};
use crate::services::batch_closer::DirtyBatches;
use crate::services::outcome_waiters::Outcomes;
use crate::services::progress_marker::ProgressMarker;
use crate::services::retry_loop::RetryLoop;
use jobs::error::chain;

/// How long one read waits for news; also how long an orderly end takes at most.
const BLOCK: Duration = Duration::from_millis(500);

/// Records until `shutdown`. What is applied but not acknowledged then comes again and changes nothing.
/// `dirty` is told of batches whose jobs have ended; `pulse` beats whenever SQL is up to date with what was read.
pub async fn run(
    store: Store,
    mut recorder: Recorder,
    outcomes: Outcomes,
    dirty: DirtyBatches,
    pulse: ProgressMarker,
    shutdown: CancellationToken,
) {
    let mut queue = RetryLoop::new("recorder, reading the queue's events");
    let mut database = RetryLoop::new("recorder, writing to the database");
    while !shutdown.is_cancelled() {
        // Not cut off by `shutdown`: entries that were given out and dropped would wait for a successor.
        let batches = match recorder.read(BLOCK).await {
            Ok(batches) => batches,
            Err(error) => {
                pause(queue.failed(&error), &shutdown).await;
                continue;
            }
        };
        queue.over();
        if batches.is_empty() {
            pulse.passed();
            continue;
        }
        let applied = loop {
            match store.job_apply_events(&batches).await {
                Ok(applied) => break applied,
                Err(error) => pause(database.failed(&error), &shutdown).await,
            }
            if shutdown.is_cancelled() {
                return;
            }
        };
        database.over();
        pulse.passed();
        report(&applied, &batches);
        dirty.add(applied.changes.iter().filter_map(AppliedChange::ended_in));
        wake_waiters(&store, &outcomes, &batches).await;
        if let Err(error) = recorder.ack(&batches).await {
            pause(queue.failed(&error), &shutdown).await;
        }
    }
}

async fn pause(pause: Duration, shutdown: &CancellationToken) {
    tokio::time::timeout(pause, shutdown.cancelled()).await.ok();
}

/// Answers the requests of this process that wait for one of these jobs. It goes by the events, not by what they changed:
/// the change may have been made by a predecessor that could not acknowledge it.
async fn wake_waiters(store: &Store, outcomes: &Outcomes, batches: &[EventBatch]) {
    let waited_for: Vec<JobId> = batches
        .iter()
        .flat_map(|batch| &batch.events)
        .filter_map(finished)
        .filter(|id| outcomes.is_waited_for(*id))
        .collect();
    match store.job_get_many(&waited_for).await {
        Ok(jobs) => {
            for job in jobs.into_iter().filter(|job| job.state.is_final()) {
                outcomes.resolve_job(job);
            }
        }
        Err(error) => {
            // The live feed asks again for each of them.
            tracing::warn!(error = %chain(&error), "could not read outcomes that requests wait for");
        }
    }
}

/// The job that the event brings to its end.
fn finished(event: &JobEvent) -> Option<JobId> {
    match event {
        JobEvent::Finished(finished) if !matches!(finished.outcome, Outcome::Retrying { .. }) => {
            Some(finished.id)
        }
        JobEvent::Cancelled { id, .. } => Some(*id),
        JobEvent::Finished(_)
        | JobEvent::Queued { .. }
        | JobEvent::QueuedMany { .. }
        | JobEvent::Started { .. }
        | JobEvent::Noted { .. }
        | JobEvent::Returned { .. }
        | JobEvent::Promoted { .. }
        | JobEvent::Again { .. } => None,
    }
}

/// Metrics and log of a batch.
fn report(applied: &Applied, batches: &[EventBatch]) {
    let mut lag = HashMap::new();
    for batch in batches {
        let seconds = lag.entry(batch.queue.to_string()).or_insert(0.0);
        *seconds = f64::max(*seconds, seconds_between(batch.at, Utc::now()));
    }
    for (queue, seconds) in lag {
        metrics::gauge!("spiral_record_lag_seconds", "queue" => queue).set(seconds);
    }
    for change in &applied.changes {
        report_change(change);
    }
    for (id, error) in &applied.refused {
        metrics::counter!("spiral_events_refused_total").increment(1);
        tracing::error!(job = %id, error = %chain(error), "the database refuses what happened to this job");
    }
}

fn report_change(applied: &AppliedChange) {
    let change = &applied.change;
    for attempt in &change.ended {
        let labels = [
            ("queue", change.queue.to_string()),
            ("function", attempt.function.clone()),
            ("state", attempt.state.to_string()),
        ];
        metrics::histogram!("spiral_job_duration_seconds", &labels)
            .record(seconds_between(attempt.started_at, attempt.finished_at));
        let counter = if attempt.state == JobState::Retrying {
            metrics::counter!("spiral_jobs_retried_total", &labels[..2])
        } else {
            metrics::counter!("spiral_jobs_finished_total", &labels)
        };
        counter.increment(1);
    }
    if let Some((last, waited)) = applied.waited() {
        let labels = [
            ("queue", change.queue.to_string()),
            ("function", last.function.clone()),
        ];
        metrics::histogram!("spiral_job_wait_seconds", &labels).record(waited.as_secs_f64());
    }
}

/// Never negative: two clocks may disagree.
fn seconds_between(from: DateTime<Utc>, to: DateTime<Utc>) -> f64 {
    (to - from).to_std().unwrap_or_default().as_secs_f64()
}
