//! Calling jobs off over HTTP.

use serde_json::json;

use crate::support::server::TestServer;
use crate::support::{eventually, on_both_databases};

async fn call(server: &TestServer, body: serde_json::Value) -> String {
    let answer = server
        .post("/api/v1/functions/fibonacci/jobs", body.to_string())
        .await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    format!("/api/v1/jobs/{}", answer.json()["id"].as_str().unwrap())
}

async fn cancel(server: &TestServer, job: &str) -> crate::support::server::ApiResponse {
    server.post(&format!("{job}/cancel"), "").await
}

on_both_databases! {
    async fn a_job_that_waits_is_cancelled_and_stays_so(database) {
        let server = TestServer::idle(database).await;
        let queued = call(&server, json!({"input": {"index": 30_000}})).await;
        let scheduled = call(&server, json!({"input": {"index": 30_001}, "delay_seconds": 3600})).await;
        for job in [&queued, &scheduled] {
            let answer = cancel(&server, job).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            assert_eq!(answer.json()["state"], "cancelled");
            assert!(answer.json()["finished_at"].is_string() && answer.json()["started_at"].is_null());
            assert_eq!(cancel(&server, job).await.status, 200, "a second time changes nothing");
        }
        server.start_worker();
        let other = server.post("/api/values?wait=60s", "{\"index\": 5}").await;
        assert_eq!(other.status, 200, "{}", other.text);
        assert_eq!(server.get(&queued).await.json()["state"], "cancelled");
        server.get(&format!("{queued}/result")).await.problem(409, "no_output");
    }

    async fn a_job_that_the_queue_has_lost_is_cancelled_all_the_same(database) {
        let server = TestServer::idle(database).await;
        let job = call(&server, json!({"input": {"index": 30_002}, "delay_seconds": 3600})).await;
        server.redis.wipe();
        let answer = eventually("it is cancelled", || async {
            let answer = cancel(&server, &job).await;
            (answer.status != 503).then_some(answer)
        })
        .await;
        assert_eq!((answer.status.as_u16(), &answer.json()["state"]), (200, &json!("cancelled")));
    }

    async fn what_has_ended_cannot_be_cancelled(database) {
        let server = TestServer::start(database).await;
        let answer = server.post("/api/values?wait=60s", "{\"index\": 90}").await.json();
        let job = format!("/api/v1/jobs/{}", answer["job"]["id"].as_str().unwrap());
        cancel(&server, &job).await.problem(409, "already_finished");
        assert_eq!(server.get(&job).await.json()["state"], "completed");
        cancel(&server, "/api/v1/jobs/nothing").await.problem(404, "unknown_job");
    }
}
