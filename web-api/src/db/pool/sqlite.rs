//! What sqlx does not do for a SQLite connection: it is closed when a transaction is left open on it, and a
//! statement is interrupted when its caller does not wait for it any more.

use std::time::{Duration, Instant};

use sea_orm::sqlx::{self, Connection as _, Sqlite, SqliteConnection, pool::PoolOptions};

/// Steps of SQLite's virtual machine between two checks of the clock: some tens of microseconds.
const STEPS: i32 = 10_000;

/// With connections that are checked when they are returned.
pub(super) fn guarded(pool: PoolOptions<Sqlite>, limit: Duration) -> PoolOptions<Sqlite> {
    pool.after_connect(move |connection, _| {
        Box::pin(async move { begin_use(connection, limit).await.map(|_good| ()) })
    })
    .after_release(|connection, _| Box::pin(is_at_rest(connection)))
}

/// From now on each statement is interrupted after `limit`: its caller waits no longer, and a search that
/// continued would keep its connection from others.
pub(super) async fn begin_use(
    connection: &mut SqliteConnection,
    limit: Duration,
) -> Result<bool, sqlx::Error> {
    let deadline = Instant::now() + limit;
    connection
        .lock_handle()
        .await?
        .set_progress_handler(STEPS, move || Instant::now() < deadline);
    Ok(true)
}

/// Whether no transaction is open on it.
///
/// SQLite rolls a transaction back by itself when its disk is full or fails. The driver's own ROLLBACK fails
/// after that, and it still counts one open transaction: the next one would be a savepoint inside a
/// transaction that is never committed, and everything that is reported as recorded from then on would be
/// lost. Such a connection is closed.
async fn is_at_rest(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    // A rollback that was started is over after this.
    connection.ping().await?;
    let at_rest = !connection.is_in_transaction();
    if !at_rest {
        tracing::warn!("SQLite has ended a transaction by itself; its connection is closed");
    }
    Ok(at_rest)
}
