//! The plain mode: the API of one of any number of processes, with a database and a Redis that others run.

use std::sync::Arc;

use anyhow::Context as _;
use jobs::catalog::Catalog;
use jobs::queue::Queues;
use jobs::version;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::config::Config;
use crate::endpoints;
use crate::server::Listening;
use crate::store::Store;

/// Serves until `shutdown`, then answers what is under way and ends.
///
/// # Errors
/// When it cannot start, or a part that should go on for ever ends.
pub async fn run(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
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
    if !server.is_private() && server.access.is_open() {
        tracing::warn!(
            address = %listening.address(),
            "everybody who reaches this address may do everything: set SPIRAL_ADMIN_TOKEN, unless a proxy guards it"
        );
    }
    let catalog = Arc::new(Catalog::new(&functions)?);
    let store = Store::connect(&database)
        .await
        .context("cannot use the database")?;
    let queues = Queues::connect(&redis).await.context("cannot use Redis")?;
    let router = endpoints::router();
    let mut app = App::start(server, catalog, store.clone(), queues, shutdown.clone())?;
    tracing::info!(
        address = %format_args!("http://{}", listening.address()), version = version::described(),
        "the API is ready"
    );
    let result = tokio::select! {
        served = listening.serve(router, app.state(), shutdown.clone()) => served.context("the HTTP server failed"),
        error = app.failed() => Err(error.into()),
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
