//! The plain mode: the API of one of any number of processes, with a database and a Redis that others run.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use jobs::catalog::Catalog;
use jobs::queue::Queues;
use jobs::version;
use migrations::SessionError;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::config::Config;
use crate::db::Store;
use crate::http::routes;
use crate::http::server::Listening;

/// How long the first answer of the database is waited for. Then it serves without: most calls are told to come again,
/// and those that can be answered are. (Redis is not waited for: calls are accepted without it.)
const FIRST_ANSWER: Duration = Duration::from_secs(10);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(100);
/// Between two questions whether it is behind a pooler, while it is away.
const PAUSE_OF_SESSIONS: Duration = Duration::from_secs(1);

/// Serves until `shutdown`, then answers what is under way and ends.
///
/// # Errors
/// When it cannot start, or a part that should go on for ever ends.
pub async fn run(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    config.server.check_exposure()?;
    let address = config.server.listen;
    let listening = Listening::bind(address).with_context(|| format!("cannot listen on {address}"))?;
    run_on(listening, config, shutdown).await
}

/// The same on a socket that listens already.
///
/// # Errors
/// As [`run`].
pub async fn run_on(listening: Listening, config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    let Config {
        server,
        database,
        redis,
        functions,
        log: _,
    } = config;
    let catalog = Arc::new(Catalog::new(&functions)?);
    let store = Store::connect(&database)
        .await
        .context("cannot use the database")?;
    let queues = Queues::connect(&redis).await.context("cannot use Redis")?;
    let router = routes::router();
    // Before anything is asked, if the database is there already.
    let known = match migrations::check_sessions(&database.url).await {
        Err(shared @ SessionError::Shared { .. }) => return Err(shared.into()),
        Err(SessionError::Unknown { .. }) => false,
        Ok(()) => true,
    };
    let answer = first_answer(store.clone());
    let mut app = App::start(server, catalog, store.clone(), queues, shutdown.clone())?;
    // Whoever has connected meanwhile waits. So a replica that joins others under load refuses nobody.
    tokio::select! {
        answered = tokio::time::timeout(FIRST_ANSWER, answer) => if answered.is_err() {
            let waited = FIRST_ANSWER.as_secs();
            tracing::warn!("the database has not answered for {waited} s; serving all the same");
        },
        () = shutdown.cancelled() => {}
    }
    tracing::info!(
        address = %format_args!("http://{}{}", listening.address(), app.state().settings().base_path), version = version::described(),
        "the API is ready"
    );
    let result = tokio::select! {
        served = listening.serve(router, app.state(), shutdown.clone()) => served.context("the HTTP server failed"),
        error = app.failed() => Err(error.into()),
        shared = sessions_are_shared(&database.url), if !known => Err(shared.into()),
    };
    shutdown.cancel();
    app.end().await;
    store
        .close()
        .await
        .context("the database was not closed in order")?;
    tracing::info!("ended in order");
    result
}

/// Resolves when the database is found behind a pooler that it cannot be used through.
async fn sessions_are_shared(url: &str) -> SessionError {
    loop {
        match migrations::check_sessions(url).await {
            Err(shared @ SessionError::Shared { .. }) => return shared,
            Err(SessionError::Unknown { .. }) => tokio::time::sleep(PAUSE_OF_SESSIONS).await,
            Ok(()) => std::future::pending().await,
        }
    }
}

async fn first_answer(store: Store) {
    while store.ping().await.is_err() {
        tokio::time::sleep(PAUSE).await;
    }
}
