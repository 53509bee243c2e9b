//! Many rows at once, outputs of every shape, and data that a database refuses.

use jobs::job::{JobId, JobState};
use jobs::output::{INLINE_MAX, OutputSummary};
use jobs::queue::events::{AttemptError, ErrorKind, JobEvent, Outcome};
use serde_json::json;
use serde_json::value::to_raw_value;
use web_api::db::jobs::NewJob;

use super::{added, after, summary};
use crate::store::refuse;
use crate::support::{Database, batch, ended, finished, new_job, on_both_databases, unfinished};

on_both_databases! {
    async fn a_batch_is_split_over_statements_and_unknown_jobs_do_not_matter(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let new: Vec<NewJob> = (0..1_100).map(new_job).collect();
        store.job_insert_many(&new).await.unwrap();
        let known = new.iter().map(|job| finished(job.id, 1));
        let unknown = (0..100).map(|_| finished(JobId::new(), 1));
        let events: Vec<JobEvent> = known.chain(unknown).collect();
        let applied = store.job_apply_events(&[batch(events.clone())]).await.unwrap();
        assert_eq!(applied.changes.len(), new.len());
        assert!(unfinished(&store, None).await.is_empty());
        let again = store.job_apply_events(&[batch(events)]).await.unwrap();
        assert!(again.changes.is_empty(), "what is counted is counted once");
    }

    async fn outputs_of_every_shape_are_kept(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        for output in [
            json!(null), json!(0), json!(-1.5), json!(""), json!("\u{0} nul \\u0000 ä 🦀"), json!([1, {"a": "\u{0}"}]),
            json!({"b": 1, "a": [true]}), json!("7".repeat(INLINE_MAX)), json!("9".repeat(100_000)),
        ] {
            let id = added(&store).await;
            let summary = OutputSummary::of(to_raw_value(&output).unwrap());
            let whole = summary.json().is_some();
            let job = after(&store, id, &[ended(id, 1, Outcome::Completed { output: summary.clone() })]).await;
            assert_eq!(job.state, JobState::Completed);
            let stored = job.output.unwrap();
            assert_eq!((stored.size, stored.length), (summary.size(), summary.length()));
            // The character that PostgreSQL's JSON cannot hold, on either database: the queue has that output.
            let not_kept = whole && jobs::json::check(&output.to_string()).is_err();
            if not_kept {
                assert!(stored.preview.starts_with("The output is not recorded: "), "{}", stored.preview);
            } else {
                assert_eq!(stored.preview, summary.preview());
            }
            assert_eq!(stored.json, (whole && !not_kept).then(|| output.into()));
        }
    }

    async fn refused_data_costs_its_job_the_data_and_its_neighbours_nothing(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        refuse(&database, kind, "BEFORE UPDATE", "error_message", "poison").await;
        let new: Vec<NewJob> = (0..600).map(new_job).collect();
        store.job_insert_many(&new).await.unwrap();
        let events = new.iter().enumerate().map(|(at, job)| {
            let message = if at % 250 == 3 { "poison" } else { "plain" }.to_owned();
            ended(job.id, 1, Outcome::Dead { error: AttemptError { kind: ErrorKind::Error, message } })
        });
        let applied = store.job_apply_events(&[batch(events.collect())]).await.unwrap();
        let mut refused: Vec<JobId> = applied.refused.iter().map(|(id, _)| *id).collect();
        refused.sort_unstable();
        assert_eq!(refused, [new[3].id, new[253].id, new[503].id]);
        assert_eq!(applied.changes.len(), 597);
        // Were its state refused too, the reconciler would run it again and again.
        assert!(unfinished(&store, None).await.is_empty());
        let job = store.job_get(new[3].id).await.unwrap().unwrap();
        assert_eq!(summary(&job), (JobState::Dead, 1, Some("the database refused the message")));
    }
}
