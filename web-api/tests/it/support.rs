//! What tests stand on: databases, a Redis, a proxy that can be cut, and waiting for a condition instead of sleeping.

pub(crate) mod binary;
pub(crate) mod cluster;
pub(crate) mod database;
pub(crate) mod events;
pub(crate) mod noted;
#[path = "../../../migrations/tests/it/support/pgbouncer.rs"]
pub(crate) mod pgbouncer;
pub(crate) mod proxy;
pub(crate) mod redis;
pub(crate) mod roles;
pub(crate) mod server;

use std::{
    future::Future,
    time::{Duration, Instant},
};

use chrono::{SubsecRound as _, TimeDelta, Utc};
use jobs::{
    job::{JobId, QueueName},
    output::OutputSummary,
    queue::{
        Limits, Queues,
        events::{EventBatch, EventId, Finished, JobEvent, Notes, Outcome},
    },
};
use serde_json::{json, value::to_raw_value};
use web_api::db::Store;
use web_api::db::jobs::{NewJob, Place};
use web_api::domain::job_filter::JobFilter;
use web_api::services::dispatcher::window::{WindowSettings, Windows};
use web_api::services::progress_marker::ProgressMarker;

pub(crate) use self::{
    database::{Database, TestDatabase},
    redis::RedisServer,
};

/// A store on a database of its own, a Redis of its own, and the queues on it.
pub(crate) struct TestEnv {
    pub(crate) store: Store,
    pub(crate) queues: Queues,
    pub(crate) queue: QueueName,
    pub(crate) windows: Windows,
    /// The recorders'.
    pub(crate) pulse: ProgressMarker,
    pub(crate) database: Database,
    pub(crate) redis: RedisServer,
}

impl TestEnv {
    pub(crate) async fn new(kind: TestDatabase) -> Self {
        let redis = RedisServer::start();
        let database = Database::new(kind).await;
        let env = Self {
            store: database.store().await,
            queues: Queues::connect(&redis.settings()).await.unwrap(),
            queue: QueueName::standard(),
            windows: Windows::new(WindowSettings::default()),
            pulse: ProgressMarker::default(),
            database,
            redis,
        };
        env.no_limits().await;
        env
    }

    /// Says, as a process of the API does, that the queue has no limits: until then workers are given nothing.
    pub(crate) async fn no_limits(&self) {
        let limits = Limits::default();
        eventually("the queue has its limits", async || {
            self.queues.set_limits(&self.queue, &limits).await.ok()
        })
        .await;
    }
}

/// Makes each function a module with one test for each database: `name::postgres` and `name::sqlite`.
macro_rules! on_both_databases {
    ($($(#[$meta:meta])* async fn $name:ident($database:ident) $body:block)+) => {$(
        mod $name {
            use super::*;

            async fn test($database: $crate::support::TestDatabase) $body

            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                test($crate::support::TestDatabase::Postgres).await;
            }

            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                test($crate::support::TestDatabase::Sqlite).await;
            }
        }
    )+};
}
pub(crate) use on_both_databases;

/// Waits until `condition` gives a value.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut condition: impl FnMut() -> F,
) -> T {
    let deadline = Instant::now() + Duration::from_mins(2);
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A Fibonacci job.
pub(crate) fn new_job(index: u64) -> NewJob {
    let input = json!({ "index": index });
    NewJob::new(
        "fibonacci".to_owned(),
        QueueName::standard(),
        input,
        3,
        Duration::from_mins(5),
    )
}

/// One that Redis should hold for ten minutes already.
pub(crate) fn dispatched(job: NewJob) -> NewJob {
    NewJob {
        place: Place::Window(Utc::now().trunc_subsecs(3) - TimeDelta::minutes(10)),
        ..job
    }
}

/// All jobs without an outcome that are younger than `after`, oldest first.
pub(crate) async fn unfinished(store: &Store, after: Option<JobId>) -> Vec<JobId> {
    let mut jobs = Vec::new();
    let mut cursor = None;
    loop {
        let page = store.job_list(&JobFilter::default(), cursor, 500).await.unwrap();
        jobs.extend(
            page.jobs
                .iter()
                .filter(|job| !job.state.is_final())
                .map(|job| job.id),
        );
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    jobs.retain(|id| after.is_none_or(|after| *id > after));
    jobs.reverse();
    jobs
}

/// An entry of the outcome stream, as of now.
pub(crate) fn batch(events: Vec<JobEvent>) -> EventBatch {
    EventBatch {
        id: EventId::default(),
        queue: QueueName::standard(),
        at: Utc::now(),
        events,
    }
}

/// A job completes with "2880067194370816120".
pub(crate) fn finished(id: JobId, attempt: u32) -> JobEvent {
    let output = OutputSummary::of(to_raw_value("2880067194370816120").unwrap());
    ended(id, attempt, Outcome::Completed { output })
}

pub(crate) fn ended(id: JobId, attempt: u32, outcome: Outcome) -> JobEvent {
    let now = Utc::now();
    JobEvent::Finished(Box::new(Finished {
        id,
        attempt,
        function: "fibonacci".to_owned(),
        worker: format!("worker-{attempt}"),
        started_at: now,
        finished_at: now,
        outcome,
        notes: Notes::default(),
    }))
}
