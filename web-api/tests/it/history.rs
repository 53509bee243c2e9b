//! What a job remembers of what people did to it: who, when, and how it had ended before.

use jobs::job::JobId;
use reqwest::Method;
use serde_json::{Value, json};

use crate::access::{ADMIN, VIEWER, locked};
use crate::support::server::{ApiResponse, TestServer};
use crate::support::{eventually, on_both_databases};

async fn as_admin(server: &TestServer, method: Method, path: &str, body: &Value) -> ApiResponse {
    ApiResponse::of(server.request(method, path).bearer_auth(ADMIN).json(body)).await
}

async fn called(server: &TestServer, function: &str, body: Value) -> String {
    let path = format!("/api/v1/functions/{function}/jobs");
    let answer = as_admin(server, Method::POST, &path, &body).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    answer.json()["id"].as_str().unwrap().to_owned()
}

async fn act(server: &TestServer, id: &str, action: &str) {
    let path = format!("/api/v1/jobs/{id}/{action}");
    let answer = as_admin(server, Method::POST, &path, &json!({})).await;
    assert!(answer.status.is_success(), "{}", answer.text);
}

async fn job(server: &TestServer, id: &str, token: &str) -> Value {
    let path = format!("/api/v1/jobs/{id}");
    ApiResponse::of(server.request(Method::GET, &path).bearer_auth(token))
        .await
        .json()
}

async fn in_state(server: &TestServer, id: &str, state: &str, attempt: u64) -> Value {
    eventually(&format!("the job is {state}"), || async {
        let job = job(server, id, ADMIN).await;
        (job["state"] == state && job["attempt"] == attempt).then_some(job)
    })
    .await
}

fn outcomes(job: &Value) -> Vec<(u64, Option<&str>)> {
    let attempts = job["attempts"].as_array().unwrap();
    attempts
        .iter()
        .map(|attempt| (attempt["number"].as_u64().unwrap(), attempt["outcome"].as_str()))
        .collect()
}

async fn audited(server: &TestServer) -> Vec<Value> {
    let answer = ApiResponse::of(
        server
            .request(Method::GET, "/api/v1/audit?action=begin_job_action")
            .bearer_auth(VIEWER),
    )
    .await;
    answer.json()["entries"].as_array().unwrap().clone()
}

