//! Failures: jobs grouped by what their errors have in common.

use jobs::job::JobId;
use jobs::queue::events::{AttemptError, ErrorKind, JobEvent, Outcome};
use serde_json::json;
use web_api::db::jobs::NewJob;
use web_api::domain::job_filter::JobFilter;

use crate::support::server::TestServer;
use crate::support::{Database, batch, ended, finished, new_job, on_both_databases};

fn failed(id: JobId, attempt: u32, message: &str, dead: bool) -> JobEvent {
    let error = AttemptError {
        kind: ErrorKind::Error,
        message: message.to_owned(),
    };
    let outcome = if dead {
        Outcome::Dead { error }
    } else {
        Outcome::Retrying {
            error,
            run_at: chrono::Utc::now(),
            parked: false,
        }
    };
    ended(id, attempt, outcome)
}

on_both_databases! {
    async fn errors_that_differ_in_details_are_one_failure(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let new: Vec<NewJob> = (0..6).map(new_job).collect();
        store.job_insert_many(&new).await.unwrap();
        let batches = [batch(vec![
            failed(new[0].id, 1, "timed out after 5s", true),
            failed(new[1].id, 1, "timed out after 17s", true),
            failed(new[2].id, 1, "timed out after 1.5s", false),
            failed(new[3].id, 1, "refused", true),
            failed(new[4].id, 1, "timed out after 5s", false),
            finished(new[4].id, 2),
        ])];
        for _ in 0..2 {
            store.job_apply_events(&batches).await.unwrap();
        }
        let failures = store.failure_list(10).await.unwrap();
        let told: Vec<_> = failures.iter().map(|failure| (failure.pattern.as_str(), failure.jobs, failure.example)).collect();
        assert_eq!(told, [("timed out after <number>s", 3, new[2].id), ("refused", 1, new[3].id)]);
        assert_eq!((failures[0].function.as_str(), failures[0].kind.as_str()), ("fibonacci", "error"));
        assert!(failures[0].first_seen_at <= failures[0].last_seen_at);
        assert_eq!(store.failure_list(1).await.unwrap().len(), 1);

        // Its jobs are found by it, also within other bounds.
        let ids = async |search: String| {
            let filter: JobFilter = search.parse().unwrap();
            let page = store.job_list(&filter, None, 10).await.unwrap();
            page.jobs.iter().map(|job| job.id).collect::<Vec<_>>()
        };
        let fingerprint = failures[0].fingerprint;
        assert_eq!(ids(format!("failure:{fingerprint}")).await, [new[2].id, new[1].id, new[0].id]);
        assert_eq!(ids(format!("failure:{fingerprint} state:dead index>0")).await, [new[1].id]);

        // One that is retried does not count while it has a chance.
        store.job_retry(&new[3].queue, &[new[3].id], chrono::Utc::now()).await.unwrap();
        assert_eq!(store.failure_list(10).await.unwrap().len(), 1);
        // What no job has any more goes with its time.
        let future = chrono::Utc::now() + chrono::TimeDelta::hours(1);
        assert_eq!(store.failure_prune(future).await.unwrap(), 0, "their rows have them");
        store.job_apply_events(&[batch(vec![finished(new[3].id, 2)])]).await.unwrap();
        assert_eq!(store.failure_prune(future).await.unwrap(), 1);
    }

    async fn the_api_groups_what_failed(kind) {
        let server = TestServer::start(kind).await;
        let mut ids = Vec::new();
        for _ in 0..2 {
            let body = json!({"input": {"failures": 1, "how": "fatal", "output": 0}}).to_string();
            let made = server.post("/api/v1/functions/flaky/jobs?wait=30s", body).await.json();
            assert_eq!(made["state"], "dead");
            ids.push(made["id"].as_str().unwrap().to_owned());
        }
        let failures = server.get("/api/v1/failures").await.json();
        let failure = &failures["failures"][0];
        assert_eq!((&failure["function"], &failure["jobs"]), (&json!("flaky"), &json!(2)), "{failures}");
        assert_eq!(failure["example_job_id"], ids[1]);
        let query = format!("/api/v1/jobs?failure={}", failure["fingerprint"].as_str().unwrap());
        assert_eq!(server.get(&query).await.json()["jobs"].as_array().unwrap().len(), 2);
        server.get("/api/v1/failures?limit=0").await.problem(400, "invalid_parameter");
        server.get("/api/v1/jobs?failure=x").await.problem(400, "invalid_parameter");
    }
}
