//! `PgBouncer` in front of the database: refused where it shares sessions, and of no importance where it does not.

use serde_json::json;

use crate::support::pgbouncer::PgBouncer;
use crate::support::server::TestServer;
use crate::support::{Database, TestDatabase};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_does_not_start_through_a_pooler_that_shares_sessions() {
    let database = Database::new(TestDatabase::Postgres).await;
    let bouncer = PgBouncer::start(database.url(), "transaction", "");
    let url = bouncer.url(database.url());
    let server = TestServer::on(database, |config| config.database.url = url).await;
    let error = server.ended().await.unwrap_err();
    assert!(error.to_string().contains("pool_mode = session"), "{error:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_works_through_a_pooler_that_keeps_sessions_apart() {
    let database = Database::new(TestDatabase::Postgres).await;
    let bouncer = PgBouncer::start(database.url(), "session", "");
    let url = bouncer.url(database.url());
    let server = TestServer::on(database, |config| config.database.url = url).await;
    server.start_worker();
    server.wait_until_ready().await;
    let job = server.call("echo", &json!({"input": 1})).await;
    server
        .job_in_state(job["id"].as_str().unwrap(), "completed")
        .await;
}
