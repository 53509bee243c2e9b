//! Jobs that the queue has lost.

use chrono::{TimeDelta, Utc};
use jobs::job::{JobId, JobState, Priority, QueueName};
use web_api::db::jobs::dispatch::Lane;
use web_api::db::jobs::{NewJob, Place};

use super::{apply, retrying, started};
use crate::support::{Database, dispatched, finished, new_job, on_both_databases};

on_both_databases! {
    async fn jobs_that_the_queue_has_lost_wait_again(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        // Of three attempts: queued, running the first, running the last, waiting for a retry, done.
        let new: Vec<NewJob> = (0..5).map(|index| dispatched(new_job(index))).collect();
        store.job_insert_many(&new).await.unwrap();
        let ids: Vec<JobId> = new.iter().map(|job| job.id).collect();
        apply(&store, vec![started(ids[1], 1), started(ids[2], 3), started(ids[3], 1), retrying(ids[3], 1),
                           finished(ids[4], 1)]).await;
        let read = async || {
            let mut jobs = store.job_get_many(&ids).await.unwrap();
            jobs.sort_by_key(|job| job.id);
            jobs
        };
        let before = Utc::now() - TimeDelta::minutes(1);
        assert_eq!(store.job_take_back(&ids, before).await.unwrap(), 4);
        let after = read().await;
        let states: Vec<_> = after.iter().map(|job| (job.state, job.attempt)).collect();
        assert_eq!(states, [
            (JobState::Queued, 0),
            (JobState::Queued, 1),
            // The attempt that was lost with the queue is given back, or none would be left.
            (JobState::Queued, 2),
            (JobState::Retrying, 1),
            (JobState::Completed, 1),
        ]);
        for job in &after[..4] {
            assert_eq!(job.envelope().attempt, job.attempt);
            assert_eq!(job.place, Place::Backlog);
        }
        // The next attempt is a new one for the row.
        apply(&store, vec![started(ids[1], 2), started(ids[2], 3)]).await;
        assert!(read().await[1..3].iter().all(|job| job.state == JobState::Running));
        // Rows that have been dispatched again meanwhile stay.
        let lane = Lane { priority: Priority::STANDARD, fairness_key: String::new() };
        let again = store.job_dispatch(&QueueName::standard(), &lane, None, 10).await.unwrap();
        assert_eq!(again.len(), 4);
        assert_eq!(store.job_take_back(&ids, before).await.unwrap(), 0);
    }
}
