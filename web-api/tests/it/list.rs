//! Lists of jobs: filters and the keyset cursor.

use chrono::Utc;
use jobs::{job::JobState, queue::events::JobEvent};
use web_api::store::{
    Store,
    job::{Job, JobFilter, NewJob},
};

use crate::support::{Database, batch, new_job, on_both_databases};

/// Walks all pages of a list.
async fn walk(store: &Store, filter: &JobFilter, limit: u64) -> Vec<Job> {
    let mut jobs = Vec::new();
    let mut cursor = None;
    loop {
        let page = store.job_list(filter, cursor, limit).await.unwrap();
        assert!(page.jobs.len() as u64 <= limit);
        jobs.extend(page.jobs);
        cursor = page.next;
        if cursor.is_none() {
            return jobs;
        }
    }
}

fn named(function: &str) -> NewJob {
    NewJob {
        function: function.to_owned(),
        ..new_job(1)
    }
}

on_both_databases! {
    async fn pages_join_without_gap_or_repeat(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let new: Vec<NewJob> = (0..25).map(new_job).collect();
        store.job_insert_many(&new).await.unwrap();

        let newest_first: Vec<_> = new.iter().rev().map(|job| job.id).collect();
        // Pages that end within, exactly at, and beyond the end of the list.
        for limit in [1, 5, 7, 25, 100] {
            let listed: Vec<_> = walk(&store, &JobFilter::default(), limit).await.iter().map(|job| job.id).collect();
            assert_eq!(listed, newest_first, "pages of {limit}");
        }
    }

    async fn jobs_that_arrive_during_the_walk_do_not_shift_it(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let old: Vec<NewJob> = (0..4).map(new_job).collect();
        store.job_insert_many(&old).await.unwrap();
        let first = store.job_list(&JobFilter::default(), None, 2).await.unwrap();
        store.job_insert_many(&[new_job(9)]).await.unwrap();
        let second = store.job_list(&JobFilter::default(), first.next, 2).await.unwrap();
        assert_eq!(second.jobs.iter().map(|job| job.id).collect::<Vec<_>>(), [old[1].id, old[0].id]);
        assert_eq!(second.next, None);
    }

    async fn filters_combine(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let new: Vec<NewJob> = ["a", "b", "a", "b", "a"].map(named).into();
        store.job_insert_many(&new).await.unwrap();
        let started = |job: &NewJob| JobEvent::Started { id: job.id, attempt: 1, worker: "w".to_owned(), started_at: Utc::now() };
        store.job_apply_events(&[batch(vec![started(&new[0]), started(&new[1])])]).await.unwrap();

        let ids = async |state: Option<JobState>, function: Option<&str>| {
            let filter = JobFilter { states: state.into_iter().collect(), function: function.map(str::to_owned), ..JobFilter::default() };
            let jobs = walk(&store, &filter, 2).await;
            jobs.iter().map(|job| new.iter().position(|new| new.id == job.id).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(ids(Some(JobState::Queued), None).await, [4, 3, 2]);
        assert_eq!(ids(None, Some("a")).await, [4, 2, 0]);
        assert_eq!(ids(Some(JobState::Running), Some("a")).await, [0]);
        assert!(ids(Some(JobState::Dead), None).await.is_empty());
        assert!(ids(None, Some("a' OR '1'='1")).await.is_empty());
    }
}
