//! The SQL record: every row and every query of Spiral, for PostgreSQL and SQLite alike.
//!
//! One file a table; a method is named after its table first ([`Store::job_get`]). No other module of this
//! crate sees sea-orm or SQL. The store never migrates: `migrate up` does, or the all-in-one mode.

pub mod attempts;
pub mod audit;
pub mod batches;
pub mod bulk_actions;
pub mod demo;
mod error;
pub mod failures;
pub mod job_counts;
pub mod job_history;
mod job_keys;
pub mod jobs;
mod json;
pub mod log_lines;
pub mod prune;
pub mod queues;
pub mod schedules;
pub mod settings;
mod sqlite;
pub mod stats;
mod tags;

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use ::jobs::clock;
use chrono::{DateTime, Utc};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    IsolationLevel, SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
    sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous},
};
use tokio::sync::{Mutex, MutexGuard};

pub use self::{error::StoreError, settings::DatabaseSettings};

/// How long a SQLite writer waits for a writer of another process.
const SQLITE_BUSY: Duration = Duration::from_secs(5);

/// How long the answer of PostgreSQL's clock may take.
const CLOCK_ANSWER: Duration = Duration::from_secs(2);

/// Prepared statements that each connection keeps.
const STATEMENTS: usize = 24;

/// The handle on the database. Cheap to clone; all clones share one pool.
#[derive(Clone)]
pub struct Store {
    database: DatabaseConnection,
    /// No call takes longer, however silent the database is.
    limit: Duration,
    /// SQLite has one writer at a time. Queueing here is fair and wakes at once; its own busy handler sleeps and polls.
    write_gate: Option<Arc<Mutex<()>>>,
}

impl Store {
    /// Prepares the pool. A PostgreSQL that is away is no error: calls fail until it is there.
    ///
    /// # Errors
    /// When the URL cannot be used, or the SQLite file cannot be opened or created.
    pub async fn connect(settings: &DatabaseSettings) -> Result<Self, StoreError> {
        let mut options = ConnectOptions::new(settings.url.as_str());
        options
            .max_connections(settings.max_connections)
            .min_connections(settings.min_connections)
            .acquire_timeout(settings.acquire_timeout)
            .statement_timeout(settings.statement_timeout)
            // A round trip for every call, so that no call fails on a connection that died unnoticed.
            .test_before_acquire(true)
            .set_application_name("spiral-web-api")
            .connect_lazy(true)
            .sqlx_logging(false)
            // A batch of every size is a statement of its own, of up to 8,000 parameters: few are worth keeping prepared.
            .map_sqlx_postgres_opts(|postgres| postgres.statement_cache_capacity(STATEMENTS))
            .map_sqlx_sqlite_opts(|sqlite| {
                sqlite
                    .create_if_missing(true)
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Normal)
                    .busy_timeout(SQLITE_BUSY)
                    .foreign_keys(true)
                    .statement_cache_capacity(STATEMENTS)
                    .collation(sqlite::NUMBER_COLLATION, sqlite::compare_numbers)
            });
        let database = Database::connect(options)
            .await
            .map_err(|source| StoreError::new("connect", source))?;
        let sqlite = database.get_database_backend() == DbBackend::Sqlite;
        Ok(Self {
            database,
            limit: settings.acquire_timeout + settings.statement_timeout,
            write_gate: sqlite.then(|| Arc::new(Mutex::new(()))),
        })
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.bounded("ping", self.database.ping()).await
    }

    /// Asks PostgreSQL for the time, which all processes follow. SQLite has none but that of this machine.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn follow_clock(&self) -> Result<(), StoreError> {
        if self.backend() != DbBackend::Postgres {
            clock::now();
            return Ok(());
        }
        let asked = Instant::now();
        let statement = Statement::from_string(DbBackend::Postgres, "SELECT clock_timestamp()");
        let asking = async {
            let row = self.database.query_one_raw(statement).await?;
            row.map(|row| row.try_get_by_index::<DateTime<Utc>>(0))
                .transpose()
        };
        let time = self.bounded("follow_clock", asking).await?;
        // An answer that was long on its way says little.
        if let Some(time) = time.filter(|_| asked.elapsed() < CLOCK_ANSWER) {
            clock::follow(time);
        }
        Ok(())
    }

    /// Closes the pool, for an orderly end.
    pub async fn close(self) -> Result<(), StoreError> {
        self.database
            .close()
            .await
            .map_err(|source| StoreError::new("close", source))
    }

    /// Runs one operation, never longer than the limit: a server that was cut off from the network answers nothing,
    /// not even an error.
    async fn bounded<T>(
        &self,
        operation: &'static str,
        future: impl Future<Output = Result<T, DbErr>> + Send,
    ) -> Result<T, StoreError> {
        match tokio::time::timeout(self.limit, future).await {
            Ok(result) => result.map_err(|source| StoreError::new(operation, source)),
            Err(_elapsed) => Err(StoreError::Timeout {
                operation,
                limit: self.limit,
            }),
        }
    }

    fn backend(&self) -> DbBackend {
        self.database.get_database_backend()
    }

    /// A transaction that writes. SQLite's own default would take the write lock at the first write, too late for what
    /// was read before it.
    async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        self.database.begin_with_options(options).await
    }

    /// A transaction that reads one state of the database, whatever is written meanwhile.
    async fn snapshot(&self) -> Result<DatabaseTransaction, DbErr> {
        let isolation = (self.backend() == DbBackend::Postgres).then_some(IsolationLevel::RepeatableRead);
        self.database.begin_with_config(isolation, None).await
    }

    /// Held around every write. Nothing to wait for on PostgreSQL.
    async fn write_turn(&self) -> Option<MutexGuard<'_, ()>> {
        match &self.write_gate {
            Some(gate) => Some(gate.lock().await),
            None => None,
        }
    }
}
