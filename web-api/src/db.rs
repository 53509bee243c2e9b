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
mod health;
pub mod job_counts;
pub mod job_history;
mod job_keys;
pub mod jobs;
mod json;
pub mod log_lines;
mod pool;
pub mod prune;
pub mod queues;
mod refusals;
pub mod schedules;
pub mod settings;
mod sqlite;
pub mod stats;
mod tags;
mod values;

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use ::jobs::clock;
use chrono::{DateTime, Utc};
use sea_orm::{
    ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, IsolationLevel,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
};
use tokio::sync::{Mutex, MutexGuard};

pub use self::{
    error::{Reason, StoreError},
    settings::DatabaseSettings,
};
use self::{
    pool::shares::{Share, Shares},
    refusals::Refusals,
};

/// How long the answer of PostgreSQL's clock may take.
const CLOCK_ANSWER: Duration = Duration::from_secs(2);

/// The handle on the database. Cheap to clone; all clones share one pool.
#[derive(Clone)]
pub struct Store {
    database: DatabaseConnection,
    /// No call takes longer, however silent the database is.
    limit: Duration,
    /// How long a call waits for a connection of its share, and a writer for its turn.
    patience: Duration,
    shares: Shares,
    /// What this handle is used for.
    share: Share,
    /// Why the database would not do what it was asked to.
    refusals: Refusals,
    /// SQLite has one writer at a time. Queueing here is fair and wakes at once; its own busy handler sleeps and polls.
    write_gate: Option<Arc<Mutex<()>>>,
}

impl Store {
    /// Prepares the pool. A PostgreSQL that is away is no error: calls fail until it is there.
    ///
    /// # Errors
    /// When the URL cannot be used, or the SQLite file cannot be opened or created.
    pub async fn connect(settings: &DatabaseSettings) -> Result<Self, StoreError> {
        let database = Database::connect(pool::options(settings))
            .await
            .map_err(|source| StoreError::new("connect", source))?;
        let sqlite = database.get_database_backend() == DbBackend::Sqlite;
        Ok(Self {
            database,
            limit: settings.limit(),
            patience: settings.acquire_timeout,
            shares: Shares::of(settings.max_connections, settings.search_connections),
            share: Share::Requests,
            refusals: Refusals::default(),
            write_gate: sqlite.then(|| Arc::new(Mutex::new(()))),
        })
    }

    /// The same database for a background role: it and requests never wait for each other's connections.
    #[must_use]
    pub fn for_roles(&self) -> Self {
        Self {
            share: Share::Roles,
            ..self.clone()
        }
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
        self.bounded_in(self.share, operation, Box::pin(future)).await
    }

    /// The same for what may look at many rows.
    async fn bounded_search<T>(
        &self,
        operation: &'static str,
        future: impl Future<Output = Result<T, DbErr>> + Send,
    ) -> Result<T, StoreError> {
        let share = match self.share {
            Share::Requests | Share::Searches => Share::Searches,
            Share::Roles => Share::Roles,
        };
        self.bounded_in(share, operation, Box::pin(future)).await
    }

    async fn bounded_in<T>(
        &self,
        share: Share,
        operation: &'static str,
        future: Pin<Box<impl Future<Output = Result<T, DbErr>> + Send>>,
    ) -> Result<T, StoreError> {
        let within = async {
            let Some(_place) = self.shares.take(share, self.patience).await else {
                let limit = self.patience;
                return Err(StoreError::Busy { operation, limit });
            };
            future.await.map_err(|source| StoreError::new(operation, source))
        };
        let result = match tokio::time::timeout(self.limit, within).await {
            Ok(result) => result,
            Err(_elapsed) => Err(StoreError::Timeout {
                operation,
                limit: self.limit,
            }),
        };
        self.refusals.note(operation, result.as_ref().err());
        result
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
    ///
    /// # Errors
    /// When other writers do not get on: whoever holds the turn waits for a writer of another process.
    async fn write_turn(&self) -> Result<Option<MutexGuard<'_, ()>>, StoreError> {
        let Some(gate) = &self.write_gate else {
            return Ok(None);
        };
        match tokio::time::timeout(self.patience, gate.lock()).await {
            Ok(turn) => Ok(Some(turn)),
            Err(_elapsed) => Err(StoreError::Busy {
                operation: "write_turn",
                limit: self.patience,
            }),
        }
    }
}
