//! Jobs of a queue that left `SPIRAL_QUEUES`: they are told, and people can do with them what they can do with others.

use std::time::Duration;

use chrono::{SubsecRound as _, Utc};
use jobs::job::{JobId, QueueName};
use reqwest::Method;
use serde_json::{Value, json};
use web_api::db::batches::insert::NewBatch;
use web_api::db::jobs::{Job, NewJob, Place};
use web_api::domain::ids::BatchId;

use crate::support::server::{ApiResponse, TestServer};
use crate::support::{eventually, on_both_databases};

const OLD: &str = "mail";

fn job(number: usize, place: Place) -> NewJob {
    NewJob {
        place,
        ..NewJob::new(
            "echo".to_owned(),
            OLD.parse().unwrap(),
            json!(number),
            3,
            Duration::from_mins(5),
        )
    }
}

/// What the setting before has left: jobs that Redis holds, jobs that it has lost, and jobs that SQL keeps.
async fn leave(server: &TestServer, in_redis: usize, lost: usize, kept: usize) -> Vec<JobId> {
    let queue: QueueName = OLD.parse().unwrap();
    let dispatched = Utc::now().trunc_subsecs(3);
    let window = (0..in_redis + lost).map(|number| job(number, Place::Window(dispatched)));
    let jobs: Vec<NewJob> = window
        .chain((0..kept).map(|number| job(number, Place::Backlog)))
        .collect();
    let store = server.database.store().await;
    store.job_insert_many(&jobs).await.unwrap();
    let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
    let rows = store.job_get_many(&ids[..in_redis]).await.unwrap();
    let envelopes: Vec<_> = rows.iter().map(Job::envelope).collect();
    server.queues().await.push(&queue, &envelopes).await.unwrap();
    ids
}

async fn act(server: &TestServer, action: &str) -> Value {
    let body = json!({"action": action, "filter": format!("queue:{OLD}")});
    let begun = server.post("/api/v1/jobs/actions", body.to_string()).await;
    assert!(begun.status.is_success(), "{}", begun.text);
    let path = format!("/api/v1/jobs/actions/{}", begun.json()["id"].as_str().unwrap());
    eventually(&format!("{action} comes to its end"), || async {
        let action = server.get(&path).await.json();
        (action["state"] == "finished").then_some(action)
    })
    .await
}

async fn trouble(server: &TestServer) -> Option<String> {
    let overview = server.get("/api/v1/overview").await.json();
    let troubles = overview["troubles"].as_array().unwrap().clone();
    let mut told = troubles
        .into_iter()
        .filter(|trouble| trouble["kind"] == "queue_removed" && trouble["queue"] == OLD);
    told.next()
        .map(|trouble| trouble["message"].as_str().unwrap().to_owned())
}

on_both_databases! {
    async fn jobs_of_a_queue_that_left_the_settings_are_told_and_can_be_cancelled(database) {
        let server = TestServer::idle(database).await;
        let ids = leave(&server, 600, 5, 5).await;
        let expected = "Queue mail is no longer in SPIRAL_QUEUES; 610 jobs wait in it. Add it again or cancel them.";
        assert_eq!(trouble(&server).await.as_deref(), Some(expected));

        // Each kind alone: the answer tells the truth.
        for id in [ids[0], ids[600], ids[605]] {
            let path = format!("/api/v1/jobs/{id}");
            let run = server.post(&format!("{path}/run-now"), "").await;
            run.problem(409, "queue_removed");
            let job = eventually("it is cancelled", || async {
                let answer = server.post(&format!("{path}/cancel"), "").await;
                assert!(matches!(answer.status.as_u16(), 200 | 202 | 503), "{}", answer.text);
                (answer.status == 200).then(|| answer.json())
            })
            .await;
            assert_eq!(job["state"], "cancelled");
        }

        // All that are left at once.
        let action = act(&server, "cancel").await;
        assert_eq!(action["changed"], 607, "{action}");
        eventually("nothing waits", || async { trouble(&server).await.is_none().then_some(()) }).await;

        // They do not wait again where nobody takes them.
        let job = format!("/api/v1/jobs/{}", ids[1]);
        let again = server.post(&format!("{job}/retry"), "").await;
        let problem = again.problem(409, "queue_removed");
        assert!(problem["detail"].as_str().unwrap().starts_with("Queue mail is no longer in SPIRAL_QUEUES"));
        assert_eq!(act(&server, "retry").await["changed"], 0);
        assert_eq!(ApiResponse::of(server.request(Method::DELETE, &job)).await.status, 204);
        assert_eq!(act(&server, "delete").await["changed"], 609);
    }

    async fn a_queue_that_leaves_later_is_found(database) {
        let server = TestServer::idle(database).await;
        server.wait_until_ready().await;
        assert_eq!(trouble(&server).await, None);
        // Such as by a process that has the old setting still.
        let ids = leave(&server, 3, 0, 0).await;
        for id in ids {
            let path = format!("/api/v1/jobs/{id}/cancel");
            let cancelled = eventually("it is cancelled", || async {
                let answer = server.post(&path, "").await;
                (answer.status == 200).then(|| answer.json())
            })
            .await;
            assert_eq!(cancelled["state"], "cancelled");
        }
    }

    async fn a_batch_whose_queue_left_the_settings_can_be_cancelled(database) {
        let server = TestServer::idle(database).await;
        let queue: QueueName = OLD.parse().unwrap();
        let id = BatchId::new();
        let dispatched = Utc::now().trunc_subsecs(3);
        let of_batch = |number: usize| NewJob {
            batch: Some(id),
            ..job(number, if number < 4 { Place::Window(dispatched) } else { Place::Backlog })
        };
        let jobs: Vec<NewJob> = (0..6).map(of_batch).collect();
        let in_redis: Vec<JobId> = jobs[..4].iter().map(|job| job.id).collect();
        let new = NewBatch { id, jobs, on_finish: None, idempotency: None };
        let store = server.database.store().await;
        store.batch_insert(&new).await.unwrap();
        let rows = store.job_get_many(&in_redis).await.unwrap();
        let envelopes: Vec<_> = rows.iter().map(Job::envelope).collect();
        server.queues().await.push(&queue, &envelopes).await.unwrap();
        let batch = eventually("the batch is finished", || async {
            let answer = server.post(&format!("/api/v1/batches/{id}/cancel"), "").await;
            (answer.status == 200).then(|| answer.json())
        })
        .await;
        assert_eq!(batch["counts"]["cancelled"], 6, "{batch}");
    }
}
