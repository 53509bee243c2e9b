//! What Redis needs: as much for a long backlog as for a window, and after the drain as little as before.

use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use jobs::{
    catalog::Catalog,
    job::JobState,
    queue::{Limits, RedisSettings},
    worker::{self, WorkerSettings},
};
use web_api::services::dispatcher::window::{WindowSettings, Windows};
use web_api::services::outcome_waiters::Outcomes;
use web_api::services::reconciler::ReconcileRequest;

use crate::support::{
    RedisServer, TestDatabase, TestEnv,
    database::{count_jobs, until_completed},
    eventually,
    roles::{Counted, Role},
};

const SIZE: u64 = 500;
const MANY: u64 = 20_000;
/// Two looks at the same Redis differ by buffers of its clients and the spare room of its tables. Each job that waits
/// costs it 170 bytes: if it held all of them, it would be 3 MB.
const NOISE: u64 = 384 << 10;

/// The number behind `name` in the answer to a question.
fn number(redis: &RedisServer, question: &str, name: &str) -> u64 {
    let answer = redis.ask(question);
    let line = answer.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("{question}: {answer}"))
}

/// Bytes without the events, which have a bound of their own.
fn used(redis: &RedisServer) -> u64 {
    let all = number(redis, "INFO memory", "used_memory:");
    all - number(redis, "MEMORY USAGE spiral:{default}:events SAMPLES 0", ":")
}

/// The least of several looks: what its clients have in their buffers comes and goes.
async fn settled(redis: &RedisServer) -> u64 {
    let mut least = u64::MAX;
    for _ in 0..20 {
        least = least.min(used(redis));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    least
}

/// Waits until the outputs are over, and drops the events, which go two minutes after they are recorded.
async fn forget(env: &TestEnv) {
    let over = async || (!env.redis.ask("KEYS *").contains("outputs")).then_some(());
    eventually("the outputs are over", over).await;
    env.redis.ask("XTRIM spiral:{default}:events MAXLEN 0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_backlog_costs_redis_no_more_than_a_window() {
    let mut env = TestEnv::new(TestDatabase::Sqlite).await;
    env.windows = Windows::new(WindowSettings {
        size: SIZE,
        ..WindowSettings::default()
    });
    // On a busy machine it would fill up with whole commands.
    env.redis.ask("CONFIG SET slowlog-log-slower-than -1");
    let (enqueuer, _enqueuing) = env.enqueuer(&env.store, &ReconcileRequest::new());
    let _dispatcher = env.dispatch();
    let _recorder = env.record(&env.store, "one", &Outcomes::new(env.store.clone()));
    let paused = Limits {
        paused: true,
        ..Limits::default()
    };
    env.queues.set_limits(&env.queue, &paused).await.unwrap();
    let settings = WorkerSettings {
        redis: RedisSettings {
            // Outputs go while the test looks on.
            result_ttl: Duration::from_secs(2),
            ..env.redis.settings()
        },
        ..WorkerSettings::default()
    };
    let catalog = Arc::new(Catalog::empty().with(Counted::default()).unwrap());
    let _worker = Role::start(async move |stop| worker::run(settings, catalog, stop).await.unwrap());
    let enqueue = async |from: u64, to: u64| {
        for from in (from..to).step_by(500) {
            let answers =
                join_all((from..from + 500).map(|number| enqueuer.enqueue(Counted::job(number)))).await;
            assert!(answers.iter().all(Result::is_ok));
        }
        let full = async || {
            let (held, _) = env.queues.waiting(&env.queue, &[]).await.unwrap();
            (held == SIZE).then_some(())
        };
        eventually("the window is full", full).await;
    };
    let there = async || (env.queues.depth(&env.queue).await.unwrap().workers == 1).then_some(());
    eventually("the worker is there", there).await;

    // Redis has its scripts, and the room to run them in, from the first jobs on.
    enqueue(0, SIZE).await;
    let go_on = Limits::default();
    env.queues.set_limits(&env.queue, &go_on).await.unwrap();
    until_completed(&env.database, SIZE).await;
    env.queues.set_limits(&env.queue, &paused).await.unwrap();
    forget(&env).await;

    let before = settled(&env.redis).await;
    enqueue(0, SIZE).await;
    let few = settled(&env.redis).await;
    enqueue(SIZE, MANY).await;
    let rows = env.database.connect().await;
    assert_eq!(count_jobs(&rows, JobState::Queued).await, MANY);
    let many = settled(&env.redis).await;
    let figures = format!("bytes: {before} empty, {few} with {SIZE} jobs, {many} with {MANY}");
    assert!(few > before + SIZE * 100, "the jobs are not in it; {figures}");
    assert!(many < few + NOISE, "{figures}");

    env.queues.set_limits(&env.queue, &go_on).await.unwrap();
    until_completed(&env.database, SIZE + MANY).await;
    forget(&env).await;
    let after = settled(&env.redis).await;
    assert!(after < before + NOISE, "{figures}, {after} after the drain");
}
