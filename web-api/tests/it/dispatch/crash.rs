//! A dispatcher that ends between the mark of a row and its push loses nothing: the reconciler takes the row back.

use std::time::Duration;

use jobs::job::Priority;
use web_api::db::jobs::Place;
use web_api::db::jobs::dispatch::Lane;
use web_api::services::outcome_waiters::Outcomes;
use web_api::services::reconciler::ReconcileRequest;

use super::{all_completed, backlog, each_ran_once, held, small};
use crate::support::{on_both_databases, roles::Counted};

on_both_databases! {
    async fn rows_that_were_marked_and_never_pushed_run(kind) {
        let env = small(kind).await;
        let ids = backlog(&env, 20).await;
        let lane = Lane { priority: Priority::STANDARD, fairness_key: String::new() };
        let marked = env.store.job_dispatch(&env.queue, &lane, None, 10).await.unwrap();
        assert!(marked.len() == 10 && marked.iter().all(|job| matches!(job.place, Place::Window(_))));
        assert_eq!(held(&env).await, 0);

        let _dispatcher = env.dispatch();
        let _recorder = env.record(&env.store, "one", &Outcomes::new(env.store.clone()));
        let _reconciler = env.reconcile(&ReconcileRequest::new(), Duration::from_millis(300));
        let counted = Counted::default();
        let _worker = env.worker(&counted);
        all_completed(&env, 20).await;
        each_ran_once(&counted, &ids);
    }

    /// Dropped at whatever it does just then, as a crash would, again and again.
    async fn a_dispatcher_that_dies_anywhere_loses_nothing_and_doubles_nothing(kind) {
        let env = small(kind).await;
        let ids = backlog(&env, 1_500).await;
        let _recorder = env.record(&env.store, "one", &Outcomes::new(env.store.clone()));
        let counted = Counted::default();
        let _worker = env.worker(&counted);
        for crash in 0..30 {
            let dispatcher = env.dispatch();
            tokio::time::sleep(Duration::from_micros(500 + crash * 700)).await;
            drop(dispatcher);
        }
        let _dispatcher = env.dispatch();
        // Older than a push can be under way: those of the dead ones are over.
        let _reconciler = env.reconcile(&ReconcileRequest::new(), Duration::from_secs(2));
        all_completed(&env, 1_500).await;
        each_ran_once(&counted, &ids);
    }
}
