//! Where the next look begins: rows that come in behind that are dispatched all the same.

use web_api::{db::jobs::dispatch::Lane, services::outcome_waiters::Outcomes};

use super::{all_completed, backlog, insert, until_held, windows};
use crate::support::{TestEnv, on_both_databases, roles::Counted};

/// More than a dispatcher takes from a lane before it notes where it was.
const MANY: u64 = 1_200;

on_both_databases! {
    async fn rows_that_come_in_behind_what_was_dispatched_run_as_well(kind) {
        let mut env = TestEnv::new(kind).await;
        env.windows = windows(10_000, env.windows.settings().horizon);
        // Older by their ids, committed later: by another process, of which this one hears nothing.
        let late: Vec<_> = (0..20).map(Counted::job).collect();
        let known: Vec<_> = (0..20).map(Counted::job).collect();
        backlog(&env, MANY).await;
        let _dispatcher = env.dispatch();
        until_held(&env, MANY).await;
        insert(&env, &late).await;
        until_held(&env, MANY + 20).await;
        // And of which it hears.
        insert(&env, &known).await;
        env.windows.enqueued(&env.queue);
        until_held(&env, MANY + 40).await;

        // What Redis lost goes back with ids that are older than all.
        let lane = Lane { priority: late[0].priority, fairness_key: String::new() };
        assert!(env.store.job_dispatch(&env.queue, &lane, None, 1).await.unwrap().is_empty());
        let counted = Counted::default();
        let _recorder = env.record(&env.store, "one", &Outcomes::new(env.store.clone()));
        let _worker = env.worker(&counted);
        all_completed(&env, MANY + 40).await;
    }
}
