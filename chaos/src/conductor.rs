//! Lets the faults strike, in rounds: in the first every one of them alone, in the next two at a time, and so on.
//! The seed decides the order, the victims and the times.

use std::time::{Duration, Instant};

use anyhow::Result;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use xtask::say;

use crate::faults::{Blow, End, FAULTS, Fault, between};
use crate::load::Load;
use crate::options::Options;
use crate::stack::Stack;

/// Between the end of one fault and the next one. Much shorter than what it takes to recover from some of them.
const CALM: [Duration; 2] = [Duration::from_millis(300), Duration::from_millis(2_500)];
/// Between two that strike together.
const APART: Duration = Duration::from_millis(1_500);
/// The load gets going first.
const WARM_UP: Duration = Duration::from_secs(2);

/// Strikes until every fault had its rounds; without a number of rounds, until it had one and the load is over.
pub(crate) fn run(stack: &mut Stack, options: &Options, load: &Load) -> Result<()> {
    let mut dice = StdRng::seed_from_u64(options.seed);
    let clock = Instant::now();
    stack.pause(WARM_UP)?;
    let mut round = 0;
    while round == 0 || round < options.rounds || (options.rounds == 0 && !load.is_over()) {
        round += 1;
        let mut order: Vec<&Fault> = faults(options).collect();
        order.shuffle(&mut dice);
        for together in groups(order, round % 2 == 0) {
            // The last one ends with the load.
            if options.rounds == 0 && round > 1 && load.is_over() {
                break;
            }
            strike(stack, &mut dice, &together, clock)?;
            stack.pause(between(&mut dice, CALM[0], CALM[1]))?;
        }
    }
    Ok(())
}

fn faults(options: &Options) -> impl Iterator<Item = &'static Fault> {
    let may = |name: &str| options.only.is_empty() || options.only.iter().any(|only| only == name);
    FAULTS.iter().filter(move |fault| may(fault.name))
}

/// In the given order, each alone or with the next one that it can be there together with.
fn groups(mut order: Vec<&Fault>, in_pairs: bool) -> Vec<Vec<&Fault>> {
    let mut groups = Vec::new();
    while !order.is_empty() {
        let first = order.remove(0);
        let mixes = |other: &&Fault| in_pairs && first.strikes.mixes_with(other.strikes);
        let second = order.iter().position(mixes).map(|at| order.remove(at));
        groups.push([Some(first), second].into_iter().flatten().collect());
    }
    groups
}

fn strike(stack: &mut Stack, dice: &mut StdRng, together: &[&Fault], clock: Instant) -> Result<()> {
    let mut ends: Vec<(Instant, &'static str, End)> = Vec::new();
    for (at, fault) in together.iter().enumerate() {
        if at > 0 {
            stack.pause(between(dice, Duration::ZERO, APART))?;
        }
        let begin = Instant::now();
        let Blow { what, lasts, end } = (fault.strike)(stack, dice)?;
        stack.notes.note(&format!("{}: {what}", fault.name));
        let second = begin.duration_since(clock).as_secs_f64();
        say::line("fault", &format!("{second:>6.1} s  {:<17} {what}", fault.name));
        ends.push((Instant::now() + lasts, fault.name, end));
    }
    ends.sort_by_key(|(time, ..)| *time);
    for (time, name, end) in ends {
        stack.pause(time.saturating_duration_since(Instant::now()))?;
        end(stack)?;
        stack.notes.note(&format!("{name}: over"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_strikes_with_every_fault_once() {
        for in_pairs in [false, true] {
            let groups = groups(FAULTS.iter().collect(), in_pairs);
            let mut names: Vec<&str> = groups.iter().flatten().map(|fault| fault.name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), FAULTS.len());
            assert_eq!(groups.iter().any(|group| group.len() > 1), in_pairs);
        }
    }
}
