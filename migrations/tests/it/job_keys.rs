//! Keys that lay in the rows of their jobs move to a table of their own, and back.

use migrations::{migrate_down, migrate_up, status};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};

use crate::support::{Database, TestDatabase, on_both_databases};

const MIGRATION: &str = "m20261124_000020_create_job_keys";

/// Takes back the migration and all that came after it.
async fn before(connection: &DatabaseConnection) {
    migrate_up(connection).await.unwrap();
    let all = status(connection).await.unwrap();
    let place = all.iter().position(|migration| migration.name == MIGRATION);
    let steps = u32::try_from(all.len() - place.unwrap()).unwrap();
    migrate_down(connection, steps).await.unwrap();
}

async fn job(connection: &DatabaseConnection, id: &str, function: &str, key: &str) {
    let insert = format!(
        "INSERT INTO jobs (id, function, queue, input, state, max_attempts, timeout_ms, created_at, \
         idempotency_key, request_hash) \
         VALUES ('{id}', '{function}', 'default', '{{}}', 'queued', 1, 1, '2026-01-02T03:04:05+00:00', {key}, 'hash')"
    );
    connection.execute_unprepared(&insert).await.unwrap();
}

async fn rows<const N: usize>(connection: &DatabaseConnection, query: &str) -> Vec<[String; N]> {
    let statement = Statement::from_string(connection.get_database_backend(), query);
    let rows = connection.query_all_raw(statement).await.unwrap();
    let text = |row: &sea_orm::QueryResult, at| {
        row.try_get_by_index::<Option<String>>(at)
            .unwrap()
            .unwrap_or_default()
    };
    rows.iter()
        .map(|row| std::array::from_fn(|at| text(row, at)))
        .collect()
}

on_both_databases! {
    async fn keys_move_to_their_table_and_back(database) {
        let connection = database.connect().await;
        before(&connection).await;
        job(&connection, "1", "a", "'k'").await;
        job(&connection, "2", "b", "'k'").await;
        job(&connection, "3", "b", "NULL").await;

        migrate_up(&connection).await.unwrap();
        let keys = rows::<5>(&connection, "SELECT kind, function, key, holder, request_hash FROM job_keys ORDER BY holder").await;
        let moved = |function: &str, id: &str| ["idempotency", function, "k", id, "hash"].map(str::to_owned);
        assert_eq!(keys, [moved("a", "1"), moved("b", "2")]);
        let now = rows::<1>(&connection, "SELECT key FROM job_keys WHERE expires_at > CURRENT_TIMESTAMP").await;
        assert_eq!(now.len(), 2, "they hold for a while");

        before(&connection).await;
        let columns = rows::<3>(&connection, "SELECT id, idempotency_key, request_hash FROM jobs ORDER BY id").await;
        let kept = |id: &str, key: &str, hash: &str| [id, key, hash].map(str::to_owned);
        assert_eq!(columns, [kept("1", "k", "hash"), kept("2", "k", "hash"), kept("3", "", "")]);
        connection.close().await.unwrap();
    }
}
