//! The lease of a worker lapses, and its jobs are taken over.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::expected::Model;
use super::real::{Real, running_key, worker_name};
use super::steps::{LANES, MAX_ATTEMPTS, lane};

pub(super) fn recover(worker: u8, model: &mut Model, real: &mut Real) -> Result<(), TestCaseError> {
    let registered: Option<f64> = real.ask(&["ZSCORE", "workers", &worker_name(worker)]);
    let call = |real: &mut Real| -> Vec<u64> {
        let mut call = real.recover.key("jobs");
        call.key("waiting:").key("lanes").key("lane-of").key("attempts");
        call.key("events").key("wake").key("workers").key("worker-info");
        call.key(running_key(worker)).key("cancelling").key("counts");
        call.arg(worker_name(worker)).arg(500);
        call.invoke(&mut real.connection).unwrap()
    };
    // While the lease holds nobody can take anything.
    prop_assert_eq!(call(real), Vec::<u64>::new());
    if registered.is_none() {
        return Ok(());
    }
    real.ask::<u64>(&["ZADD", "workers", "1", &worker_name(worker)]);
    let held: Vec<(u8, u32)> = model
        .running
        .iter()
        .filter(|(_, (holder, _))| *holder == worker)
        .map(|(job, (_, attempt))| (*job, *attempt))
        .collect();
    let (again, dead): (Vec<_>, Vec<_>) = held.into_iter().partition(|(_, made)| *made < MAX_ATTEMPTS);
    prop_assert_eq!(call(real), [again.len() as u64, dead.len() as u64, 0]);
    for (job, attempt) in &again {
        model.running.remove(job);
        model.set_made(*job, *attempt);
    }
    for (job, _) in &dead {
        model.running.remove(job);
        model.end(*job);
    }
    // Redis chooses their order; the model takes it over.
    for name in LANES {
        let of_lane: BTreeSet<u8> = again
            .iter()
            .map(|(job, _)| *job)
            .filter(|job| lane(*job) == name)
            .collect();
        let Some(last) = of_lane.len().checked_sub(1) else {
            continue;
        };
        let front: Vec<u8> = real.ids(&["LRANGE", &format!("waiting:{name}"), "0", &last.to_string()]);
        prop_assert_eq!(front.iter().copied().collect::<BTreeSet<u8>>(), of_lane);
        front.iter().rev().for_each(|job| model.line_up(*job, true));
    }
    Ok(())
}
