//! What events make of rows: in order, again, out of order, in one batch or in many, and with data that is refused.

mod data;
mod deleted;
mod lives;
mod lost;
mod order;

use chrono::{TimeDelta, Utc};
use jobs::job::{JobId, JobState};
use jobs::queue::events::{AttemptError, ErrorKind, EventBatch, JobEvent, Outcome, ReturnReason};
use web_api::db::Store;
use web_api::db::jobs::Job;

use crate::support::{batch, ended, new_job};

async fn added(store: &Store) -> JobId {
    let job = new_job(90);
    let id = job.id;
    store.job_insert_many(&[job]).await.unwrap();
    id
}

/// Applies the events one after the other and returns the row.
async fn after(store: &Store, id: JobId, events: &[JobEvent]) -> Job {
    for event in events {
        apply(store, vec![event.clone()]).await;
    }
    store.job_get(id).await.unwrap().unwrap()
}

async fn apply(store: &Store, events: Vec<JobEvent>) {
    let applied = store.job_apply_events(&[batch(events)]).await.unwrap();
    assert!(applied.refused.is_empty(), "{applied:?}");
}

fn started(id: JobId, attempt: u32) -> JobEvent {
    JobEvent::Started {
        id,
        attempt,
        worker: format!("worker-{attempt}"),
        started_at: Utc::now(),
    }
}

fn retrying(id: JobId, attempt: u32) -> JobEvent {
    let run_at = Utc::now() + TimeDelta::seconds(60);
    ended(
        id,
        attempt,
        Outcome::Retrying {
            error: failure(attempt),
            run_at,
            parked: false,
        },
    )
}

fn dead(id: JobId, attempt: u32) -> JobEvent {
    ended(
        id,
        attempt,
        Outcome::Dead {
            error: failure(attempt),
        },
    )
}

/// The same event of another job.
fn renamed(event: &JobEvent, to: JobId) -> JobEvent {
    let mut event = event.clone();
    match &mut event {
        JobEvent::Queued { id, .. }
        | JobEvent::Started { id, .. }
        | JobEvent::Noted { id, .. }
        | JobEvent::Returned { id, .. }
        | JobEvent::Cancelled { id, .. }
        | JobEvent::Promoted { id }
        | JobEvent::Again { id, .. } => *id = to,
        JobEvent::Finished(finished) => finished.id = to,
        JobEvent::QueuedMany { .. } => {}
    }
    event
}

fn failure(attempt: u32) -> AttemptError {
    AttemptError {
        kind: ErrorKind::Error,
        message: format!("attempt {attempt} failed"),
    }
}

fn returned(id: JobId, attempt: u32, reason: ReturnReason) -> JobEvent {
    JobEvent::Returned {
        id,
        attempt,
        reason,
        worker: "w".to_owned(),
    }
}

/// A promotion of a retry whose time, by the row, is a minute ahead: happens that much later.
fn promoted_in_time(id: JobId) -> EventBatch {
    EventBatch {
        at: Utc::now() + TimeDelta::seconds(61),
        ..batch(vec![JobEvent::Promoted { id }])
    }
}

fn summary(job: &Job) -> (JobState, u32, Option<&str>) {
    (
        job.state,
        job.attempt,
        job.error.as_ref().map(|error| error.message.as_str()),
    )
}
