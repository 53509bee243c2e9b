//! A pooler that gives sessions away is found out, and nothing is asked through it.

use migrations::{SessionError, check_sessions};
use tokio::process::Command;

use crate::support::{Database, TestDatabase, pgbouncer::PgBouncer};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_that_shares_sessions_is_told_from_one_that_does_not() {
    let database = Database::new(TestDatabase::Postgres).await;
    check_sessions(&database.url).await.unwrap();
    for (pool_mode, more, shared) in [
        ("session", "", false),
        ("transaction", "", true),
        ("transaction", "server_round_robin = 1\nmin_pool_size = 4", true),
        ("transaction", "default_pool_size = 1", true),
        ("statement", "", true),
    ] {
        let bouncer = PgBouncer::start(&database.url, pool_mode, more);
        let url = bouncer.url(&database.url);
        // Twice: with sessions that are new, and with some that are idle.
        for _ in 0..2 {
            let found = check_sessions(&url).await;
            if shared {
                let error = found.unwrap_err();
                assert!(
                    matches!(error, SessionError::Shared { .. }),
                    "{pool_mode}: {error:?}"
                );
                assert!(error.to_string().contains("pool_mode = session"), "{error}");
            } else {
                found.unwrap();
            }
        }
    }
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_binary_changes_nothing_through_a_pooler_that_shares_sessions() {
    let database = Database::new(TestDatabase::Postgres).await;
    let bouncer = PgBouncer::start(&database.url, "transaction", "");
    let output = Command::new(env!("CARGO_BIN_EXE_migrate"))
        .arg("up")
        .env_clear()
        .env("SPIRAL_DATABASE_URL", bouncer.url(&database.url))
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("PgBouncer") && said.contains("pool_mode = session"),
        "{said}"
    );
    let connection = database.connect().await;
    let states = migrations::status(&connection).await.unwrap();
    assert!(states.iter().all(|migration| !migration.applied));
    connection.close().await.unwrap();
    drop(bouncer);
    database.remove().await;
}
