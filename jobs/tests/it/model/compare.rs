//! Whether all of Redis is as the model says.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use redis::{FromRedisValue, Value};

use super::expected::Model;
use super::real::{Real, begun_key, running_key};
use super::steps::{LANES, SUSPECT_LANE, WORKERS, lane};

/// What one look at Redis brings.
struct Found {
    lanes: Vec<(String, f64)>,
    scheduled: BTreeSet<u8>,
    envelopes: BTreeSet<u8>,
    made: BTreeMap<u8, u32>,
    counts: BTreeMap<String, i64>,
    token: bool,
    marked: BTreeSet<u8>,
    lane_of: BTreeMap<u8, String>,
    /// Of each lane.
    waiting: Vec<Vec<u8>>,
    /// Of each worker.
    held: Vec<BTreeMap<u8, u32>>,
    /// Of each worker, with the field that is no job.
    begun: Vec<BTreeMap<String, u32>>,
    suspects: BTreeMap<u8, String>,
}

fn lanes() -> impl Iterator<Item = &'static str> {
    LANES.into_iter().chain([SUSPECT_LANE])
}

/// In one round trip: this runs after each of some 120,000 steps.
fn look(real: &mut Real) -> Found {
    let mut look = redis::pipe();
    look.zrange_withscores("lanes", 0, -1)
        .zrange("scheduled", 0, -1)
        .hkeys("jobs")
        .hgetall("attempts")
        .hgetall("counts")
        .exists("wake")
        .hkeys("cancelling")
        .hgetall("lane-of");
    for name in lanes() {
        look.lrange(format!("waiting:{name}"), 0, -1);
    }
    for worker in 0..WORKERS {
        look.hgetall(running_key(worker));
    }
    for worker in 0..WORKERS {
        look.hgetall(begun_key(worker));
    }
    look.hgetall("suspects");
    let values: Vec<Value> = look.query(&mut real.connection).unwrap();
    let mut values = values.into_iter();
    Found {
        lanes: next(&mut values),
        scheduled: next(&mut values),
        envelopes: next(&mut values),
        made: next(&mut values),
        counts: next(&mut values),
        token: next(&mut values),
        marked: next(&mut values),
        lane_of: next(&mut values),
        waiting: lanes().map(|_| next(&mut values)).collect(),
        held: (0..WORKERS).map(|_| next(&mut values)).collect(),
        begun: (0..WORKERS).map(|_| next(&mut values)).collect(),
        suspects: next(&mut values),
    }
}

fn next<T: FromRedisValue>(values: &mut impl Iterator<Item = Value>) -> T {
    redis::from_redis_value(values.next().unwrap()).unwrap()
}

/// All of Redis is as the model says: every job is in one place, and nothing is left of those that have ended.
pub(super) fn compare(model: &Model, real: &mut Real) -> Result<(), TestCaseError> {
    let Found {
        lanes,
        scheduled,
        envelopes,
        made,
        counts,
        token,
        marked,
        lane_of,
        waiting,
        held,
        begun,
        suspects,
    } = look(real);
    for (name, jobs) in self::lanes().zip(&waiting) {
        let expected = model.waiting.get(name).map(|(jobs, _)| Vec::from(jobs.clone()));
        prop_assert_eq!(jobs, &expected.unwrap_or_default());
        let turn = lanes
            .iter()
            .find(|(lane, _)| *lane == name)
            .map(|(_, turn)| *turn);
        let floor: f64 = name[..1].parse::<f64>().unwrap() * 1e13;
        let expected = model.waiting.get(name);
        #[expect(clippy::cast_precision_loss, reason = "a few turns are exact")]
        let expected = expected.map(|(_, turn)| floor + *turn as f64);
        prop_assert_eq!(turn, expected);
    }
    prop_assert_eq!(&scheduled, &model.scheduled.keys().copied().collect());
    let running: BTreeMap<u8, (u8, u32)> = (0..WORKERS)
        .zip(held)
        .flat_map(|(worker, held)| {
            held.into_iter()
                .map(move |(job, attempt)| (job, (worker, attempt)))
        })
        .collect();
    prop_assert_eq!(&running, &model.running);
    let begun: BTreeMap<u8, (u8, u32)> = (0..WORKERS)
        .zip(begun)
        .flat_map(|(worker, begun)| {
            let jobs = begun
                .into_iter()
                .filter_map(|(job, attempt)| Some((job.parse().ok()?, attempt)));
            jobs.map(move |(job, attempt)| (job, (worker, attempt)))
                .collect::<Vec<_>>()
        })
        .collect();
    let expected = model.begun.iter().map(|job| (*job, model.running[job])).collect();
    prop_assert_eq!(&begun, &expected);
    let entry = |job: u8, losses: u32| (job, format!("{losses} {}", lane(job)));
    let expected: BTreeMap<u8, String> = model
        .suspects
        .iter()
        .filter(|(job, _)| !model.hollow.contains(job))
        .map(|(job, losses)| entry(*job, *losses))
        .collect();
    prop_assert_eq!(&suspects, &expected);
    let count = |name: &str| counts.get(name).copied().unwrap_or(0);
    prop_assert_eq!(count("running"), i64::try_from(running.len()).unwrap());
    prop_assert_eq!(count("called_off"), i64::try_from(model.hollow.len()).unwrap());
    prop_assert_eq!(count("stale_results"), i64::try_from(model.stale).unwrap());
    let waiting: Vec<u8> = waiting.into_iter().flatten().collect();
    let places = waiting
        .iter()
        .copied()
        .chain(scheduled)
        .chain(running.keys().copied());
    prop_assert_eq!(&envelopes, &places.collect::<BTreeSet<u8>>());
    prop_assert_eq!(&marked, &model.marked);
    for (job, name) in &lane_of {
        prop_assert!(envelopes.contains(job), "the lane of job {} is left", job);
        prop_assert_eq!(name.as_str(), model.lane(*job));
    }
    // Sleeping workers are woken: jobs that may run, and no token, would be a lost wake-up.
    let allowed = model.most_running.is_none_or(|most| running.len() < most);
    // Who has a job whose worker vanished comes for the next one by itself.
    let others_wait = waiting.iter().any(|job| !model.suspects.contains_key(job));
    prop_assert!(
        token || !others_wait || !allowed,
        "jobs wait and no worker is woken"
    );
    for (job, times) in &model.finished {
        prop_assert_eq!(*times, 1, "job {} has {} outcomes", job, times);
        prop_assert!(!made.contains_key(job), "the attempts of job {} are left", job);
    }
    Ok(())
}
