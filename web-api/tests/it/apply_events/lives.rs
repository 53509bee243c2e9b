//! A job's life, in order.

use chrono::{SubsecRound, TimeDelta, Utc};
use jobs::job::JobState;
use jobs::queue::events::{JobEvent, Outcome, ReturnReason};
use serde_json::json;
use web_api::db::jobs::NewJob;

use super::{added, after, dead, promoted_in_time, retrying, returned, started, summary};
use crate::support::{Database, ended, finished, new_job, on_both_databases};

on_both_databases! {
    async fn a_job_that_succeeds_at_once(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let id = added(&store).await;

        let before = Utc::now().trunc_subsecs(3);
        let job = after(&store, id, &[started(id, 1)]).await;
        assert_eq!(summary(&job), (JobState::Running, 1, None));
        assert_eq!(job.worker.as_deref(), Some("worker-1"));
        assert!(job.started_at.unwrap() >= before && job.finished_at.is_none());

        let job = after(&store, id, &[finished(id, 1)]).await;
        assert_eq!(summary(&job), (JobState::Completed, 1, None));
        let output = job.output.unwrap();
        assert_eq!((output.size, output.length), (21, Some(19)));
        assert_eq!(output.json, Some(json!("2880067194370816120").into()));
        assert_eq!(output.preview, "2880067194370816120");
        assert!(job.finished_at.unwrap() >= job.started_at.unwrap());
    }

    async fn a_job_that_fails_succeeds_and_forgets_its_error(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let id = added(&store).await;

        let job = after(&store, id, &[started(id, 1), retrying(id, 1)]).await;
        assert_eq!(summary(&job), (JobState::Retrying, 1, Some("attempt 1 failed")));
        assert!(job.run_at.unwrap() > Utc::now() && job.finished_at.is_none());

        store.job_apply_events(&[promoted_in_time(id)]).await.unwrap();
        let job = after(&store, id, &[]).await;
        assert_eq!(summary(&job), (JobState::Queued, 1, Some("attempt 1 failed")));

        let job = after(&store, id, &[started(id, 2)]).await;
        assert_eq!(summary(&job), (JobState::Running, 2, Some("attempt 1 failed")));
        let job = after(&store, id, &[finished(id, 2)]).await;
        assert_eq!(summary(&job), (JobState::Completed, 2, None));
    }

    async fn a_job_that_gives_up_keeps_its_last_error(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let id = added(&store).await;
        let job = after(&store, id, &[started(id, 1), retrying(id, 1), started(id, 2), dead(id, 2)]).await;
        assert_eq!(summary(&job), (JobState::Dead, 2, Some("attempt 2 failed")));
        assert_eq!(job.error.unwrap().kind, "error");
        assert!(job.output.is_none() && job.finished_at.is_some());

        let id = added(&store).await;
        let job = after(&store, id, &[started(id, 1), retrying(id, 1), ended(id, 1, Outcome::Cancelled)]).await;
        assert_eq!(summary(&job), (JobState::Cancelled, 1, Some("attempt 1 failed")));
    }

    async fn a_scheduled_job_is_promoted_when_it_is_due(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let new = NewJob { run_at: Some(Utc::now() + TimeDelta::seconds(60)), ..new_job(1) };
        let id = new.id;
        store.job_insert_many(&[new]).await.unwrap();
        let job = after(&store, id, &[JobEvent::Promoted { id }]).await;
        assert_eq!(job.state, JobState::Scheduled, "a promotion of long ago");
        store.job_apply_events(&[promoted_in_time(id)]).await.unwrap();
        let job = after(&store, id, &[]).await;
        assert_eq!(summary(&job), (JobState::Queued, 0, None));
    }

    async fn a_job_that_is_given_back_waits_again(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let id = added(&store).await;
        // A worker that stops in order gives the attempt back with the job.
        let job = after(&store, id, &[started(id, 1), returned(id, 0, ReturnReason::Stopped)]).await;
        assert_eq!(summary(&job), (JobState::Queued, 0, None));
        let job = after(&store, id, &[started(id, 1)]).await;
        assert_eq!(summary(&job), (JobState::Running, 1, None));
        // One that vanishes has used it up.
        let job = after(&store, id, &[returned(id, 1, ReturnReason::Orphaned)]).await;
        assert_eq!(summary(&job), (JobState::Queued, 1, None));
        let job = after(&store, id, &[started(id, 2)]).await;
        assert_eq!(summary(&job), (JobState::Running, 2, None));
    }
}
