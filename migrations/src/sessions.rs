//! Whether connections to PostgreSQL have server sessions of their own.
//!
//! A pooler such as `PgBouncer` in transaction mode hands the session of one connection to another between two
//! transactions. Prepared statements, settings and timeouts belong to the session: statements would answer with the rows of
//! others. So this is looked at before anything is asked.

use std::time::Duration;

use sea_orm::sqlx::{
    self, AssertSqlSafe, Connection as _, Row as _,
    postgres::{PgConnectOptions, PgConnection},
};

use crate::connection::redacted;

/// Looks at each of the two connections. A pooler that has several idle sessions may take them in turn.
const ROUNDS: u32 = 4;
/// A pooler whose sessions are all taken lets the second connection wait: then it gives none away.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why the database at an address cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    #[error(
        "the database at {url} is behind a pooler that gives the session of one connection to another, as PgBouncer does \
         with pool_mode = transaction or statement; Spiral needs sessions of its own: connect to PostgreSQL directly, or \
         set pool_mode = session for this database"
    )]
    Shared { url: String },
    #[error("the database at {url} cannot be asked whether it is behind a pooler")]
    Unknown {
        url: String,
        #[source]
        source: sqlx::Error,
    },
}

/// Asserts that two connections never get the same session, and that one keeps its own. SQLite has none.
///
/// # Errors
/// When sessions are shared, or it cannot be found out now.
pub async fn check_sessions(url: &str) -> Result<(), SessionError> {
    let shown = || redacted(url);
    if url.starts_with("sqlite:") {
        return Ok(());
    }
    match tokio::time::timeout(PATIENCE, are_shared(url)).await {
        Ok(Ok(false)) => Ok(()),
        Ok(Ok(true)) => Err(SessionError::Shared { url: shown() }),
        Ok(Err(source)) => Err(SessionError::Unknown { url: shown(), source }),
        Err(_elapsed) => Err(SessionError::Unknown {
            url: shown(),
            source: sqlx::Error::PoolTimedOut,
        }),
    }
}

async fn are_shared(url: &str) -> Result<bool, sqlx::Error> {
    let options: PgConnectOptions = url.parse()?;
    let options = options.application_name("spiral-sessions");
    let (mut one, mut other) = tokio::try_join!(
        PgConnection::connect_with(&options),
        PgConnection::connect_with(&options)
    )?;
    let mine = session(&mut one).await?;
    let mut shared = false;
    for _ in 0..ROUNDS {
        // The one twice: of two idle sessions that are taken in turn it would get its own again.
        shared |= session(&mut other).await? == mine;
        shared |= session(&mut one).await? != mine;
        shared |= session(&mut one).await? != mine;
    }
    one.close().await?;
    other.close().await?;
    Ok(shared)
}

/// The session that a connection has at this moment. Without a prepared statement, which might be that of another.
async fn session(connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
    let row = sqlx::raw_sql(AssertSqlSafe("SELECT pg_backend_pid()"))
        .fetch_one(connection)
        .await?;
    row.try_get(0)
}
