//! The whole path: jobs come in over HTTP and are rows in PostgreSQL; then a worker takes them, until SQL knows that all
//! are completed. In turns with BullMQ's drain, which knows neither HTTP nor SQL.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::task::block_in_place;
use xtask::bench::options::Options;
use xtask::interrupt;

use super::aims::Aim;
use super::stack::Stack;
use super::{Arena, PATIENCE, Round, load, progress, round, rounds};
use crate::contestant::BullMq;
use crate::processes;
use crate::sample::{count, hundreds, median_of, rate, ratio};
use crate::table::Table;

/// Jobs of one round.
const JOBS: u64 = 100_000;

/// What one round of the whole path showed.
struct Whole {
    accept: Duration,
    drain: Duration,
    /// What the processes worked, from the first call to the end.
    redis: Duration,
    web_api: Duration,
    worker: Duration,
}

/// Measures and prints the table.
pub(super) async fn run(options: &Options) -> Result<Vec<Aim>> {
    let jobs = options.backlog.min(JOBS);
    let mut arena = Arena::open().await?;
    let bullmq = BullMq::new(&arena.redis.url(), options.concurrency).await?;
    progress("path", "starting PostgreSQL, Redis and web-api");
    let mut stack = Stack::start(options.concurrency).await?;
    let mut peer = Vec::new();
    let mut whole = Vec::new();
    for number in 1..=options.rounds {
        interrupt::check()?;
        progress("path", &format!("round {number} of {}: BullMQ", options.rounds));
        peer.push(round(&mut arena, &bullmq, jobs).await?);
        progress("path", &format!("round {number} of {}: Spiral", options.rounds));
        whole.push(measure(&mut stack, jobs).await?);
    }
    let (completed, all) = stack.completed()?;
    let accepted = jobs * options.rounds as u64;
    ensure!(
        completed == accepted && all == accepted,
        "{accepted} jobs were accepted; SQL has {completed} completed ones among {all}"
    );
    Ok(print(options, jobs, &peer, &whole))
}

async fn measure(stack: &mut Stack, jobs: u64) -> Result<Whole> {
    let web_api = processes::worked(stack.web_api.id()).unwrap_or_default();
    let redis = processes::redis_worked(&mut stack.redis).await?;
    let accept = load::accept(&stack.client, &stack.address, jobs).await?;

    let begin = Instant::now();
    let mut worker = stack.worker()?;
    stack
        .finished(&mut worker, PATIENCE, async |_redis| Ok(()))
        .await?;
    let drain = begin.elapsed();
    let worked = |process| processes::worked(process).unwrap_or_default();
    let whole = Whole {
        accept,
        drain,
        redis: processes::redis_worked(&mut stack.redis)
            .await?
            .saturating_sub(redis),
        web_api: worked(stack.web_api.id()).saturating_sub(web_api),
        worker: worked(worker.id()),
    };
    ensure!(
        block_in_place(|| worker.stop()),
        "the worker did not end in order"
    );
    Ok(whole)
}

fn print(options: &Options, jobs: u64, peer: &[Round], whole: &[Whole]) -> Vec<Aim> {
    println!(
        "The whole path: {} jobs over HTTP into PostgreSQL, then drained until SQL knows that all are completed; \
         medians of {} by turns.\n",
        count(jobs),
        rounds(options.rounds)
    );
    let each = |time: Duration| format!("{:.1}", 1e6 / rate(jobs, time));
    let peer_drain = rate(jobs, median_of(peer, |round| round.drain));
    let drain = rate(jobs, median_of(whole, |round| round.drain));
    let mut table = Table::new(&[
        "",
        "accept, jobs/s",
        "drain, jobs/s",
        "Redis, µs/job",
        "web-api, µs/job",
        "worker, µs/job",
        "drain, to BullMQ's",
    ]);
    table.row([
        "BullMQ, without HTTP and SQL".to_owned(),
        hundreds(rate(jobs, median_of(peer, |round| round.enqueue))),
        hundreds(peer_drain),
        each(median_of(peer, |round| round.redis)),
        String::new(),
        each(median_of(peer, |round| round.worker)),
        ratio(1.0),
    ]);
    table.row([
        "Spiral, the whole path".to_owned(),
        hundreds(rate(jobs, median_of(whole, |round| round.accept))),
        hundreds(drain),
        each(median_of(whole, |round| round.redis)),
        each(median_of(whole, |round| round.web_api)),
        each(median_of(whole, |round| round.worker)),
        ratio(drain / peer_drain),
    ]);
    table.print(options.markdown);
    let measured = drain / peer_drain;
    let text = "drain of the whole path, with PostgreSQL: at least twice BullMQ's drain";
    vec![Aim::at_least(
        text,
        measured,
        format!("{} times", ratio(measured)),
        2.0,
    )]
}
