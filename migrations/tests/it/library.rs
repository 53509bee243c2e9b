//! Up, down and status, alone and in company.

use migrations::{MigrateError, migrate_down, migrate_up, status};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement, TransactionTrait};

use crate::support::{Database, TestDatabase, on_both_databases};

/// The names of all tables and indexes that Spiral made.
async fn objects(database: &DatabaseConnection) -> Vec<String> {
    let backend = database.get_database_backend();
    let query = if backend == DbBackend::Postgres {
        "SELECT relname AS name FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace \
         WHERE n.nspname = 'public' AND relkind IN ('r', 'i') AND relname NOT LIKE 'seaql%' ORDER BY 1"
    } else {
        "SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' AND name NOT LIKE 'seaql%' ORDER BY 1"
    };
    let rows = database
        .query_all_raw(Statement::from_string(backend, query))
        .await
        .unwrap();
    rows.iter().map(|row| row.try_get("", "name").unwrap()).collect()
}

on_both_databases! {
    async fn up_down_and_up_again(database) {
        let connection = database.connect().await;
        let names: Vec<String> =
            status(&connection).await.unwrap().into_iter().map(|migration| migration.name).collect();
        assert!(!names.is_empty() && names.is_sorted(), "{names:?}");
        assert!(objects(&connection).await.is_empty(), "asking for the status makes nothing");

        assert_eq!(migrate_up(&connection).await.unwrap(), names);
        assert!(status(&connection).await.unwrap().iter().all(|migration| migration.applied));
        let full = objects(&connection).await;
        for name in ["jobs", "indices", "jobs_dispatched", "jobs_backlog", "jobs_parked", "jobs_by_state", "jobs_by_function",
                     "jobs_by_function_and_state", "indices_by_last_asked", "attempts", "log_lines", "queues", "schedules",
                     "schedules_name", "schedules_by_next", "jobs_by_schedule", "job_keys", "job_keys_by_expiry",
                     "job_keys_by_holder", "batches", "batches_unfinished", "jobs_by_batch",
                     "jobs_unfinished_by_batch", "audit", "audit_by_action", "audit_by_subject"] {
            assert!(full.iter().any(|object| object == name), "{name} is missing in {full:?}");
        }
        assert!(migrate_up(&connection).await.unwrap().is_empty(), "the second time there is nothing to do");

        assert_eq!(migrate_down(&connection, 1).await.unwrap(), [names[names.len() - 1].clone()]);
        let states: Vec<bool> = status(&connection).await.unwrap().iter().map(|migration| migration.applied).collect();
        assert_eq!(states.iter().filter(|applied| !**applied).count(), 1);
        assert!(!states[states.len() - 1]);

        let mut rest = migrate_down(&connection, 1_000).await.unwrap();
        rest.reverse();
        assert_eq!(rest, names[..names.len() - 1]);
        assert!(objects(&connection).await.is_empty(), "what was made is taken back");
        assert!(migrate_down(&connection, 1).await.unwrap().is_empty());

        assert_eq!(migrate_up(&connection).await.unwrap(), names);
        assert_eq!(objects(&connection).await, full);
        connection.close().await.unwrap();
    }

    /// Three replicas that start together on an empty database: each succeeds, one of them does the work.
    async fn three_at_once(database) {
        for _ in 0..3 {
            let connections =
                futures::future::join_all((0..3).map(|_| database.connect())).await;
            let applied: Vec<Vec<String>> =
                futures::future::join_all(connections.iter().map(async |connection| migrate_up(connection).await.unwrap()))
                    .await;
            assert_eq!(applied.iter().filter(|applied| !applied.is_empty()).count(), 1, "{applied:?}");
            migrate_down(&connections[0], 1_000).await.unwrap();
            for connection in connections {
                connection.close().await.unwrap();
            }
        }
    }

    async fn a_run_that_fails_changes_nothing(database) {
        let connection = database.connect().await;
        // In the way of the second migration.
        connection.execute_unprepared("CREATE TABLE indices (other integer)").await.unwrap();
        let error = migrate_up(&connection).await.unwrap_err();
        assert!(matches!(error, MigrateError::Run(_)), "{error:?}");
        assert_eq!(objects(&connection).await, ["indices"]);
        assert!(status(&connection).await.unwrap().iter().all(|migration| !migration.applied));
        // And leaves no lock behind.
        connection.execute_unprepared("DROP TABLE indices").await.unwrap();
        let other = database.connect().await;
        assert!(!migrate_up(&other).await.unwrap().is_empty());
        connection.close().await.unwrap();
        other.close().await.unwrap();
    }

    async fn a_schema_that_is_newer_than_this_build_is_left_alone(database) {
        let connection = database.connect().await;
        migrate_up(&connection).await.unwrap();
        let newer = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29991231_000001_newer', 0)";
        connection.execute_unprepared(newer).await.unwrap();
        let error = migrate_up(&connection).await.unwrap_err();
        assert!(
            matches!(&error, MigrateError::Newer { unknown } if unknown == &["m29991231_000001_newer"]),
            "{error:?}"
        );
        assert!(error.to_string().contains("m29991231_000001_newer"));
        assert!(migrate_down(&connection, 1).await.is_err());
        // One that lacks what this build knows is no successor of its schema.
        let other = "DELETE FROM seaql_migrations WHERE version = 'm20261123_000001_create_jobs'";
        connection.execute_unprepared(other).await.unwrap();
        let error = migrate_up(&connection).await.unwrap_err();
        assert!(matches!(error, MigrateError::Status(_)), "{error:?}");
        connection.close().await.unwrap();
    }
}

