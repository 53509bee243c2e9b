//! A worker fetches: what is due lines up, and each lane has its turn.

use std::collections::BTreeSet;

use proptest::prelude::*;
use redis::Value;

use super::expected::Model;
use super::real::{Real, running_key, worker_name};
use super::steps::lane;

pub(super) fn fetch(worker: u8, most: u8, model: &mut Model, real: &mut Real) -> Result<(), TestCaseError> {
    // Redis chooses the order of those that are due at the same millisecond; the model takes it over.
    let now = real.now();
    let due = real.ids(&["ZRANGEBYSCORE", "scheduled", "-inf", &now.to_string()]);
    let expected: BTreeSet<u8> = model
        .scheduled
        .iter()
        .filter(|(_, due)| **due)
        .map(|(job, _)| *job)
        .collect();
    prop_assert_eq!(due.iter().copied().collect::<BTreeSet<u8>>(), expected);
    model.scheduled.retain(|_, due| !*due);
    // The script goes lane by lane, in the order of the first job of each.
    let mut order: Vec<&str> = Vec::new();
    for job in &due {
        if !order.contains(&lane(*job)) {
            order.push(lane(*job));
        }
    }
    for name in order {
        let of_lane = due.iter().filter(|job| lane(**job) == name);
        of_lane.for_each(|job| model.line_up(*job, false));
    }

    let mut call = real.fetch.key("jobs");
    call.key("waiting:").key("lanes").key("lane-of").key("scheduled");
    call.key("attempts").key("events").key("wake").key("workers");
    call.key(running_key(worker)).key("cancelling").key("counts");
    call.key("limits").key("bucket");
    call.arg(worker_name(worker)).arg(most).arg(60_000).arg(1 << 20);
    let reply: Vec<Value> = call.invoke(&mut real.connection).unwrap();
    let next_due: i64 = redis::from_redis_value(reply[0].clone()).unwrap();
    prop_assert_eq!(next_due >= 0, !model.scheduled.is_empty());
    let mut got = Vec::new();
    for item in reply[1..].chunks(3) {
        let id: String = redis::from_redis_value(item[0].clone()).unwrap();
        let attempt: u32 = redis::from_redis_value(item[1].clone()).unwrap();
        got.push((id.parse::<u8>().unwrap(), attempt));
    }

    let running = model.running.len();
    let allowed = model.most_running.map_or(usize::from(most), |limit| {
        usize::from(most).min(limit.saturating_sub(running))
    });
    let mut expected = Vec::new();
    for _ in 0..4 {
        for job in take_turns(allowed, model) {
            if model.hollow.remove(&job) {
                continue;
            }
            if model.marked.contains(&job) {
                model.end(job);
                continue;
            }
            let attempt = model.made.get(&job).copied().unwrap_or(0) + 1;
            expected.push((job, attempt));
            prop_assert!(
                model.running.insert(job, (worker, attempt)).is_none(),
                "{} runs twice",
                job
            );
        }
        if !expected.is_empty() {
            break;
        }
    }
    prop_assert_eq!(got, expected);
    Ok(())
}

/// The next jobs, each lane in its turn.
fn take_turns(wanted: usize, model: &mut Model) -> Vec<u8> {
    let mut taken = Vec::new();
    let open = model.waiting.len();
    let turn_length = (wanted / open.max(1)).max(1);
    while taken.len() < wanted
        && let Some(name) = model.next_lane()
        && let Some((jobs, turn)) = model.waiting.get_mut(name)
    {
        let some: Vec<u8> = jobs
            .drain(..jobs.len().min(turn_length).min(wanted - taken.len()))
            .collect();
        if open > 1 {
            *turn += some.len() as u64;
        }
        if jobs.is_empty() {
            model.waiting.remove(name);
        }
        taken.extend(some);
    }
    taken
}
