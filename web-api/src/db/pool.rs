//! How connections are opened, kept and closed, for each of the two databases.

pub(super) mod shares;
pub(super) mod sqlite;

use std::time::Duration;

use sea_orm::{
    ConnectOptions,
    sqlx::{
        postgres::PgConnectOptions,
        sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
    },
};

use super::{DatabaseSettings, sqlite as numbers};

/// Prepared statements that each connection keeps. Each batch size is a statement of its own, of up to 8,000
/// parameters, so few are worth keeping.
const STATEMENTS: usize = 24;

/// The name that PostgreSQL shows for connections of this process.
const NAME: &str = "spiral-web-api";

/// No transaction of ours waits this long for its next statement: one that does belongs to a process that is
/// gone or stuck, and PostgreSQL ends it and releases its locks.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(10);

/// The settings of the pool.
pub(super) fn options(settings: &DatabaseSettings) -> ConnectOptions {
    let mut options = ConnectOptions::new(settings.url.as_str());
    let statement = settings.statement_timeout;
    let whole = settings.limit();
    options
        .max_connections(settings.max_connections)
        .min_connections(settings.min_connections)
        .acquire_timeout(settings.acquire_timeout)
        .statement_timeout(statement)
        // A round trip for every call, so that no call fails on a connection that died unnoticed.
        .test_before_acquire(true)
        .set_application_name(NAME)
        .connect_lazy(true)
        .sqlx_logging(false)
        .map_sqlx_postgres_opts(move |postgres| of_postgres(postgres, whole))
        .map_sqlx_sqlite_opts(move |sqlite| of_sqlite(sqlite, statement))
        .map_sqlx_sqlite_pool_opts(move |pool| sqlite::guarded(pool, whole))
        .map_sqlx_sqlite_before_acquire(move |connection, _| Box::pin(sqlite::begin_use(connection, whole)));
    options
}

fn of_postgres(postgres: PgConnectOptions, whole: Duration) -> PgConnectOptions {
    let idle = (whole + IDLE_IN_TRANSACTION).as_millis().to_string();
    postgres
        .statement_cache_capacity(STATEMENTS)
        .options([("idle_in_transaction_session_timeout", idle)])
}

fn of_sqlite(sqlite: SqliteConnectOptions, statement: Duration) -> SqliteConnectOptions {
    sqlite
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // A response is sent only for what is durable: the commit is on the disk, not only in the system's
        // cache.
        .synchronous(SqliteSynchronous::Full)
        // How long a writer waits for a writer of another process.
        .busy_timeout(statement)
        .foreign_keys(true)
        .statement_cache_capacity(STATEMENTS)
        .collation(numbers::NUMBER_COLLATION, numbers::compare_numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postgres_ends_transactions_that_nobody_goes_on_with() {
        let options = of_postgres(PgConnectOptions::new_without_pgpass(), Duration::from_secs(7));
        let said = options.get_options().unwrap();
        assert!(
            said.contains("idle_in_transaction_session_timeout=17000"),
            "{said}"
        );
    }
}
