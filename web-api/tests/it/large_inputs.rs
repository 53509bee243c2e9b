//! Large inputs: what Redis, a commit and this process hold of them at the same time is bounded in bytes.

use futures::future::join_all;
use jobs::queue::Limits;
use serde_json::json;
use web_api::db::jobs::NewJob;
use web_api::services::dispatcher::window::{WindowSettings, Windows};
use web_api::services::enqueuer::EnqueueError;
use web_api::services::outcome_waiters::Outcomes;
use web_api::services::reconciler::ReconcileRequest;

use crate::support::{
    TestDatabase, TestEnv, database::until_completed, eventually, on_both_databases, roles::Counted,
};

const MEBIBYTE: usize = 1 << 20;

fn large(number: u64) -> NewJob {
    NewJob {
        input: json!({ "number": number, "ballast": "x".repeat(MEBIBYTE) }).into(),
        ..Counted::job(number)
    }
}

fn peak(env: &TestEnv) -> u64 {
    let info = env.redis.ask("INFO memory");
    let peak = info
        .lines()
        .find_map(|line| line.strip_prefix("used_memory_peak:"));
    peak.unwrap().parse().unwrap()
}

on_both_databases! {
    async fn redis_holds_a_window_of_bytes_and_all_run_all_the_same(kind) {
        const JOBS: u64 = 120;
        let mut env = TestEnv::new(kind).await;
        env.windows = Windows::new(WindowSettings { bytes: 8 << 20, ..WindowSettings::default() });
        let (enqueuer, _enqueuing) = env.enqueuer(&env.store, &ReconcileRequest::new());
        let _dispatcher = env.dispatch();
        let _recorder = env.record(&env.store, "one", &Outcomes::new(env.store.clone()));
        let paused = Limits { paused: true, ..Limits::default() };
        env.queues.set_limits(&env.queue, &paused).await.unwrap();
        let mut ids = Vec::new();
        for from in (0..JOBS).step_by(20) {
            let answers = join_all((from..from + 20).map(|number| enqueuer.enqueue(large(number)))).await;
            ids.extend(answers.into_iter().map(|answer| answer.unwrap().job.id));
        }
        eventually("the window is full", async || {
            let bytes = env.queues.bytes(&env.queue).await.unwrap()?;
            (bytes > 7 << 20).then_some(())
        })
        .await;
        env.queues.set_limits(&env.queue, &Limits::default()).await.unwrap();
        let counted = Counted::default();
        let _worker = env.worker(&counted);
        until_completed(&env.database, JOBS).await;
        assert!(ids.iter().all(|id| counted.runs(*id) == 1));
        // The window, a batch that was under way, and the buffers of those who read and write.
        let peak = peak(&env);
        assert!(peak < 60 << 20, "Redis held {peak} bytes");
    }
}

/// All callers come before the first commit, since there is one thread.
#[tokio::test]
async fn so_many_bytes_wait_for_their_commit_and_no_more() {
    let env = TestEnv::new(TestDatabase::Sqlite).await;
    let (enqueuer, _enqueuing) = env.enqueuer(&env.store, &ReconcileRequest::new());
    let answers = join_all((0..160).map(|number| enqueuer.enqueue(large(number)))).await;
    let (taken, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert!((120..=128).contains(&taken.len()), "{}", taken.len());
    assert!(
        refused
            .iter()
            .all(|answer| matches!(answer, Err(EnqueueError::Full)))
    );
    // They have made room.
    enqueuer.enqueue(large(1)).await.unwrap();
}
