//! What happens to Redis: it is killed and comes back with its log, or empty, or is emptied while it runs.

use std::time::Duration;

use anyhow::Result;
use rand::rngs::StdRng;
use xtask::say;

use super::{Blow, between, seconds};
use crate::stack::Stack;

pub(super) fn restart(stack: &mut Stack, dice: &mut StdRng) -> Result<Blow> {
    stack.redis.kill()?;
    Ok(Blow {
        what: "Redis killed, back with its log".to_owned(),
        lasts: between(dice, Duration::ZERO, seconds(3)),
        end: Box::new(|stack| stack.redis.start_again()),
    })
}

pub(super) fn wipe(stack: &mut Stack, dice: &mut StdRng) -> Result<Blow> {
    stack.redis.kill()?;
    stack.redis.wipe()?;
    Ok(Blow {
        what: "Redis killed, back empty".to_owned(),
        lasts: between(dice, Duration::ZERO, seconds(3)),
        end: Box::new(|stack| stack.redis.start_again()),
    })
}

/// What is in it already is too much: nothing comes in until it has become less.
pub(super) fn fill(stack: &mut Stack, dice: &mut StdRng) -> Result<Blow> {
    let lasts = between(dice, seconds(5), seconds(12));
    let most = stack.redis.fill()?;
    Ok(Blow {
        what: format!("Redis full, with {} kB, for {}", most / 1_000, say::time(lasts)),
        lasts,
        end: Box::new(|stack| stack.redis.make_room()),
    })
}

pub(super) fn flush(stack: &mut Stack, _dice: &mut StdRng) -> Result<Blow> {
    stack.redis.flush()?;
    Ok(Blow {
        what: "Redis emptied".to_owned(),
        lasts: Duration::ZERO,
        end: Box::new(|_| Ok(())),
    })
}