/// `SPIRAL_DATABASE_STATEMENT_TIMEOUT` of a pool must not cut a migration, nor its wait for another.
#[tokio::test]
async fn a_statement_timeout_does_not_bound_the_wait_for_the_lock() {
    let database = Database::new(TestDatabase::Postgres).await;
    let holder = database.connect().await;
    let waiter = database.connect().await;
    waiter
        .execute_unprepared("SET statement_timeout = '50ms'")
        .await
        .unwrap();
    holder
        .execute_unprepared("SELECT pg_advisory_lock(7236450192837465)")
        .await
        .unwrap();
    let release = async {
        // Far beyond the timeout of the one that waits.
        holder.execute_unprepared("SELECT pg_sleep(0.3)").await.unwrap();
        holder
            .execute_unprepared("SELECT pg_advisory_unlock(7236450192837465)")
            .await
            .unwrap();
    };
    let (applied, ()) = tokio::join!(migrate_up(&waiter), release);
    assert!(!applied.unwrap().is_empty());
    holder.close().await.unwrap();
    waiter.close().await.unwrap();
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_that_waits_for_a_lock_gives_up_and_says_for_whom() {
    let database = Database::new(TestDatabase::Postgres).await;
    let connection = database.connect().await;
    migrate_up(&connection).await.unwrap();
    migrate_down(&connection, 1).await.unwrap();
    let other = database.connect().await;
    let reading = other.begin().await.unwrap();
    // What `pg_dump` holds for as long as it runs.
    let tables = "SELECT string_agg(quote_ident(tablename), ', ') AS names FROM pg_tables \
                  WHERE schemaname = current_schema()";
    let row = reading
        .query_one_raw(Statement::from_string(DbBackend::Postgres, tables))
        .await
        .unwrap();
    let names: String = row.unwrap().try_get("", "names").unwrap();
    let every_table = format!("LOCK TABLE {names} IN ACCESS SHARE MODE");
    reading.execute_unprepared(&every_table).await.unwrap();
    let last = status(&connection).await.unwrap().pop().unwrap().name;
    let error = migrate_up(&connection).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains(&last) && text.contains("spiral-migrate") && text.contains("LOCK TABLE"),
        "{text}"
    );
    // It has let others through, and goes on when the lock is free in time.
    let (migrated, ()) = tokio::join!(migrate_up(&connection), async {
        tokio::time::sleep(std::time::Duration::from_secs(4)).await;
        reading.commit().await.unwrap();
    });
    assert_eq!(migrated.unwrap(), [last]);
    database.remove().await;
}
