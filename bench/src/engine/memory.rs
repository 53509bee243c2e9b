//! What Redis holds while jobs wait, through the whole path, and after they are done; and what an idle worker takes.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use redis::aio::MultiplexedConnection;
use tokio::task::block_in_place;
use xtask::bench::options::Options;
use xtask::server::Server;
use xtask::{interrupt, say};

use super::aims::Aim;
use super::stack::Stack;
use super::{load, progress};
use crate::processes;
use crate::sample::{count, hundreds, rate, ratio};
use crate::table::Table;

/// The small backlog is this part of the large one.
const SMALL_PART: u64 = 20;

/// How long the drain of the large backlog may take.
const PATIENCE: Duration = Duration::from_mins(30);

/// For how long a worker is watched while it has nothing to do, after it has settled.
const IDLE: Duration = Duration::from_secs(20);
const SETTLE: Duration = Duration::from_secs(2);

/// What is within the noise of Redis's own buffers and tables.
const SAME: f64 = 1.05;
const SAME_BYTES: f64 = 1024.0 * 1024.0;

/// How long Redis may take to be where it began: events are kept for followers that come back, for two minutes.
const TAIL: Duration = Duration::from_secs(150);

const MIB: f64 = 1024.0 * 1024.0;

/// What Redis held at each time, in bytes.
struct Held {
    before: f64,
    small: f64,
    large: f64,
    most: f64,
    after: f64,
    /// How long after the drain that was.
    waited: Duration,
}

struct Idle {
    /// Of one core.
    share: f64,
    resident: f64,
}

/// Measures and prints the tables.
pub(super) async fn run(options: &Options) -> Result<Vec<Aim>> {
    let large = options.backlog;
    let small = large / SMALL_PART;
    progress("memory", "starting PostgreSQL, Redis and web-api");
    let mut stack = Stack::start(options.concurrency).await?;
    let before = settled(&mut stack.redis).await?;
    progress("memory", &format!("{} jobs over HTTP", count(small)));
    load::accept(&stack.client, &stack.address, small).await?;
    let small_held = settled(&mut stack.redis).await?;
    progress("memory", &format!("{} jobs over HTTP", count(large)));
    let accept = load::accept(&stack.client, &stack.address, large - small).await?;
    let large_held = settled(&mut stack.redis).await?;

    progress("memory", "draining them");
    let mut most = large_held;
    let begin = Instant::now();
    let mut worker = stack.worker()?;
    let watch = async |redis: &mut MultiplexedConnection| {
        most = most.max(processes::redis_memory(redis).await?);
        Ok(())
    };
    stack.finished(&mut worker, PATIENCE, watch).await?;
    let drain = begin.elapsed();
    progress("memory", "what is left");
    let (after, waited) = back(&mut stack.redis, before).await?;
    let (completed, all) = stack.completed()?;
    ensure!(
        completed == large && all == large,
        "{large} jobs were accepted; SQL has {completed} completed ones among {all}"
    );
    ensure!(
        block_in_place(|| worker.stop()),
        "the worker did not end in order"
    );
    let held = Held {
        before,
        small: small_held,
        large: large_held,
        most,
        after,
        waited,
    };

    progress("memory", "an idle worker");
    let idle = idle(stack.worker()?).await?;
    println!(
        "Redis's memory while jobs wait that came over HTTP ({} jobs/s), and after they were drained ({} jobs/s, until \
         SQL knew).\n",
        hundreds(rate(large - small, accept)),
        hundreds(rate(large, drain))
    );
    print(options, small, large, &held);
    print_idle(options, &idle);
    Ok(aims(small, large, &held, &idle))
}

/// What Redis holds when that does not change any more.
async fn settled(redis: &mut MultiplexedConnection) -> Result<f64> {
    let end = Instant::now() + Duration::from_secs(30);
    let mut last = processes::redis_memory(redis).await?;
    loop {
        interrupt::check()?;
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let now = processes::redis_memory(redis).await?;
        if (now - last).abs() < 64.0 * 1024.0 || Instant::now() >= end {
            return Ok(now);
        }
        last = now;
    }
}

/// What Redis holds once that is what it was before, or at last, and how long that took.
async fn back(redis: &mut MultiplexedConnection, before: f64) -> Result<(f64, Duration)> {
    let begin = Instant::now();
    loop {
        interrupt::check()?;
        let now = processes::redis_memory(redis).await?;
        if now - before <= SAME_BYTES || begin.elapsed() >= TAIL {
            return Ok((now, begin.elapsed()));
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

async fn idle(mut worker: Server) -> Result<Idle> {
    tokio::time::sleep(SETTLE).await;
    let no_word = "this system does not tell what a process takes";
    let before = processes::worked(worker.id()).context(no_word)?;
    let begin = Instant::now();
    while begin.elapsed() < IDLE {
        interrupt::check()?;
        worker.check()?;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let worked = processes::worked(worker.id()).context(no_word)?;
    let share = worked.saturating_sub(before).as_secs_f64() / begin.elapsed().as_secs_f64();
    #[expect(
        clippy::cast_precision_loss,
        reason = "bytes of one process are exact in an f64"
    )]
    let resident = processes::resident(worker.id()).context(no_word)? as f64;
    ensure!(
        block_in_place(|| worker.stop()),
        "the worker did not end in order"
    );
    Ok(Idle { share, resident })
}

fn print(options: &Options, small: u64, large: u64, held: &Held) {
    let mut table = Table::new(&["", "Redis, MiB", "to the small backlog"]);
    for (name, bytes) in [
        ("before".to_owned(), held.before),
        (format!("{} jobs wait", count(small)), held.small),
        (format!("{} jobs wait", count(large)), held.large),
        ("at most, while they are drained".to_owned(), held.most),
        (format!("{} after the drain", say::time(held.waited)), held.after),
    ] {
        table.row([name, mib(bytes), ratio(bytes / held.small)]);
    }
    table.print(options.markdown);
}

fn print_idle(options: &Options, idle: &Idle) {
    let mut table = Table::new(&["an idle worker process", ""]);
    table.row([
        format!("of one core, over {} s", IDLE.as_secs()),
        percent(idle.share),
    ]);
    table.row(["resident memory, MiB".to_owned(), mib(idle.resident)]);
    table.print(options.markdown);
}

fn aims(small: u64, large: u64, held: &Held, idle: &Idle) -> Vec<Aim> {
    let grown = held.large / held.small;
    let left = held.after - held.before;
    vec![
        Aim::at_most(
            format!(
                "Redis with {} jobs waiting: no more than with {}, within {:.0} %",
                count(large),
                count(small),
                (SAME - 1.0) * 100.0
            ),
            grown,
            format!("{} times", ratio(grown)),
            SAME,
        ),
        Aim::at_most(
            format!(
                "Redis after the drain: where it began, within {} MiB",
                mib(SAME_BYTES)
            ),
            left,
            format!("{} MiB more, {} later", mib(left), say::time(held.waited)),
            SAME_BYTES,
        ),
        Aim::at_most(
            "an idle worker: below 1 % of a core",
            idle.share,
            percent(idle.share),
            0.01,
        ),
        Aim::at_most(
            "an idle worker: below 30 MiB",
            idle.resident,
            format!("{} MiB", mib(idle.resident)),
            30.0 * MIB,
        ),
    ]
}

fn mib(bytes: f64) -> String {
    format!("{:.1}", bytes / MIB)
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}
