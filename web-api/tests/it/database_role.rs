//! The API as a role of PostgreSQL that owns nothing: all that it does works, and what holds the rows is out of its reach.

use std::time::Duration;

use jobs::job::JobId;
use migrations::{ApiRole, ApiRoleError, grant_api_role};
use reqwest::{Method, StatusCode};
use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde_json::json;

use crate::support::server::{ApiResponse, TestServer};
use crate::support::{Database, TestDatabase};

const PASSWORD: &str = "it's a \"secret\"";

/// A role for one test: roles belong to the server, not to a database.
fn new_role() -> ApiRole {
    ApiRole {
        name: format!("api_{}", JobId::new().to_string().to_lowercase()),
        password: Some(PASSWORD.to_owned()),
    }
}

/// The database's URL for somebody else.
fn url_as(database: &Database, role: &ApiRole) -> String {
    let (_, place) = database.url().rsplit_once('@').unwrap();
    let url = format!("postgres://{}@{place}", role.name);
    migrations::with_password(&url, PASSWORD).unwrap()
}

/// Its rights have gone with the database of the test.
async fn forget(server: &str, role: &ApiRole) {
    let admin = migrations::connect(server, Duration::from_secs(10))
        .await
        .unwrap();
    admin
        .execute_unprepared(&format!("DROP ROLE {}", role.name))
        .await
        .unwrap();
    admin.close().await.unwrap();
}

async fn refused(connection: &DatabaseConnection, statement: &str) {
    let error = connection
        .execute_unprepared(statement)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("permission denied") || error.contains("must be owner"),
        "{statement}: {error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_that_the_api_does_works_with_a_role_that_owns_nothing() {
    let database = Database::new(TestDatabase::Postgres).await;
    let owner = database.connect().await;
    let role = new_role();
    // Each run does it again.
    for _ in 0..2 {
        grant_api_role(&owner, &role).await.unwrap();
    }
    let url = url_as(&database, &role);
    let admin = format!("{}/postgres", database.url().rsplit_once('/').unwrap().0);
    let as_api = migrations::connect(&url, Duration::from_secs(10)).await.unwrap();
    for statement in [
        "ALTER TABLE jobs ADD COLUMN spare text",
        "DROP TABLE jobs",
        "TRUNCATE jobs",
        "CREATE TABLE spare (id integer)",
        "CREATE INDEX spare ON jobs (state)",
        "DELETE FROM seaql_migrations",
        "DROP SCHEMA public CASCADE",
        "CREATE ROLE spare",
    ] {
        refused(&as_api, statement).await;
    }
    // A later release's table.
    owner
        .execute_unprepared("CREATE TABLE later (id integer)")
        .await
        .unwrap();
    as_api
        .execute_unprepared("INSERT INTO later VALUES (1); UPDATE later SET id = 2; DELETE FROM later")
        .await
        .unwrap();
    as_api.close().await.unwrap();

    let server = TestServer::on(database, |config| config.database.url = url).await;
    server.wait_until_ready().await;
    server.start_worker();
    let made = server.post("/api/values?wait=60s", "{\"index\": 90}").await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.text);
    let call = json!({"function": "echo", "input": 1, "tags": ["a"]});
    let batch = server
        .post("/api/v1/batches", json!({"jobs": [call, call]}).to_string())
        .await;
    assert_eq!(batch.status, StatusCode::ACCEPTED, "{}", batch.text);
    let schedule = json!({"name": "often", "function": "echo", "input": 1, "cron": "@every 1s"});
    let schedule = server.post("/api/v1/schedules", schedule.to_string()).await;
    assert!(schedule.status.is_success(), "{}", schedule.text);
    let limits = server
        .patch(
            "/api/v1/queues/default",
            &json!({"concurrency": 5, "backlog_limit": 1000}),
        )
        .await;
    assert_eq!(limits.status, StatusCode::OK, "{}", limits.text);
    let later = server
        .call(
            "echo",
            &json!({"input": 1, "delay_seconds": 3600, "unique_key": "one"}),
        )
        .await;
    let path = format!("/api/v1/jobs/{}", later["id"].as_str().unwrap());
    let cancelled = server.post(&format!("{path}/cancel"), "").await;
    assert_eq!(cancelled.status, StatusCode::OK, "{}", cancelled.text);
    let again = server.post(&format!("{path}/retry"), "").await;
    assert_eq!(again.status, StatusCode::ACCEPTED, "{}", again.text);
    server
        .job_in_state(later["id"].as_str().unwrap(), "completed")
        .await;
    let deleted = ApiResponse::of(server.request(Method::DELETE, &path)).await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT, "{}", deleted.text);
    for path in [
        "overview", "stats", "failures", "tags", "audit", "batches", "jobs",
    ] {
        let answer = server.get(&format!("/api/v1/{path}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text);
    }
    owner.close().await.unwrap();
    server.stop().await.unwrap();
    forget(&admin, &role).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_cannot_be_the_one_of_the_api_is_refused() {
    let database = Database::new(TestDatabase::Postgres).await;
    let owner = database.connect().await;
    let without_password = ApiRole {
        password: None,
        ..new_role()
    };
    let missing = grant_api_role(&owner, &without_password).await.unwrap_err();
    assert!(
        missing.to_string().contains("SPIRAL_DATABASE_API_PASSWORD_FILE"),
        "{missing}"
    );
    // The one that migrates in the tests.
    let owner_itself = ApiRole {
        name: "postgres".to_owned(),
        password: None,
    };
    let error = grant_api_role(&owner, &owner_itself).await.unwrap_err();
    assert!(matches!(error, ApiRoleError::TooPowerful(_)), "{error}");
    let file = Database::new(TestDatabase::Sqlite).await;
    let error = grant_api_role(&file.connect().await, &new_role())
        .await
        .unwrap_err();
    assert!(matches!(error, ApiRoleError::NoRoles), "{error}");
}
