//! Runs the migrations under a lock, so that any number of processes may start at once.
//!
//! sea-orm-migration has no lock of its own: of three replicas that start together, two fail. Here the whole
//! run is one transaction that first takes an advisory lock (PostgreSQL) or the write lock (SQLite). Either
//! everything is applied or nothing. The price: no `CREATE INDEX CONCURRENTLY` in a migration.

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, SqliteTransactionMode,
    Statement, TransactionOptions, TransactionTrait,
};
use sea_orm_migration::{MigrationStatus, MigratorTrait};

use crate::Migrator;
use crate::error::{LOCK_TIMEOUT, MigrateError};
use crate::locks;

/// Any number will do, as long as nobody else on this database takes it.
const ADVISORY_LOCK: i64 = 7_236_450_192_837_465;

/// One migration and whether this database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationState {
    pub name: String,
    pub applied: bool,
}

/// Applies what is missing and returns the names, in order; empty when the schema is up to date.
pub async fn migrate_up(database: &DatabaseConnection) -> Result<Vec<String>, MigrateError> {
    locks::with_tries(database, || up_once(database)).await
}

async fn up_once(database: &DatabaseConnection) -> Result<Vec<String>, MigrateError> {
    let transaction = begin_locked(database).await?;
    let before = states(&transaction).await?;
    // Without this, a role that may not create tables could not even find that there is nothing to do.
    if before.iter().all(|migration| migration.applied) {
        return Ok(Vec::new());
    }
    let empty = before.iter().all(|migration| !migration.applied);
    let missing = before.into_iter().filter(|migration| !migration.applied);
    let missing: Vec<String> = missing.map(|migration| migration.name).collect();
    if empty {
        // Nobody has a lock on tables that there are not.
        Migrator::up(&transaction, None)
            .await
            .map_err(MigrateError::Run)?;
    } else {
        // One by one, so that the one that fails has a name.
        for migration in &missing {
            let step = Migrator::up(&transaction, Some(1)).await;
            step.map_err(|source| failed(migration, source))?;
        }
    }
    transaction.commit().await.map_err(MigrateError::Commit)?;
    Ok(missing)
}

fn failed(migration: &str, source: DbErr) -> MigrateError {
    MigrateError::Step {
        migration: migration.to_owned(),
        source,
    }
}

/// Takes back the last `steps` migrations and returns their names, newest first. Their data is gone.
pub async fn migrate_down(database: &DatabaseConnection, steps: u32) -> Result<Vec<String>, MigrateError> {
    locks::with_tries(database, || down_once(database, steps)).await
}

async fn down_once(database: &DatabaseConnection, steps: u32) -> Result<Vec<String>, MigrateError> {
    let transaction = begin_locked(database).await?;
    let mut names: Vec<String> = states(&transaction)
        .await?
        .into_iter()
        .filter(|migration| migration.applied)
        .map(|migration| migration.name)
        .collect();
    names.reverse();
    names.truncate(usize::try_from(steps).unwrap_or(usize::MAX));
    if names.is_empty() {
        return Ok(names);
    }
    for migration in &names {
        let step = Migrator::down(&transaction, Some(1)).await;
        step.map_err(|source| failed(migration, source))?;
    }
    transaction.commit().await.map_err(MigrateError::Commit)?;
    Ok(names)
}

/// Every migration that this build knows, in order. Changes nothing, also not on an empty database.
pub async fn status(database: &DatabaseConnection) -> Result<Vec<MigrationState>, MigrateError> {
    states(database).await
}

async fn states<C: ConnectionTrait>(database: &C) -> Result<Vec<MigrationState>, MigrateError> {
    let migrations = match Migrator::get_migration_with_status_read_only(database).await {
        Ok(migrations) => migrations,
        Err(error) => {
            return Err(match newer(database).await {
                Ok(unknown) if !unknown.is_empty() => MigrateError::Newer { unknown },
                Ok(_) | Err(_) => MigrateError::Status(error),
            });
        }
    };
    Ok(migrations
        .iter()
        .map(|migration| MigrationState {
            name: migration.name().to_owned(),
            applied: migration.status() == MigrationStatus::Applied,
        })
        .collect())
}

/// What was applied after everything that this build knows; empty also when some of that is missing, because then the
/// schema is no successor of this build's.
async fn newer<C: ConnectionTrait>(database: &C) -> Result<Vec<String>, DbErr> {
    let known: Vec<String> = Migrator::migrations()
        .iter()
        .map(|migration| migration.name().to_owned())
        .collect();
    let query = Statement::from_string(
        database.get_database_backend(),
        "SELECT version FROM seaql_migrations ORDER BY version",
    );
    let mut applied = Vec::new();
    for row in database.query_all_raw(query).await? {
        applied.push(row.try_get_by_index::<String>(0)?);
    }
    if !known.iter().all(|name| applied.contains(name)) {
        return Ok(Vec::new());
    }
    applied.retain(|name| !known.contains(name));
    Ok(applied)
}

pub(crate) async fn begin_locked(database: &DatabaseConnection) -> Result<DatabaseTransaction, MigrateError> {
    let options = TransactionOptions {
        // SQLite's own default takes the write lock at the first write, too late to have read under it.
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let transaction = database
        .begin_with_options(options)
        .await
        .map_err(MigrateError::Lock)?;
    if database.get_database_backend() == DbBackend::Postgres {
        // A pool's statement timeout would also bound the wait for the lock and the migrations themselves.
        for statement in [
            "SET LOCAL statement_timeout = 0".to_owned(),
            // Another migration may take its time.
            "SET LOCAL lock_timeout = 0".to_owned(),
            format!("SELECT pg_advisory_xact_lock({ADVISORY_LOCK})"),
            format!("SET LOCAL lock_timeout = {}", LOCK_TIMEOUT.as_millis()),
        ] {
            transaction
                .execute_unprepared(&statement)
                .await
                .map_err(MigrateError::Lock)?;
        }
    }
    Ok(transaction)
}
