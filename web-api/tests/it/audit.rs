//! The audit log: each change has its entry, before it is made; filters, pages, and how long it is kept.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use jobs::job::JobId;
use reqwest::Method;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use web_api::db::audit::{AuditFilter, Entry, Outcome};
use web_api::services::pruner::{self, PruneSettings};

use crate::access::{ADMIN, VIEWER, locked};
use crate::support::server::{ApiResponse, TestServer};
use crate::support::{TestDatabase, TestEnv, eventually, on_both_databases};

async fn as_admin(server: &TestServer, method: Method, path: &str, body: &Value) -> ApiResponse {
    ApiResponse::of(server.request(method, path).bearer_auth(ADMIN).json(body)).await
}

async fn entries(server: &TestServer, query: &str) -> Vec<Value> {
    let path = format!("/api/v1/audit{query}");
    let answer = ApiResponse::of(server.request(Method::GET, &path).bearer_auth(VIEWER)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["entries"].as_array().unwrap().clone()
}

fn entry(action: &str, at: chrono::DateTime<Utc>) -> Entry {
    Entry {
        id: JobId::new(),
        at,
        role: "admin".to_owned(),
        address: "192.0.2.1".to_owned(),
        action: action.to_owned(),
        method: "POST".to_owned(),
        path: "/api/v1/queues/mail/pause".to_owned(),
        subject: None,
        request_id: "a-request".to_owned(),
        status: None,
        finished_at: None,
        detail: None,
    }
}

on_both_databases! {
    async fn a_change_leaves_who_did_it_what_and_how_it_ended(database) {
        let server = locked(database, &[]).await;
        server.wait_until_ready().await;
        let paused = as_admin(&server, Method::POST, "/api/v1/queues/default/pause", &json!({})).await;
        assert_eq!(paused.status, 200, "{}", paused.text);
        let refused = as_admin(&server, Method::PATCH, "/api/v1/queues/nothing", &json!({})).await;
        refused.problem(404, "unknown_queue");
        let schedule = json!({"name": "mornings", "cron": "0 8 * * *", "function": "fibonacci", "input": {"index": 1}});
        let made = as_admin(&server, Method::POST, "/api/v1/schedules", &schedule).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let schedule = made.json()["id"].as_str().unwrap().to_owned();
        // Neither a call nor who may not do it leaves an entry.
        assert_eq!(as_admin(&server, Method::POST, "/api/values", &json!({"index": 1})).await.status, 202);
        server.post("/api/v1/queues/default/resume", "").await.problem(401, "unauthorized");

        let all = entries(&server, "").await;
        let told: Vec<(&str, &str, &str, u64)> = all
            .iter()
            .map(|entry| {
                (
                    entry["action"].as_str().unwrap(),
                    entry["subject"].as_str().unwrap(),
                    entry["outcome"].as_str().unwrap(),
                    entry["status"].as_u64().unwrap(),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("create_schedule", schedule.as_str(), "done", 201),
                ("set_queue_limits", "nothing", "refused", 404),
                ("pause_queue", "default", "done", 200),
            ]
        );
        let first = &all[2];
        assert_eq!(first["request_id"], paused.header("x-request-id"));
        assert_eq!(
            (&first["role"], &first["address"], &first["method"], &first["path"]),
            (&json!("admin"), &json!("127.0.0.1"), &json!("POST"), &json!("/api/v1/queues/default/pause"))
        );
        for (query, count) in [
            ("?action=pause_queue", 1),
            ("?subject=nothing", 1),
            ("?outcome=done", 2),
            ("?outcome=refused&role=admin", 1),
            ("?address=127.0.0.1", 3),
            ("?address=192.0.2.1", 0),
            ("?before=2026-01-01T00:00:00Z", 0),
            ("?from=2026-01-01T00:00:00Z", 3),
        ] {
            assert_eq!(entries(&server, query).await.len(), count, "{query}");
        }
    }

    async fn pages_follow_one_another(database) {
        let env = TestEnv::new(database).await;
        let now = Utc::now();
        let mut ids = Vec::new();
        for number in 0..7 {
            let entry = entry(&format!("action_{number}"), now);
            env.store.audit_insert(&entry).await.unwrap();
            ids.push(entry.id);
        }
        ids.sort();
        ids.reverse();
        let mut seen = Vec::new();
        let mut cursor = None;
        loop {
            let page = env.store.audit_list(&AuditFilter::default(), cursor, 3).await.unwrap();
            let Some(last) = page.last() else { break };
            cursor = Some(last.id);
            seen.extend(page.iter().map(|entry| entry.id));
        }
        assert_eq!(seen, ids);
        let unknown = AuditFilter { outcome: Some(Outcome::Unknown), ..AuditFilter::default() };
        assert_eq!(env.store.audit_list(&unknown, None, 100).await.unwrap().len(), 7);
        env.store.audit_finish(ids[0], 503, Some("made"), now).await.unwrap();
        let failed = AuditFilter { outcome: Some(Outcome::Failed), ..AuditFilter::default() };
        let failed = env.store.audit_list(&failed, None, 100).await.unwrap();
        assert_eq!((failed.len(), failed[0].subject.as_deref()), (1, Some("made")));
    }

    async fn old_entries_go_and_young_ones_stay(database) {
        let env = TestEnv::new(database).await;
        let old = Utc::now() - TimeDelta::days(2);
        for _ in 0..5 {
            let mut old = entry("pause_queue", old);
            old.id = JobId::lower_bound(old.at);
            // Each with an id of its own: the random part differs.
            old.id = format!("{}{}", &old.id.to_string()[..10], &JobId::new().to_string()[10..]).parse().unwrap();
            env.store.audit_insert(&old).await.unwrap();
        }
        let young = entry("resume_queue", Utc::now());
        env.store.audit_insert(&young).await.unwrap();
        let settings = PruneSettings {
            rows: 2,
            pause: Duration::from_millis(1),
            ..PruneSettings::of(None, Some(Duration::from_hours(24)))
        };
        let end = CancellationToken::new();
        let pruning = tokio::spawn(pruner::run(env.store.clone(), settings, end.clone()));
        eventually("the old entries are gone", || async {
            let left = env.store.audit_list(&AuditFilter::default(), None, 100).await.unwrap();
            (left.len() == 1).then(|| assert_eq!(left[0].id, young.id))
        })
        .await;
        end.cancel();
        pruning.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_entry_no_change_is_made() {
    let server = locked(TestDatabase::Sqlite, &[]).await;
    server.wait_until_ready().await;
    let database = server.database.connect().await;
    sea_orm::ConnectionTrait::execute_unprepared(&database, "ALTER TABLE audit RENAME TO elsewhere")
        .await
        .unwrap();
    let refused = as_admin(&server, Method::POST, "/api/v1/queues/default/pause", &json!({})).await;
    assert!(refused.status.is_server_error(), "{}", refused.text);
    sea_orm::ConnectionTrait::execute_unprepared(&database, "ALTER TABLE elsewhere RENAME TO audit")
        .await
        .unwrap();
    let queue = ApiResponse::of(
        server
            .request(Method::GET, "/api/v1/queues/default")
            .bearer_auth(VIEWER),
    )
    .await;
    assert_eq!(queue.json()["paused"], false);
    assert!(entries(&server, "").await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filter_that_makes_no_sense_is_refused() {
    let server = TestServer::idle(TestDatabase::Sqlite).await;
    for query in [
        "outcome=perhaps",
        "role=king",
        "cursor=1",
        "limit=0",
        "from=today",
        "subject=%00",
    ] {
        let answer = server.get(&format!("/api/v1/audit?{query}")).await;
        let problem = answer.problem(400, "invalid_parameter");
        assert_eq!(problem["errors"][0]["field"], query.split('=').next().unwrap());
    }
}
