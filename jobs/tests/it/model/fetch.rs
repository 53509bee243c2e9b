//! A worker fetches: what is due lines up, and each lane has its turn.

use std::collections::BTreeSet;

use proptest::prelude::*;
use redis::Value;

use super::expected::Model;
use super::real::{Real, worker_name};
use super::steps::SUSPECT_LANE;

/// What the worker has room for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub(super) most: u8,
    pub(super) places: u8,
    pub(super) suspect: bool,
}

pub(super) fn fetch(worker: u8, room: Room, model: &mut Model, real: &mut Real) -> Result<(), TestCaseError> {
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
        if !order.contains(&model.lane(*job)) {
            order.push(model.lane(*job));
        }
    }
    for name in order {
        let of_lane: Vec<u8> = due
            .iter()
            .copied()
            .filter(|job| model.lane(*job) == name)
            .collect();
        for job in of_lane {
            model.enqueue(job, false);
        }
    }

    let mut call = real.fetch.call_of(worker);
    call.arg(worker_name(worker))
        .arg(room.most)
        .arg(60_000)
        .arg(1 << 20);
    call.arg(room.places).arg(u8::from(room.suspect));
    let reply: Vec<Value> = call.invoke(&mut real.connection).unwrap();
    let next_due: i64 = redis::from_redis_value(reply[0].clone()).unwrap();
    let limited: bool = redis::from_redis_value(reply[1].clone()).unwrap();
    let first_is_suspect: bool = redis::from_redis_value(reply[2].clone()).unwrap();
    let mut got = Vec::new();
    for item in reply[3..].chunks(3) {
        let id: String = redis::from_redis_value(item[0].clone()).unwrap();
        let attempt: u32 = redis::from_redis_value(item[1].clone()).unwrap();
        got.push((id.parse::<u8>().unwrap(), attempt));
    }

    let running = model.running.len();
    let most = usize::from(room.most);
    // A queue with limits gives nothing that would have to wait for a place.
    let allowed = model.most_running.map_or(most, |limit| {
        most.min(usize::from(room.places))
            .min(limit.saturating_sub(running))
    });
    prop_assert_eq!(limited, model.most_running.is_some_and(|limit| limit > 0));
    let suspect = (allowed > 0 && room.suspect)
        .then(|| model.waiting.get(SUSPECT_LANE)?.0.front().copied())
        .flatten();
    if let Some(suspect) = suspect {
        model.leave(suspect);
    }
    let mut expected = Vec::new();
    for round in 0..4 {
        let first = suspect.filter(|_| round == 0);
        let rest = take_turns(allowed - usize::from(first.is_some()), model);
        for job in first.into_iter().chain(rest) {
            if model.hollow.remove(&job) {
                model.suspects.remove(&job);
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
    let began_with = expected.first().map(|(job, _)| *job);
    prop_assert_eq!(first_is_suspect, began_with.is_some() && began_with == suspect);
    prop_assert_eq!(got, expected);
    // For what is scheduled, and soon for the next suspect.
    let suspects_left = allowed > 0 && model.waiting.contains_key(SUSPECT_LANE);
    prop_assert_eq!(next_due >= 0, suspects_left || !model.scheduled.is_empty());
    Ok(())
}

/// The next jobs, each lane in its turn.
fn take_turns(wanted: usize, model: &mut Model) -> Vec<u8> {
    let mut taken = Vec::new();
    let open = model.waiting.keys().filter(|name| **name != SUSPECT_LANE).count();
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
