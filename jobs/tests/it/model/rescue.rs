//! The lease of a worker lapses, and its jobs are taken over.

use proptest::prelude::*;

use super::expected::Model;
use super::real::{Real, begun_key, worker_name};
use super::steps::MAX_ATTEMPTS;

/// So often a job that had not begun goes back as it was.
const MOST_UNCOUNTED: u32 = 5;

pub(super) fn rescue(worker: u8, old: bool, model: &mut Model, real: &mut Real) -> Result<(), TestCaseError> {
    let registered: Option<f64> = real.ask(&["ZSCORE", "workers", &worker_name(worker)]);
    let call = |real: &mut Real| -> Vec<u64> {
        let mut call = real.rescue.call_of(worker);
        call.arg(worker_name(worker)).arg(500);
        call.invoke(&mut real.connection).unwrap()
    };
    // While the lease holds nobody can take anything.
    prop_assert_eq!(call(real), Vec::<u64>::new());
    if registered.is_none() {
        return Ok(());
    }
    real.ask::<u64>(&["ZADD", "workers", "1", &worker_name(worker)]);
    if old {
        real.ask::<u64>(&["DEL", &begun_key(worker)]);
    }
    let held: Vec<(u8, u32)> = model
        .running
        .iter()
        .filter(|(_, (holder, _))| *holder == worker)
        .map(|(job, (_, attempt))| (*job, *attempt))
        .collect();
    let (mut again, mut counted, mut dead, mut uncounted) = (Vec::new(), 0, 0, 0);
    for (job, attempt) in held {
        let losses = model.suspects.get(&job).copied().unwrap_or(0);
        let began = model.let_go(job) || old || losses >= MOST_UNCOUNTED;
        if began && attempt >= MAX_ATTEMPTS {
            dead += 1;
            model.end(job);
            continue;
        }
        if began {
            counted += 1;
        } else {
            uncounted += 1;
        }
        model.set_made(job, if began { attempt } else { attempt - 1 });
        if model.marked.contains(&job) {
            model.end(job);
        } else {
            model
                .suspects
                .insert(job, if began { losses } else { losses + 1 });
            again.push(job);
        }
    }
    prop_assert_eq!(call(real), [counted, dead, 0, uncounted]);
    // The first one comes first.
    again.sort_unstable();
    again.iter().rev().for_each(|job| model.enqueue(*job, true));
    Ok(())
}
