//! In which order the backlog comes into Redis: the oldest first, and no lane waits behind the backlog of another.

use std::collections::HashSet;

use futures::future::join_all;
use jobs::job::{JobId, Priority};
use web_api::db::jobs::NewJob;
use web_api::db::jobs::dispatch::Lane;
use web_api::services::outcome_waiters::Outcomes;
use web_api::services::reconciler::ReconcileRequest;

use super::{SIZE, all_completed, backlog, held, insert, small, until_held};
use crate::support::{eventually, noted::Noted, on_both_databases};

on_both_databases! {
    async fn the_oldest_is_first(kind) {
        let env = small(kind).await;
        let new: Vec<NewJob> = (0..300).map(|_| Noted::job(None)).collect();
        insert(&env, &new).await;
        let _dispatcher = env.dispatch();
        let _recorder = env.record(&env.store, "one", &Outcomes::new(env.store.clone()));
        let noted = Noted::default();
        let _worker = noted.worker(&env);
        all_completed(&env, 300).await;
        let expected: Vec<JobId> = new.iter().map(|job| job.id).collect();
        assert_eq!(noted.order(), expected);
    }

    async fn an_urgent_job_and_the_only_one_of_its_key_do_not_wait_behind_a_backlog(kind) {
        let env = small(kind).await;
        let (enqueuer, _enqueuing) = env.enqueuer(&env.store, &ReconcileRequest::new());
        let _dispatcher = env.dispatch();
        let _recorder = env.record(&env.store, "one", &Outcomes::new(env.store.clone()));
        let many = join_all((0..2_000).map(|_| enqueuer.enqueue(Noted::job(Some("many"))))).await;
        assert!(many.iter().all(Result::is_ok));
        until_held(&env, SIZE).await;
        let urgent = NewJob { priority: Priority::FIRST, ..Noted::job(Some("many")) };
        let urgent = enqueuer.enqueue(urgent).await.unwrap().job.id;
        let only = enqueuer.enqueue(Noted::job(Some("few"))).await.unwrap().job.id;
        // The window is full, and they are let in.
        let let_in = async || {
            let unknown = env.queues.unknown(&env.queue, &[urgent, only]).await.unwrap();
            unknown.is_empty().then_some(())
        };
        eventually("both are in Redis", let_in).await;
        assert_eq!(held(&env).await, SIZE + 2, "and nobody else");

        let noted = Noted::default();
        let _worker = noted.worker(&env);
        all_completed(&env, 2_002).await;
        assert_eq!(noted.place(urgent), 0);
        let place = noted.place(only);
        // Two lanes in turns: not behind the window, and far from behind the backlog.
        assert!(place < usize::try_from(SIZE).unwrap(), "it was number {place} of 2,002");
    }

    async fn each_row_is_taken_once_however_many_take(kind) {
        let env = small(kind).await;
        let ids = backlog(&env, 2_000).await;
        let lane = Lane { priority: Priority::STANDARD, fairness_key: String::new() };
        let takers = (0..4).map(|_| {
            let (store, queue, lane) = (env.store.clone(), env.queue.clone(), lane.clone());
            tokio::spawn(async move {
                let mut taken = Vec::new();
                loop {
                    let some = store.job_dispatch(&queue, &lane, None, 30).await.unwrap();
                    assert!(some.len() <= 30, "{} at once", some.len());
                    assert!(some.is_sorted_by_key(|job| job.id), "the oldest of them first");
                    if some.is_empty() {
                        return taken;
                    }
                    taken.extend(some.into_iter().map(|job| job.id));
                }
            })
        });
        let mut taken = Vec::new();
        for taker in join_all(takers).await {
            taken.extend(taker.unwrap());
        }
        assert_eq!(taken.len(), ids.len(), "none twice");
        assert_eq!(taken.into_iter().collect::<HashSet<_>>(), ids.into_iter().collect());
    }
}