on_both_databases! {
    async fn a_retry_is_told_with_who_and_how_the_job_had_ended(kind) {
        let server = locked(kind, &[]).await;
        server.wait_until_ready().await;
        server.start_worker();
        let id = called(&server, "echo", json!({"input": 7})).await;
        let first = in_state(&server, &id, "completed", 1).await;
        assert_eq!(first["history"], json!([]));
        assert_eq!(outcomes(&first), [(1, Some("completed"))]);
        act(&server, &id, "retry").await;
        let second = in_state(&server, &id, "completed", 2).await;
        // The first success is not lost, with its worker and times.
        assert_eq!(outcomes(&second), [(1, Some("completed")), (2, Some("completed"))]);
        assert_eq!(second["attempts"][0], first["attempts"][0]);
        let told = &second["history"][0];
        assert_eq!(
            (&told["action"], &told["by"], &told["attempt"], &told["state"], &told["ended_at"], &told["job_action_id"]),
            (
                &json!("retry"),
                &json!({"role": "admin", "address": "127.0.0.1"}),
                &json!(1),
                &json!("completed"),
                &first["finished_at"],
                &Value::Null
            )
        );
        assert_eq!(second["history"].as_array().unwrap().len(), 1);

        // One that failed for good.
        let id = called(&server, "flaky", json!({"input": {"failures": 9, "how": "fatal"}})).await;
        in_state(&server, &id, "dead", 1).await;
        act(&server, &id, "retry").await;
        let again = in_state(&server, &id, "dead", 2).await;
        assert_eq!(outcomes(&again), [(1, Some("failed")), (2, Some("failed"))]);
        assert_eq!(again["history"][0]["state"], "dead");
    }

    async fn who_cancels_moves_and_changes_a_job_is_told_and_goes_with_it(kind) {
        let server = locked(kind, &[("SPIRAL_PUBLIC_FUNCTIONS", "echo")]).await;
        server.wait_until_ready().await;
        let id = called(&server, "echo", json!({"input": 1, "delay_seconds": 3600})).await;
        let path = format!("/api/v1/jobs/{id}");
        assert_eq!(as_admin(&server, Method::PATCH, &path, &json!({"input": 2})).await.status, 200);
        act(&server, &id, "run-now").await;
        act(&server, &id, "cancel").await;
        let told = job(&server, &id, VIEWER).await;
        let actions: Vec<&str> = told["history"].as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap()).collect();
        assert_eq!(actions, ["change", "run_now", "cancel"]);
        assert_eq!(told["history"][2]["by"]["address"], "127.0.0.1");
        // A visitor sees what happened, not from where.
        let seen = server.get(&path).await.json();
        assert_eq!(seen["history"][2]["by"], json!({"role": "admin", "address": null}));
        assert_eq!(as_admin(&server, Method::DELETE, &path, &json!({})).await.status, 204);
        let history = server.database.store().await.job_history_list(id.parse::<JobId>().unwrap()).await.unwrap();
        assert_eq!(history, []);
    }

    async fn an_action_on_many_jobs_is_in_the_history_of_each_and_in_the_audit_log(kind) {
        let server = locked(kind, &[]).await;
        server.wait_until_ready().await;
        let mut ids = Vec::new();
        for number in 0..3 {
            ids.push(called(&server, "echo", json!({"input": {"number": number}, "delay_seconds": 3600})).await);
        }
        let begin = async |body: Value| as_admin(&server, Method::POST, "/api/v1/jobs/actions", &body).await;
        let filter = "function:echo number<2";
        assert_eq!(begin(json!({"action": "cancel", "filter": filter, "dry_run": true})).await.status, 200);
        begin(json!({"action": "cancel", "filter": "state:deaf", "dry_run": true})).await.problem(422, "invalid_input");
        assert_eq!(audited(&server).await, Vec::<Value>::new(), "nothing has changed");

        let begun = begin(json!({"action": "cancel", "filter": filter})).await;
        assert_eq!(begun.status, 202, "{}", begun.text);
        for id in &ids[..2] {
            let told = in_state(&server, id, "cancelled", 0).await;
            let entry = &told["history"][0];
            assert_eq!((&entry["action"], &entry["job_action_id"]), (&json!("cancel"), &begun.json()["id"]));
            assert_eq!(entry["by"], json!({"role": "admin", "address": "127.0.0.1"}));
        }
        assert_eq!(job(&server, &ids[2], ADMIN).await["history"], json!([]));
        let retried = begin(json!({"action": "retry", "ids": [ids[0]]})).await;
        let told = in_state(&server, &ids[0], "queued", 0).await;
        assert_eq!(told["history"][1]["job_action_id"], retried.json()["id"]);
        assert_eq!(told["history"][1]["state"], "cancelled");
        begin(json!({"action": "explode", "filter": filter})).await.problem(422, "invalid_input");

        let entries = audited(&server).await;
        let told: Vec<(&Value, &Value)> = entries.iter().map(|entry| (&entry["outcome"], &entry["detail"])).collect();
        assert_eq!(
            told,
            [
                (&json!("refused"), &Value::Null),
                (&json!("done"), &json!({"action": "retry", "filter": format!("id:{}", ids[0]), "jobs": 1, "jobs_are_exact": true})),
                (&json!("done"), &json!({"action": "cancel", "filter": filter, "jobs": 2, "jobs_are_exact": true})),
            ]
        );
        assert_eq!(entries[2]["subject"], begun.json()["id"]);
    }

    async fn cancelling_a_batch_is_in_the_history_of_its_jobs(kind) {
        let server = locked(kind, &[]).await;
        server.wait_until_ready().await;
        let body = json!({"jobs": [{"function": "echo", "input": 1, "delay_seconds": 3600}]});
        let made = as_admin(&server, Method::POST, "/api/v1/batches", &body).await.json();
        let batch = made["id"].as_str().unwrap();
        let path = format!("/api/v1/batches/{batch}/cancel");
        assert!(as_admin(&server, Method::POST, &path, &json!({})).await.status.is_success());
        let list = ApiResponse::of(server.request(Method::GET, &format!("/api/v1/jobs?batch={batch}")).bearer_auth(VIEWER)).await.json();
        let told = in_state(&server, list["jobs"][0]["id"].as_str().unwrap(), "cancelled", 0).await;
        assert_eq!((&told["history"][0]["action"], &told["history"][0]["by"]["role"]), (&json!("cancel"), &json!("admin")));
    }
}
