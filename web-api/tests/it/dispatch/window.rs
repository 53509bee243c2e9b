//! How much Redis holds, and that it never waits for more while there is more.

use std::time::Duration;

use futures::future::join_all;
use web_api::services::outcome_waiters::Outcomes;
use web_api::services::reconciler::ReconcileRequest;

use super::{SIZE, all_completed, backlog, each_ran_once, held, small, until_held, windows};
use crate::support::{TestEnv, eventually, on_both_databases, roles::Counted};

/// The most that Redis held in many looks, until `done`.
async fn peak(env: &TestEnv, done: impl Future<Output = ()>) -> u64 {
    let mut peak = 0;
    tokio::pin!(done);
    loop {
        tokio::select! {
            () = &mut done => return peak,
            held = look(env) => peak = peak.max(held),
        }
    }
}

async fn look(env: &TestEnv) -> u64 {
    tokio::time::sleep(Duration::from_millis(1)).await;
    held(env).await
}

/// How often Redis has been asked for the length of a hash, and of a list: a dispatcher that looks for jobs asks for both,
/// one that waits for room for the first alone.
fn questions(env: &TestEnv) -> (u64, u64) {
    let statistics = env.redis.ask("INFO commandstats");
    let calls = |command: &str| {
        let line = statistics
            .lines()
            .find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
        line.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap())
    };
    (calls("hlen"), calls("llen"))
}

on_both_databases! {
    async fn redis_holds_the_window_and_all_run_once_all_the_same(kind) {
        let env = small(kind).await;
        let (enqueuer, _enqueuing) = env.enqueuer(&env.store, &ReconcileRequest::new());
        let _dispatcher = env.dispatch();
        let _recorder = env.record(&env.store, "one", &Outcomes::new(env.store.clone()));
        let mut ids = Vec::new();
        let calling = async {
            let answers = join_all((0..2_000).map(|number| enqueuer.enqueue(Counted::job(number)))).await;
            ids.extend(answers.into_iter().map(|answer| answer.unwrap().job.id));
            until_held(&env, SIZE).await;
        };
        let most = peak(&env, calling).await;
        // More than the window is for lanes of which hardly any jobs wait in Redis: here is one lane, of which all do.
        assert!(most <= SIZE, "Redis held {most} of a window of {SIZE}");

        let counted = Counted::default();
        let _worker = env.worker(&counted);
        let most = Box::pin(peak(&env, all_completed(&env, 2_000))).await;
        assert!(most <= SIZE * 2, "Redis held {most} of a window of {SIZE}, and those of a lane of which all run");
        each_ran_once(&counted, &ids);
        assert_eq!(held(&env).await, 0);
    }

    async fn places_that_become_free_are_taken_at_once(kind) {
        let mut env = TestEnv::new(kind).await;
        // Twice as many as the worker runs: else all of the window would run, and a lane of which nobody waits gets more.
        env.windows = windows(100, Duration::from_mins(1));
        let ids = backlog(&env, 700).await;
        let _dispatcher = env.dispatch();
        let _recorder = env.record(&env.store, "one", &Outcomes::new(env.store.clone()));
        let counted = Counted::gated();
        let _worker = env.worker(&counted);
        for round in 1..=12 {
            until_held(&env, 100).await;
            counted.open(50);
            let begun = || ids.iter().map(|id| counted.runs(*id)).sum::<u32>();
            eventually("the next 50 run", async || (begun() >= (round + 1) * 50).then_some(())).await;
        }
        counted.open(100);
        all_completed(&env, 700).await;
        each_ran_once(&counted, &ids);
    }

    /// Looks for jobs come once a second, which would be too seldom for a window that runs dry within one.
    async fn a_dispatcher_that_waits_for_room_asks_for_nothing_else_meanwhile(kind) {
        let env = small(kind).await;
        backlog(&env, 100).await;
        let _dispatcher = env.dispatch();
        until_held(&env, SIZE).await;
        let before = questions(&env);
        eventually("it asks for room alone", async || {
            let after = questions(&env);
            let (hashes, lists) = (after.0 - before.0, after.1 - before.1);
            (hashes > lists + 10).then_some(())
        })
        .await;
    }

    async fn two_dispatchers_hand_each_row_over_once(kind) {
        let mut env = TestEnv::new(kind).await;
        let ids = backlog(&env, 2_000).await;
        env.windows = windows(300, Duration::from_mins(1));
        let _one = env.dispatch();
        env.windows = windows(300, Duration::from_mins(1));
        let _two = env.dispatch();
        let _recorder = env.record(&env.store, "one", &Outcomes::new(env.store.clone()));
        let counted = Counted::default();
        let _worker = env.worker(&counted);
        let most = Box::pin(peak(&env, all_completed(&env, 2_000))).await;
        assert!(most <= 600, "two processes that know nothing of each other filled in {most}");
        each_ran_once(&counted, &ids);
    }
}
