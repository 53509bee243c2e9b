//! The queue engine: no-op jobs beside apalis-redis's own storage and BullMQ, its latency, the whole path, its memory,
//! and what was aimed at.
//!
//! All sides use the same Redis over TCP, the same concurrency, and one worker process; in turns.

mod aims;
mod drain;
mod latency;
mod load;
mod memory;
pub(crate) mod monitoring;
mod path;
mod stack;

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use redis::aio::MultiplexedConnection;
use tempfile::TempDir;
use xtask::bench::options::{Options, Part};
use xtask::redis::Redis;
use xtask::{interrupt, say};

use crate::contestant::Contestant;
use crate::lines::Said;
use crate::peer::Peer;
use crate::{machine, processes};

/// How long a side may take to run its jobs.
const PATIENCE: Duration = Duration::from_mins(10);

/// Measures and prints the tables.
pub(crate) async fn run(options: &Options) -> Result<()> {
    println!(
        "Engine: jobs that do nothing, one worker process, concurrency {} on every side.",
        options.concurrency
    );
    println!("{}", machine::peers(options)?);
    println!("Redis without persistence, over TCP, the same for all; PostgreSQL as it comes (fsync on).\n");
    let mut aims = Vec::new();
    for part in &options.engine {
        interrupt::check()?;
        aims.extend(match part {
            Part::Drain => drain::run(options).await?,
            Part::Latency => latency::run(options).await?,
            Part::Path => path::run(options).await?,
            Part::Memory => memory::run(options).await?,
        });
    }
    aims::print(&aims, options.markdown);
    Ok(())
}

/// The Redis that the sides share. Fields end in this order: the server before its folder.
struct Arena {
    connection: MultiplexedConnection,
    redis: Redis,
    _folder: TempDir,
}

impl Arena {
    async fn open() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("spiral-bench-").tempdir()?;
        let redis = tokio::task::block_in_place(|| Redis::start(folder.path()))?;
        let client = redis::Client::open(redis.url())?;
        Ok(Self {
            connection: client.get_multiplexed_async_connection().await?,
            redis,
            _folder: folder,
        })
    }

    async fn clear(&mut self) -> Result<()> {
        let () = redis::cmd("FLUSHALL").query_async(&mut self.connection).await?;
        Ok(())
    }
}

/// What one round showed.
#[derive(Debug, Clone, Copy)]
struct Round {
    enqueue: Duration,
    /// From the worker's start until Redis knows that every job is done.
    drain: Duration,
    /// What Redis itself worked, from the first push to the end.
    redis: Duration,
    /// What the worker's process worked.
    worker: Duration,
}

/// A backlog is enqueued, then one worker takes it.
async fn round(arena: &mut Arena, contestant: &dyn Contestant, jobs: u64) -> Result<Round> {
    let name = contestant.name();
    arena.clear().await?;
    let busy = processes::redis_worked(&mut arena.connection).await?;
    let enqueue = contestant.enqueue(jobs).await?;

    let mut worker = Peer::start(name, contestant.worker(jobs)?).await?;
    let begin = Instant::now();
    worker.order("go").await?;
    let said = worker.hear(PATIENCE).await?;
    ensure!(said == Said::Ran, "{name} said {said:?}");
    while !contestant.is_drained(jobs).await? {
        interrupt::check()?;
        ensure!(
            begin.elapsed() < PATIENCE,
            "{name} did not finish its jobs within {}",
            say::time(PATIENCE)
        );
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let drain = begin.elapsed();
    worker.order("report").await?;
    let Said::Report { jobs: ran, cpu_us } = worker.hear(PATIENCE).await? else {
        bail!("{name} made no report");
    };
    ensure!(ran == jobs, "{name} ran {ran} times what were {jobs} jobs");
    let redis = processes::redis_worked(&mut arena.connection).await?;
    worker.stop().await?;
    Ok(Round {
        enqueue,
        drain,
        redis: redis.saturating_sub(busy),
        worker: Duration::from_secs_f64(cpu_us / 1e6),
    })
}

/// `1 round`, `5 rounds`
fn rounds(number: usize) -> String {
    format!("{number} {}", if number == 1 { "round" } else { "rounds" })
}

/// Says on standard error what is measured now: it takes minutes, and the tables come at the end.
fn progress(part: &str, what: &str) {
    eprintln!("  {part:<10} {what} …");
}
