//! What tests stand on: databases, a Redis, a proxy that can be cut, and waiting for a condition instead of sleeping.

pub(crate) mod binary;
pub(crate) mod database;
pub(crate) mod events;
pub(crate) mod proxy;
pub(crate) mod redis;
pub(crate) mod roles;
pub(crate) mod server;

use std::{
    future::Future,
    time::{Duration, Instant},
};

use chrono::Utc;
use jobs::{
    job::{JobId, QueueName},
    output::OutputSummary,
    queue::{
        Queues,
        events::{EventBatch, EventId, Finished, JobEvent, Outcome},
    },
};
use serde_json::{json, value::to_raw_value};
use web_api::store::{Store, job::NewJob};

pub(crate) use self::{
    database::{Database, TestDatabase},
    redis::RedisServer,
};

/// A store on a database of its own, a Redis of its own, and the queues on it.
pub(crate) struct TestEnv {
    pub(crate) store: Store,
    pub(crate) queues: Queues,
    pub(crate) queue: QueueName,
    pub(crate) database: Database,
    pub(crate) redis: RedisServer,
}

impl TestEnv {
    pub(crate) async fn new(kind: TestDatabase) -> Self {
        let redis = RedisServer::start();
        let database = Database::new(kind).await;
        Self {
            store: database.store().await,
            queues: Queues::connect(&redis.settings()).await.unwrap(),
            queue: QueueName::standard(),
            database,
            redis,
        }
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
    let deadline = Instant::now() + Duration::from_secs(30);
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
    NewJob {
        id: JobId::new(),
        function: "fibonacci".to_owned(),
        queue: QueueName::standard(),
        input: json!({ "index": index }),
        max_attempts: 3,
        timeout: Duration::from_mins(5),
        run_at: None,
        idempotency: None,
        unique: None,
        traceparent: None,
        batch: None,
    }
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
    let output = OutputSummary::of(&to_raw_value("2880067194370816120").unwrap());
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
    }))
}
