//! The engine alone, without PostgreSQL: a backlog is enqueued in bulk, then one worker takes it.

use std::time::Duration;

use anyhow::{Context, Result};
use xtask::bench::options::Options;
use xtask::interrupt;

use super::aims::Aim;
use super::{Arena, Round, progress, round, rounds};
use crate::contestant::{Apalis, BullMq, Contestant, Spiral};
use crate::sample::{count, hundreds, median_of, rate, ratio};
use crate::table::Table;
use crate::worker::ApalisSetup;

/// apalis-redis's storage breaks above 7,990 jobs that are due.
const FOR_APALIS: u64 = 5_000;

const SMALL: u64 = 10_000;
const MIDDLE: u64 = 100_000;

/// Backlogs above this are measured in at most so many rounds.
const MANY: u64 = 200_000;
const ROUNDS_OF_MANY: usize = 3;

/// 75,000 a second (Sidekiq's `push_bulk`) where BullMQ's `addBulk` made 12,600.
const BULK_AIM: f64 = 75_000.0 / 12_600.0;

/// Who runs with which backlog.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    ApalisAsItComes,
    ApalisWithoutLocks,
    BullMq,
    Spiral,
}

struct Entry {
    side: Side,
    jobs: u64,
    rounds: Vec<Round>,
}

impl Entry {
    fn drain(&self) -> Duration {
        median_of(&self.rounds, |round| round.drain)
    }

    fn enqueue(&self) -> Duration {
        median_of(&self.rounds, |round| round.enqueue)
    }

    /// Jobs a second.
    fn drained(&self) -> f64 {
        rate(self.jobs, self.drain())
    }

    fn enqueued(&self) -> f64 {
        rate(self.jobs, self.enqueue())
    }

    /// Microseconds a job.
    fn each(&self, field: fn(&Round) -> Duration) -> f64 {
        1e6 / rate(self.jobs, median_of(&self.rounds, field))
    }
}

/// The table's rows, in the order in which they take turns.
fn entries(largest: u64) -> Vec<Entry> {
    let mut list = vec![
        (Side::ApalisAsItComes, FOR_APALIS),
        (Side::ApalisWithoutLocks, FOR_APALIS),
        (Side::Spiral, FOR_APALIS),
    ];
    for jobs in [SMALL, MIDDLE] {
        list.extend([(Side::BullMq, jobs), (Side::Spiral, jobs)]);
    }
    list.push((Side::Spiral, largest));
    list.retain(|(_, jobs)| *jobs <= largest);
    list.dedup();
    let entries = list.into_iter().map(|(side, jobs)| Entry {
        side,
        jobs,
        rounds: Vec::new(),
    });
    entries.collect()
}

/// Measures and prints the table.
pub(super) async fn run(options: &Options) -> Result<Vec<Aim>> {
    let mut arena = Arena::open().await?;
    let (url, concurrency) = (arena.redis.url(), options.concurrency);
    let as_it_comes = "apalis-redis's own storage, as it comes";
    let as_it_comes = Apalis::new(as_it_comes, &url, concurrency, ApalisSetup::AS_IT_COMES).await?;
    let without_locks = "apalis-redis's own storage, `lock_tasks` off";
    let without_locks = Apalis::new(without_locks, &url, concurrency, ApalisSetup::WITHOUT_LOCKS).await?;
    let bullmq = BullMq::new(&url, concurrency).await?;
    let spiral = Spiral::new(&url, concurrency).await?;
    let contestant = |side: Side| -> &dyn Contestant {
        match side {
            Side::ApalisAsItComes => &as_it_comes,
            Side::ApalisWithoutLocks => &without_locks,
            Side::BullMq => &bullmq,
            Side::Spiral => &spiral,
        }
    };

    let mut entries = entries(options.backlog);
    progress("drain", "warming up");
    for entry in entries.iter().filter(|entry| entry.jobs <= SMALL) {
        round(&mut arena, contestant(entry.side), entry.jobs).await?;
    }
    for number in 1..=options.rounds {
        for entry in &mut entries {
            if entry.jobs > MANY && number > ROUNDS_OF_MANY {
                continue;
            }
            interrupt::check()?;
            let contestant = contestant(entry.side);
            let what = format!(
                "round {number} of {}: {}, {}",
                options.rounds,
                contestant.name(),
                count(entry.jobs)
            );
            progress("drain", &what);
            entry
                .rounds
                .push(round(&mut arena, contestant, entry.jobs).await?);
        }
    }
    print(options, &entries, &contestant);
    aims(&entries)
}

fn print<'a>(options: &Options, entries: &[Entry], contestant: &impl Fn(Side) -> &'a dyn Contestant) {
    println!(
        "The engine alone: medians of {} by turns, of {} above {} jobs. Processor time of Redis from the first \
         push to the end, of the worker from its start.\n",
        rounds(options.rounds),
        rounds(options.rounds.min(ROUNDS_OF_MANY)),
        count(MANY)
    );
    let mut table = Table::new(&[
        "",
        "backlog",
        "enqueue, jobs/s",
        "drain, jobs/s",
        "Redis, µs/job",
        "worker, µs/job",
        "drain, to BullMQ's",
    ]);
    for entry in entries {
        let peer = bullmq_beside(entries, entry.jobs);
        table.row([
            contestant(entry.side).name().to_owned(),
            count(entry.jobs),
            hundreds(entry.enqueued()),
            hundreds(entry.drained()),
            format!("{:.1}", entry.each(|round| round.redis)),
            format!("{:.1}", entry.each(|round| round.worker)),
            peer.map_or_else(String::new, |peer| ratio(entry.drained() / peer.drained())),
        ]);
    }
    table.print(options.markdown);
}

