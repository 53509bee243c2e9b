//! How long a migration waits for the locks of others, and who they are.
//!
//! While one waits for a table, PostgreSQL lets everybody else who wants it wait behind: so it gives up soon, lets them
//! through, and tries again.

use std::{future::Future, time::Duration};

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, RuntimeErr, Statement, sqlx::error::DatabaseError,
};

use crate::error::{LOCK_TRIES, LockHolders, MigrateError};

/// Between two tries, for those who had to wait.
const PAUSE: Duration = Duration::from_secs(1);

/// Tries again what waited in vain for a lock.
pub(crate) async fn with_tries<T, F: Future<Output = Result<T, MigrateError>>>(
    database: &DatabaseConnection,
    mut run: impl FnMut() -> F,
) -> Result<T, MigrateError> {
    for _ in 1..LOCK_TRIES {
        match run().await {
            Err(MigrateError::Step { migration, source }) if waited_in_vain(&source) => {
                tracing::info!(%migration, "waits for a lock, lets others through and tries again");
                tokio::time::sleep(PAUSE).await;
            }
            other => return other,
        }
    }
    match run().await {
        Err(MigrateError::Step { migration, source }) if waited_in_vain(&source) => {
            Err(MigrateError::Locked {
                migration,
                holders: LockHolders(holders(database).await.unwrap_or_default()),
                source,
            })
        }
        other => other,
    }
}

fn waited_in_vain(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error))) = error
    else {
        return false;
    };
    error
        .as_database_error()
        .and_then(DatabaseError::code)
        .is_some_and(|code| code == "55P03")
}

/// Sessions of this database that hold a lock on one of its tables, the one that has for longest first.
async fn holders(database: &DatabaseConnection) -> Result<Vec<String>, DbErr> {
    let query = "SELECT format('session %s (%s, %s since %s): %s', activity.pid,
                        coalesce(nullif(application_name, ''), usename::text), state,
                        to_char(xact_start, 'HH24:MI:SS'), left(regexp_replace(query, '\\s+', ' ', 'g'), 80))
                 FROM pg_stat_activity AS activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
                   AND EXISTS (SELECT 1 FROM pg_locks
                               JOIN pg_class ON pg_class.oid = pg_locks.relation AND relkind IN ('r', 'p')
                               JOIN pg_namespace ON pg_namespace.oid = relnamespace AND nspname NOT LIKE 'pg\\_%'
                               WHERE pg_locks.pid = activity.pid AND granted)
                 ORDER BY xact_start LIMIT 5";
    let statement = Statement::from_string(DbBackend::Postgres, query);
    let rows = database.query_all_raw(statement).await?;
    rows.iter().map(|row| row.try_get_by_index(0)).collect()
}
