//! The window of each queue in Redis, and the backlog behind it in SQL.

mod cancelled;
mod crash;
mod marks;
mod order;
mod parked;
mod window;

use std::time::{Duration, Instant};

use jobs::job::JobId;
use web_api::db::jobs::NewJob;
use web_api::services::dispatcher::window::{WindowSettings, Windows};

use crate::support::{TestDatabase, TestEnv, database::until_completed, roles::Counted};

/// Jobs that Redis may hold.
const SIZE: u64 = 50;

/// With a small window.
async fn small(kind: TestDatabase) -> TestEnv {
    let mut env = TestEnv::new(kind).await;
    env.windows = windows(SIZE, WindowSettings::default().horizon);
    env
}

fn windows(size: u64, horizon: Duration) -> Windows {
    Windows::new(WindowSettings {
        size,
        horizon,
        ..WindowSettings::default()
    })
}

/// Rows of the backlog, which no process has heard of.
async fn backlog(env: &TestEnv, count: u64) -> Vec<JobId> {
    let new: Vec<NewJob> = (0..count).map(Counted::job).collect();
    insert(env, &new).await;
    new.iter().map(|job| job.id).collect()
}

async fn insert(env: &TestEnv, new: &[NewJob]) {
    for jobs in new.chunks(500) {
        env.store.job_insert_many(jobs).await.unwrap();
    }
}

/// Jobs in Redis: waiting, scheduled and running.
async fn held(env: &TestEnv) -> u64 {
    env.queues.waiting(&env.queue, &[]).await.unwrap().0
}

async fn until_held(env: &TestEnv, count: u64) {
    let deadline = Instant::now() + Duration::from_mins(2);
    loop {
        let held = held(env).await;
        if held == count {
            return;
        }
        assert!(Instant::now() < deadline, "Redis holds {held}, not {count}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn all_completed(env: &TestEnv, count: u64) {
    until_completed(&env.database, count).await;
}

fn each_ran_once(counted: &Counted, ids: &[JobId]) {
    let others: Vec<(JobId, u32)> = ids
        .iter()
        .map(|id| (*id, counted.runs(*id)))
        .filter(|(_, runs)| *runs != 1)
        .collect();
    assert!(
        others.is_empty(),
        "runs of those that did not run once: {others:?}"
    );
}
