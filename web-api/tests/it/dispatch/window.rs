//! How much Redis holds, and that it never waits for more while there is more.

use std::time::{Duration, Instant};

use futures::future::join_all;
use web_api::{outcomes::Outcomes, reconcile::Wake};

use super::{SIZE, all_completed, backlog, each_ran_once, held, small, until_held, windows};
use crate::support::{TestEnv, on_both_databases, roles::Counted};

/// The most that Redis held in many looks, until `done`.
async fn peak(env: &TestEnv, done: impl Future<Output = ()>) -> u64 {
    let mut peak = 0;
    tokio::pin!(done);
    loop {
        tokio::select! {
            () = &mut done => return peak,
            held = held(env) => peak = peak.max(held),
        }
    }
}

on_both_databases! {
    async fn redis_holds_the_window_and_all_run_once_all_the_same(kind) {
        let env = small(kind).await;
        let (enqueuer, _enqueuing) = env.enqueuer(&env.store, &Wake::new());
        let _dispatcher = env.dispatch();
        let _recorder = env.record(&env.store, "one", &Outcomes::new(env.store.clone()));
        let mut ids = Vec::new();
        let calling = async {
            let answers = join_all((0..2_000).map(|number| enqueuer.enqueue(Counted::job(number)))).await;
            ids.extend(answers.into_iter().map(|answer| answer.unwrap().job.id));
            until_held(&env, SIZE).await;
        };
        let most = peak(&env, calling).await;
        // Up to a second window is for lanes that have hardly any jobs in Redis: here is one lane, which has.
        assert!(most <= SIZE, "Redis held {most} of a window of {SIZE}");

        let counted = Counted::default();
        let _worker = env.worker(&counted);
        let most = peak(&env, all_completed(&env, 2_000)).await;
        assert!(most <= SIZE, "Redis held {most} of a window of {SIZE}");
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
        until_held(&env, 100).await;
        let begin = Instant::now();
        for round in 1..=12 {
            counted.open(50);
            all_completed(&env, round * 50).await;
            until_held(&env, 100).await;
        }
        // Looks that come once a second would take 6 s, on average.
        assert!(begin.elapsed() < Duration::from_secs(4), "{:?}", begin.elapsed());
        counted.open(100);
        all_completed(&env, 700).await;
        each_ran_once(&counted, &ids);
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
        let most = peak(&env, all_completed(&env, 2_000)).await;
        assert!(most <= 600, "two processes that know nothing of each other filled in {most}");
        each_ran_once(&counted, &ids);
    }
}
