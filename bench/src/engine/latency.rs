//! From enqueuing to the start of the handler, on an idle queue: one job after the other, with a pause between them.
//!
//! Each job carries the time at which it was sent, taken before the call that enqueues it, and its handler looks at the
//! same clock first.

use std::time::Duration;

use anyhow::{Result, bail};
use xtask::bench::options::Options;
use xtask::interrupt;

use super::aims::Aim;
use super::{Arena, PATIENCE, progress, rounds};
use crate::contestant::{Apalis, BullMq, Contestant, Spiral};
use crate::lines::Said;
use crate::peer::Peer;
use crate::sample::{count, percentile, ratio, time};
use crate::table::Table;
use crate::worker::ApalisSetup;

/// Jobs of one round that count, after some that warm up.
const JOBS: usize = 100;
const WARM_UP: usize = 20;

/// The same for a side that takes about a second each time.
const JOBS_OF_THE_SLOW: usize = 3;

/// How long the queue is idle before the next job comes.
const PAUSE: Duration = Duration::from_millis(5);

struct Entry {
    contestant: Box<dyn Contestant>,
    warm_up: usize,
    jobs: usize,
    /// From the sending to the start.
    times: Vec<Duration>,
}

/// Measures and prints the table.
pub(super) async fn run(options: &Options) -> Result<Vec<Aim>> {
    let mut arena = Arena::open().await?;
    let (url, concurrency) = (arena.redis.url(), options.concurrency);
    let apalis = "apalis-redis's own storage, heartbeat 1 s";
    let apalis = Apalis::new(apalis, &url, concurrency, ApalisSetup::LOOKS_EVERY_SECOND).await?;
    let entry = |contestant: Box<dyn Contestant>, warm_up: usize, jobs: usize| Entry {
        contestant,
        warm_up,
        jobs,
        times: Vec::new(),
    };
    let mut apalis = entry(Box::new(apalis), 1, JOBS_OF_THE_SLOW);
    let mut bullmq = entry(Box::new(BullMq::new(&url, concurrency).await?), WARM_UP, JOBS);
    let mut spiral = entry(Box::new(Spiral::new(&url, concurrency).await?), WARM_UP, JOBS);
    for number in 1..=options.rounds {
        for entry in [&mut apalis, &mut bullmq, &mut spiral] {
            let name = entry.contestant.name();
            progress(
                "latency",
                &format!("round {number} of {}: {name}", options.rounds),
            );
            arena.clear().await?;
            measure(entry).await?;
        }
    }
    Ok(print(options, &apalis, &bullmq, &spiral))
}

async fn measure(entry: &mut Entry) -> Result<()> {
    let contestant = entry.contestant.as_ref();
    let name = contestant.name();
    let mut worker = Peer::start(name, contestant.worker(0)?).await?;
    worker.order("go").await?;
    for number in 0..entry.warm_up + entry.jobs {
        interrupt::check()?;
        contestant.enqueue_one().await?;
        let said = worker.hear(PATIENCE).await?;
        let Said::Started { after_us } = said else {
            bail!("{name} said {said:?}")
        };
        if number >= entry.warm_up {
            entry.times.push(Duration::from_secs_f64(after_us.max(0.0) / 1e6));
        }
        tokio::time::sleep(PAUSE).await;
    }
    worker.stop().await
}

fn print(options: &Options, apalis: &Entry, bullmq: &Entry, spiral: &Entry) -> Vec<Aim> {
    println!(
        "From enqueuing to the start of the handler, on an idle queue: one job at a time, {} ms apart, in {} by \
         turns.\n",
        PAUSE.as_millis(),
        rounds(options.rounds)
    );
    let of = |entry: &Entry, percent| percentile(&entry.times, percent).as_secs_f64();
    let to_bullmq = |entry: &Entry| of(entry, 50) / of(bullmq, 50);
    let mut table = Table::new(&["", "jobs", "p50", "p95", "p99", "p50, to BullMQ's"]);
    for entry in [apalis, bullmq, spiral] {
        let [p50, p95, p99] = [50, 95, 99].map(|percent| time(percentile(&entry.times, percent)));
        table.row([
            entry.contestant.name().to_owned(),
            count(entry.times.len() as u64),
            p50,
            p95,
            p99,
            ratio(to_bullmq(entry)),
        ]);
    }
    table.print(options.markdown);
    let measured = to_bullmq(spiral);
    let text = "start on an idle queue, p50: at most half of BullMQ's";
    vec![Aim::at_most(
        text,
        measured,
        format!("{} times", ratio(measured)),
        0.5,
    )]
}
