//! The all-in-one mode: the API, the workers, a SQLite file, a private Redis and the static frontend in one process,
//! with everything it keeps in one folder. For trying Spiral out, for development and for small machines.
//!
//! [`run`] has to be awaited on the main thread: the private Redis ends with the thread that started it.

mod data_folder;
mod redis_child;
mod redis_client;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use jobs::catalog::Catalog;
use jobs::queue::{Queues, RedisSettings};
use jobs::version;
use jobs::worker::{self, WorkerSettings};
use tokio_util::sync::CancellationToken;

use self::data_folder::DataFolder;
use self::redis_child::RedisChild;
use crate::app::App;
use crate::config::{AllInOneConfig, Config};
use crate::db::{DatabaseSettings, Store};
use crate::http::routes;
use crate::http::server::Listening;
use jobs::error::chain;

/// How long the database file may take to open; only another program could hold it.
const DATABASE_PATIENCE: Duration = Duration::from_secs(10);
/// How long outcomes may take to reach the database at the end.
const RECORD_TIMEOUT: Duration = Duration::from_secs(5);

/// What the command line says.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where everything is kept.
    pub data: PathBuf,
    /// The frontend's static build; without it there is only the API.
    pub statics: Option<PathBuf>,
}

/// Runs until `shutdown`; then lets jobs finish, records them, saves and ends Redis.
///
/// # Errors
/// When it cannot start, or a part that should go on for ever ends.
pub async fn run(
    options: Options,
    config: AllInOneConfig,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let server = &config.config.server;
    server.check_exposure()?;
    let statics = options.statics.as_deref();
    let statics = statics
        .map(|folder| crate::http::static_files::router(folder, &server.base_path))
        .transpose()?;
    let listening =
        Listening::bind(server.listen).with_context(|| format!("cannot listen on {}", server.listen))?;
    let folder = DataFolder::open(&options.data)?;
    let redis = RedisChild::start(&folder).await?;
    let redis_end = CancellationToken::new();
    let url = redis.url();
    let serving = async {
        // Whatever happened, Redis ends after all that need it.
        let _end = redis_end.clone().drop_guard();
        serve(listening, statics, &folder, url, config, shutdown).await
    };
    let (served, kept) = tokio::join!(serving, redis.keep(redis_end.clone()));
    served.and(kept)?;
    tracing::info!("ended in order");
    Ok(())
}

async fn serve(
    listening: Listening,
    statics: Option<salvo::Router>,
    folder: &DataFolder,
    redis_url: String,
    config: AllInOneConfig,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let AllInOneConfig {
        config:
            Config {
                server,
                database,
                redis,
                functions,
                log: _,
            },
        worker,
    } = config;
    let redis = RedisSettings {
        url: redis_url,
        ..redis
    };
    let database = DatabaseSettings {
        url: folder.database_url(),
        ..database
    };
    migrate(&database.url).await?;
    let catalog = Arc::new(Catalog::new(&functions)?);
    let store = Store::connect(&database)
        .await
        .context("cannot use the database file")?;
    let queues = Queues::connect(&redis)
        .await
        .context("cannot use the private Redis")?;
    let mut router = routes::router();
    if let Some(statics) = statics {
        router = router.push(statics);
    }
    let mut app = App::start(
        server,
        Arc::clone(&catalog),
        store.clone(),
        queues.clone(),
        shutdown.clone(),
    )?;
    let worker_settings = WorkerSettings { redis, ..worker };
    let mut working = tokio::spawn(worker::run(
        worker_settings,
        Arc::clone(&catalog),
        shutdown.clone(),
    ));
    tracing::info!(
        address = %format_args!("http://{}{}", listening.address(), app.state().settings().base_path), version = version::described(),
        data = %folder.path().display(), "Spiral is ready"
    );
    let mut result = tokio::select! {
        served = listening.serve(router, app.state(), shutdown.clone()) => served.context("the HTTP server failed"),
        error = app.failed() => Err(error.into()),
        // Before the shutdown no worker ends in order.
        ended = &mut working, if !shutdown.is_cancelled() => match ended {
            Ok(Err(error)) => Err(anyhow::Error::new(error).context("the worker ended")),
            Ok(Ok(())) if shutdown.is_cancelled() => Ok(()),
            Ok(Ok(())) => Err(anyhow::anyhow!("the worker ended by itself")),
            Err(error) => Err(anyhow::Error::new(error).context("the worker panicked")),
        },
    };
    shutdown.cancel();
    if !working.is_finished() {
        tracing::info!("stopping: running jobs may finish");
        let ended = match working.await {
            Ok(ended) => ended.map_err(anyhow::Error::new),
            Err(error) => Err(error.into()),
        };
        if let Err(error) = ended {
            let error = error.context("the worker ended badly");
            tracing::error!(error = format!("{error:#}"), "the worker ended badly");
            result = result.and(Err(error));
        }
    }
    record_the_rest(&queues, &catalog).await;
    app.end().await;
    store
        .close()
        .await
        .context("the database file was not closed in order")?;
    result
}

async fn migrate(url: &str) -> anyhow::Result<()> {
    let database = migrations::connect(url, DATABASE_PATIENCE)
        .await
        .context("cannot open the database file")?;
    let applied = migrations::migrate_up(&database)
        .await
        .context("cannot bring the database file up to date")?;
    if !applied.is_empty() {
        tracing::info!(?applied, "the database file is up to date now");
    }
    Ok(())
}

/// Waits until all that the workers did is in the database.
async fn record_the_rest(queues: &Queues, catalog: &Catalog) {
    let recorder = queues.recorder(&catalog.queues(), "all-in-one-end");
    let drained = async {
        loop {
            match recorder.drained().await {
                Ok(true) => return,
                Ok(false) => tokio::time::sleep(Duration::from_millis(20)).await,
                Err(error) => {
                    tracing::debug!(error = %chain(&error), "cannot ask whether all is recorded");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
        }
    };
    if tokio::time::timeout(RECORD_TIMEOUT, drained).await.is_err() {
        tracing::warn!("not all outcomes are recorded yet; the rest follows at the next start");
    }
}
