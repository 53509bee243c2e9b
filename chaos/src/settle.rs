//! The time after the last fault: everything is there again, and every job has to come to its end.

use std::time::{Duration, Instant};

use anyhow::Result;
use jobs::queue::{Depth, Queues, RedisSettings};
use tokio::runtime::Runtime;
use xtask::say;

use crate::stack::Stack;
use crate::witness::{Witness, stream};

/// Without any progress for so long what is left is stuck. Longer than the slowest way back: entries that a killed API
/// had read are taken over after 10 s, and the reconciler looks again after as much.
const PATIENCE: Duration = Duration::from_secs(100);
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How it ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settled {
    pub(crate) took: Duration,
    /// What Redis still counts.
    pub(crate) depth: Depth,
}

/// Waits until nothing is unfinished, or nothing moves any more.
pub(crate) fn wait(stack: &mut Stack, witness: &Witness, runtime: &Runtime) -> Result<Settled> {
    let settings = RedisSettings {
        url: stack.redis.url(),
        ..RedisSettings::default()
    };
    let queues = runtime.block_on(Queues::connect(&settings))?;
    let step = say::Step::begin("settle", "waiting for the jobs that are left");
    let begin = Instant::now();
    let mut best = u64::MAX;
    let mut moved = Instant::now();
    loop {
        let left = runtime.block_on(witness.audit.unfinished())?;
        let depth = runtime.block_on(depth(&queues))?;
        let held = depth.queued + depth.scheduled + depth.running;
        if left + held < best {
            best = left + held;
            moved = Instant::now();
        }
        if left + held == 0 {
            step.end("every job has ended");
        } else if moved.elapsed() > PATIENCE {
            step.end(&format!("{left} jobs are stuck, Redis holds {held},"));
        } else {
            stack.pause(LOOK_EVERY)?;
            continue;
        }
        return Ok(Settled {
            took: begin.elapsed(),
            depth,
        });
    }
}

/// Over all queues.
async fn depth(queues: &Queues) -> Result<Depth> {
    let mut sum = Depth::default();
    for name in stream::queue_names()? {
        let depth = queues.depth(&name).await?;
        sum.queued += depth.queued;
        sum.scheduled += depth.scheduled;
        sum.running += depth.running;
        sum.workers += depth.workers;
        sum.stale_results += depth.stale_results;
    }
    Ok(sum)
}
