//! No-op jobs through the queue, beside apalis-redis's own storage: a backlog is pushed, then one worker takes it.
//!
//! All contestants use the same Redis, the same concurrency and the same runtime, in turns. A round ends when Redis
//! knows that every job is done, not when the last one ran.

mod contestant;
mod spiral;
mod storage;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use redis::aio::MultiplexedConnection;
use xtask::interrupt;
use xtask::redis::Redis;

use crate::sample::{count, median, ratio};
use contestant::Contestant;
use spiral::Spiral;
use storage::Storage;

/// Jobs that wait when the worker starts. apalis-redis breaks above 7,990.
const BACKLOG: u64 = 5_000;

/// Jobs that run at the same time, and as many are fetched at once: Spiral's default, and what a queue of tiny jobs
/// would be set to.
const CONCURRENCY: [usize; 2] = [100, 500];

/// What one round showed.
#[derive(Clone, Copy, Default)]
struct Round {
    push: Duration,
    drain: Duration,
    /// What Redis itself worked meanwhile.
    redis: Duration,
}

/// Measures and prints the tables.
pub(crate) async fn run(rounds: usize) -> Result<()> {
    println!(
        "Queue: {} no-op jobs are pushed, then one worker takes them; {rounds} rounds in turns, medians",
        count(BACKLOG)
    );
    println!("Redis without persistence, one process, the same concurrency and batch for all.\n");
    let folder = tempfile::Builder::new().prefix("spiral-bench-").tempdir()?;
    let redis = Redis::start(folder.path())?;
    let client = redis::Client::open(redis.url())?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    for concurrency in CONCURRENCY {
        let contestants: [Box<dyn Contestant>; 3] = [
            Box::new(Storage::new(&redis.url(), concurrency, true).await?),
            Box::new(Storage::new(&redis.url(), concurrency, false).await?),
            Box::new(Spiral::new(redis.url(), concurrency).await?),
        ];
        let mut results = vec![Vec::new(); contestants.len()];
        // The first round warms up and does not count.
        for round in 0..=rounds {
            for (contestant, results) in contestants.iter().zip(&mut results) {
                interrupt::check()?;
                let result = measure(contestant.as_ref(), &mut connection).await?;
                if round > 0 {
                    results.push(result);
                }
            }
        }
        print(concurrency, &contestants, &results);
    }
    Ok(())
}

async fn measure(contestant: &dyn Contestant, redis: &mut MultiplexedConnection) -> Result<Round> {
    let () = redis::cmd("FLUSHALL").query_async(redis).await?;
    let busy = redis_time(redis).await?;
    let begin = Instant::now();
    contestant.push(BACKLOG).await?;
    let push = begin.elapsed();

    let done = Arc::new(AtomicU64::new(0));
    let begin = Instant::now();
    let worker = contestant.start(Arc::clone(&done)).await?;
    let limit = Duration::from_mins(2);
    while done.load(Ordering::Relaxed) < BACKLOG {
        ensure!(
            begin.elapsed() < limit,
            "{} ran {done:?} jobs in two minutes",
            contestant.name()
        );
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    while !contestant.is_drained(BACKLOG).await? {
        ensure!(
            begin.elapsed() < limit,
            "{} did not finish its jobs in two minutes",
            contestant.name()
        );
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let drain = begin.elapsed();
    let redis_worked = redis_time(redis).await?.saturating_sub(busy);
    ensure!(
        done.load(Ordering::Relaxed) == BACKLOG,
        "{} ran jobs twice",
        contestant.name()
    );
    worker.stop().await;
    Ok(Round {
        push,
        drain,
        redis: redis_worked,
    })
}

/// The processor time that Redis has used.
async fn redis_time(redis: &mut MultiplexedConnection) -> Result<Duration> {
    let info: String = redis::cmd("INFO").arg("cpu").query_async(redis).await?;
    let field = |name: &str| {
        let line = info.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|value| value.trim().parse::<f64>().ok())
            .unwrap_or_default()
    };
    Ok(Duration::from_secs_f64(
        field("used_cpu_user:") + field("used_cpu_sys:"),
    ))
}

fn print(concurrency: usize, contestants: &[Box<dyn Contestant>], results: &[Vec<Round>]) {
    let drains: Vec<Duration> = results
        .iter()
        .map(|rounds| median_of(rounds, |round| round.drain))
        .collect();
    let own = drains.last().copied().unwrap_or_default();
    println!("  concurrency {concurrency:<20}  push, jobs/s   run, jobs/s   Redis, µs/job   Spiral is");
    for ((contestant, rounds), drain) in contestants.iter().zip(results).zip(&drains) {
        let redis = median_of(rounds, |round| round.redis).as_secs_f64() * 1e6 / jobs();
        println!(
            "    {:<32} {:>12} {:>13} {redis:>15.1} {:>11}",
            contestant.name(),
            rate(median_of(rounds, |round| round.push)),
            rate(*drain),
            format!("{} x", ratio(drain.as_secs_f64() / own.as_secs_f64())),
        );
    }
    println!();
}

fn median_of(rounds: &[Round], field: fn(&Round) -> Duration) -> Duration {
    median(&rounds.iter().map(field).collect::<Vec<_>>())
}

fn rate(time: Duration) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate is positive and small"
    )]
    let rate = (jobs() / time.as_secs_f64()) as u64;
    count(rate / 100 * 100)
}

fn jobs() -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a few thousand are exact")]
    let jobs = BACKLOG as f64;
    jobs
}
