//! BullMQ, on Node: one process that enqueues, and one that works.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use redis::aio::MultiplexedConnection;
use tokio::sync::Mutex;
use xtask::{bench, server};

use super::{ApiResponse, Contestant};
use crate::lines::Said;
use crate::peer::Peer;
use crate::worker::NOOP;

/// How long enqueuing may take.
const PATIENCE: Duration = Duration::from_mins(10);

pub(crate) struct BullMq {
    enqueuer: Mutex<Peer>,
    redis: MultiplexedConnection,
    url: String,
    concurrency: usize,
}

impl BullMq {
    pub(crate) async fn new(url: &str, concurrency: usize) -> Result<Self> {
        let mut command = script("enqueuer.js")?;
        command.arg(url);
        let client = redis::Client::open(url)?;
        Ok(Self {
            enqueuer: Mutex::new(Peer::start("BullMQ's enqueuer", command).await?),
            redis: client.get_multiplexed_async_connection().await?,
            url: url.to_owned(),
            concurrency,
        })
    }

    /// Lets its enqueuer do something and says how long that took.
    async fn push(&self, order: &str) -> Result<Duration> {
        let mut enqueuer = self.enqueuer.lock().await;
        enqueuer.order(order).await?;
        let said = enqueuer.hear(PATIENCE).await?;
        let Said::Pushed { took_us } = said else {
            bail!("BullMQ's enqueuer said {said:?}")
        };
        Ok(Duration::from_secs_f64(took_us / 1e6))
    }
}

fn script(name: &str) -> Result<Command> {
    let folder: PathBuf = bench::bullmq();
    ensure!(
        folder.join("node_modules").is_dir(),
        "BullMQ is not installed: `cargo xtask bench engine` does that"
    );
    let mut command = server::command("node");
    command.arg(folder.join(name));
    Ok(command)
}

impl Contestant for BullMq {
    fn name(&self) -> &'static str {
        "BullMQ"
    }

    fn enqueue(&self, jobs: u64) -> ApiResponse<'_, Duration> {
        Box::pin(async move { self.push(&format!("push {jobs}")).await })
    }

    fn enqueue_one(&self) -> ApiResponse<'_, ()> {
        Box::pin(async move { self.push("one").await.map(drop) })
    }

    fn worker(&self, expected: u64) -> Result<Command> {
        let mut command = script("worker.js")?;
        command.arg(&self.url);
        command.args([self.concurrency.to_string(), expected.to_string()]);
        Ok(command)
    }

    fn is_drained(&self, _jobs: u64) -> ApiResponse<'_, bool> {
        Box::pin(async move {
            let mut lengths = redis::pipe();
            for list in ["wait", "active"] {
                lengths.llen(format!("bull:{NOOP}:{list}"));
            }
            for set in ["prioritized", "delayed", "completed", "failed"] {
                lengths.zcard(format!("bull:{NOOP}:{set}"));
            }
            let mut connection = self.redis.clone();
            let left: Vec<u64> = lengths.query_async(&mut connection).await?;
            Ok(left.iter().all(|length| *length == 0))
        })
    }
}