/// BullMQ with the same backlog; its largest one for more than that, its smallest one for less.
fn bullmq_beside(entries: &[Entry], jobs: u64) -> Option<&Entry> {
    let of_bullmq = || entries.iter().filter(|entry| entry.side == Side::BullMq);
    let smaller = of_bullmq().rfind(|entry| entry.jobs <= jobs);
    smaller.or_else(|| of_bullmq().next())
}

fn aims(entries: &[Entry]) -> Result<Vec<Aim>> {
    let find = |side: Side, jobs: u64| {
        let found = entries
            .iter()
            .find(|entry| (entry.side, entry.jobs) == (side, jobs));
        found.context("a side was not measured")
    };
    let mut aims = Vec::new();
    for peer in entries.iter().filter(|entry| entry.side == Side::BullMq) {
        let spiral = find(Side::Spiral, peer.jobs)?;
        let drain = spiral.drained() / peer.drained();
        let text = format!("drain of {} jobs: at least 8 times BullMQ's", count(peer.jobs));
        aims.push(Aim::at_least(text, drain, times(drain), 8.0));
        let enqueue = spiral.enqueued() / peer.enqueued();
        let text = format!(
            "{} jobs in bulk: at least {BULK_AIM:.2} times BullMQ's `addBulk`",
            count(peer.jobs)
        );
        aims.push(Aim::at_least(text, enqueue, times(enqueue), BULK_AIM));
    }
    let apalis = find(Side::ApalisWithoutLocks, FOR_APALIS)?;
    let drain = find(Side::Spiral, FOR_APALIS)?.drained() / apalis.drained();
    let text = format!(
        "drain of {} jobs: at least twice apalis-redis's with `lock_tasks` off",
        count(FOR_APALIS)
    );
    aims.push(Aim::at_least(text, drain, times(drain), 2.0));
    let largest = entries.last().context("nothing was measured")?;
    if largest.jobs > SMALL {
        let kept = largest.drained() / find(Side::Spiral, SMALL)?.drained();
        let text = format!(
            "drain of {} jobs: at least 0.9 times the speed of {}",
            count(largest.jobs),
            count(SMALL)
        );
        aims.push(Aim::at_least(text, kept, times(kept), 0.9));
    }
    Ok(aims)
}

fn times(ratio_of_medians: f64) -> String {
    format!("{} times", ratio(ratio_of_medians))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(largest: u64, side: Side) -> Vec<u64> {
        let entries = entries(largest).into_iter().filter(|entry| entry.side == side);
        entries.map(|entry| entry.jobs).collect()
    }

    #[test]
    fn each_size_is_measured_once_and_none_above_the_largest() {
        assert_eq!(
            sizes(1_000_000, Side::Spiral),
            [5_000, 10_000, 100_000, 1_000_000]
        );
        assert_eq!(sizes(1_000_000, Side::BullMq), [10_000, 100_000]);
        assert_eq!(sizes(100_000, Side::Spiral), [5_000, 10_000, 100_000]);
        assert_eq!(sizes(20_000, Side::Spiral), [5_000, 10_000, 20_000]);
        assert_eq!(sizes(5_000, Side::Spiral), [5_000]);
        assert!(sizes(5_000, Side::BullMq).is_empty());
    }

    #[test]
    fn the_peer_has_the_same_backlog_or_the_nearest() {
        let entries = entries(1_000_000);
        let beside = |jobs| bullmq_beside(&entries, jobs).unwrap().jobs;
        assert_eq!(
            [5_000, 10_000, 100_000, 1_000_000].map(beside),
            [10_000, 10_000, 100_000, 100_000]
        );
    }

    #[test]
    fn aims_compare_the_same_backlogs() {
        let mut entries = entries(20_000);
        for entry in &mut entries {
            // Spiral drains ten times, and enqueues five times, as fast as all others.
            let (enqueue, drain) = if entry.side == Side::Spiral {
                (20, 10)
            } else {
                (100, 100)
            };
            entry.rounds.push(Round {
                enqueue: Duration::from_micros(enqueue * entry.jobs),
                drain: Duration::from_micros(drain * entry.jobs),
                redis: Duration::ZERO,
                worker: Duration::ZERO,
            });
        }
        let verdict =
            |text: &str, measured: f64, limit: f64| Aim::at_least(text, measured, times(measured), limit);
        let expected = [
            verdict("drain of 10,000 jobs: at least 8 times BullMQ's", 10.0, 8.0),
            verdict(
                "10,000 jobs in bulk: at least 5.95 times BullMQ's `addBulk`",
                5.0,
                5.95,
            ),
            verdict(
                "drain of 5,000 jobs: at least twice apalis-redis's with `lock_tasks` off",
                10.0,
                2.0,
            ),
            verdict(
                "drain of 20,000 jobs: at least 0.9 times the speed of 10,000",
                1.0,
                0.9,
            ),
        ];
        assert_eq!(aims(&entries).unwrap(), expected);
    }
}
