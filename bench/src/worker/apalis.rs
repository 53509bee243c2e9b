//! apalis-redis's own storage and apalis's worker, set up as its README shows.

use std::sync::Arc;

use anyhow::Result;
use apalis::layers::WorkerBuilderExt as _;
use apalis::prelude::{Data, WorkerBuilder};
use apalis_redis::{Config, ConnectionManager, RedisStorage};

use super::{ApalisSetup, NOOP, NoopInput, Ran, Running};

async fn noop(input: NoopInput, ran: Data<Arc<Ran>>) {
    ran.ran(&input);
}

pub(crate) fn config(concurrency: usize, setup: ApalisSetup) -> Config {
    Config::default()
        .queue(NOOP)
        .batch_size(concurrency)
        .heartbeat_interval(setup.heartbeat)
        .lock_tasks(setup.lock_tasks)
}

pub(crate) fn storage(
    connection: ConnectionManager,
    config: Config,
) -> RedisStorage<NoopInput, ConnectionManager> {
    RedisStorage::new(connection).with_config(config)
}

pub(super) async fn start(
    url: &str,
    concurrency: usize,
    setup: ApalisSetup,
    ran: Arc<Ran>,
) -> Result<Running> {
    let connection = apalis_redis::connect(url).await?;
    let worker = WorkerBuilder::new("bench")
        .backend(storage(connection, config(concurrency, setup)))
        .concurrency(concurrency)
        .data(ran)
        .build(noop);
    let task = tokio::spawn(async move {
        if let Err(error) = worker.run().await {
            eprintln!("apalis-redis's worker ended: {error}");
        }
    });
    Ok(Running { task, shutdown: None })
}
