//! What happens to workers: they are killed, stand still past their lease, are replaced by a new build.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use rand::rngs::StdRng;
use rustix::process::{Signal, kill_process};
use xtask::say;

use super::{Blow, between, one_of, seconds};
use crate::stack::{LEASE, Stack};

/// Of a worker that is slow.
const MOMENT: Duration = Duration::from_millis(20);

pub(super) fn kill(stack: &mut Stack, dice: &mut StdRng) -> Result<Blow> {
    let at = one_of(dice, stack.workers.len());
    stack.workers[at].kill()?;
    Ok(Blow {
        what: format!("{} killed", stack.workers[at].process_name()),
        lasts: between(dice, Duration::ZERO, seconds(2)),
        end: Box::new(move |stack| stack.replace_worker(at)),
    })
}

pub(super) fn kill_all(stack: &mut Stack, dice: &mut StdRng) -> Result<Blow> {
    for worker in &mut stack.workers {
        worker.kill()?;
    }
    Ok(Blow {
        what: "all workers killed".to_owned(),
        lasts: between(dice, Duration::ZERO, seconds(2)),
        end: Box::new(|stack| (0..stack.workers.len()).try_for_each(|at| stack.replace_worker(at))),
    })
}

#[expect(clippy::unnecessary_wraps, reason = "other faults can fail")]
pub(super) fn freeze(stack: &mut Stack, dice: &mut StdRng) -> Result<Blow> {
    let at = one_of(dice, stack.workers.len());
    let worker = &stack.workers[at];
    let lasts = between(dice, LEASE + seconds(1), LEASE + seconds(3));
    worker.signal(Signal::STOP);
    Ok(Blow {
        what: format!("{} stands still for {}", worker.process_name(), say::time(lasts)),
        lasts,
        end: Box::new(move |stack| {
            stack.workers[at].signal(Signal::CONT);
            Ok(())
        }),
    })
}

/// As on a machine with much else to do: it has one moment of ten for itself, so that others take most of the jobs.
#[expect(clippy::unnecessary_wraps, reason = "other faults can fail")]
pub(super) fn slow(stack: &mut Stack, dice: &mut StdRng) -> Result<Blow> {
    let at = one_of(dice, stack.workers.len());
    let worker = &stack.workers[at];
    let lasts = between(dice, seconds(6), seconds(12));
    let what = format!(
        "{} runs at a tenth of its speed for {}",
        worker.process_name(),
        say::time(lasts)
    );
    let over = Arc::new(AtomicBool::new(false));
    let stutter = worker.process_id().map(|process| {
        let over = Arc::clone(&over);
        std::thread::spawn(move || {
            while !over.load(Ordering::SeqCst) {
                for (signal, moments) in [(Signal::STOP, 9), (Signal::CONT, 1)] {
                    kill_process(process, signal).ok();
                    std::thread::park_timeout(MOMENT * moments);
                }
            }
        })
    });
    Ok(Blow {
        what,
        lasts,
        end: Box::new(move |stack| {
            over.store(true, Ordering::SeqCst);
            if let Some(stutter) = stutter {
                stutter.thread().unpark();
                stutter.join().ok();
            }
            stack.workers[at].signal(Signal::CONT);
            Ok(())
        }),
    })
}

pub(super) fn deploy(stack: &mut Stack, _dice: &mut StdRng) -> Result<Blow> {
    stack.next_worker_build();
    for at in 0..stack.workers.len() {
        stack.deploy_worker(at)?;
    }
    Ok(Blow {
        what: "all workers replaced in good order".to_owned(),
        lasts: Duration::ZERO,
        end: Box::new(|_| Ok(())),
    })
}
