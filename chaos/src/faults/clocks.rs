//! What happens to the clocks of processes: one of them jumps, for some seconds. The machine's own clock stays right.

use std::time::Duration;

use anyhow::Result;
use rand::RngExt as _;
use rand::rngs::StdRng;
use xtask::say;

use super::{Blow, between, one_of, seconds};
use crate::stack::Stack;
use crate::stack::clocks::RIGHT;

/// How far: what libfaketime reads.
const FAR: [&str; 4] = ["+365d", "-365d", "+2h", "-90"];

/// Of one process, or of all of them at the same moment, as when a time server errs.
pub(super) fn jump(stack: &mut Stack, dice: &mut StdRng) -> Result<Blow> {
    if !stack.clocks.can_jump() {
        return Ok(Blow {
            what: "nothing: libfaketime is not installed (Debian's package of that name)".to_owned(),
            lasts: Duration::ZERO,
            end: Box::new(|_| Ok(())),
        });
    }
    let far = FAR[one_of(dice, FAR.len())];
    let mut names: Vec<&'static str> = stack.names();
    let who = if dice.random_bool(0.3) {
        "all processes".to_owned()
    } else {
        names = vec![names[one_of(dice, names.len())]];
        names[0].to_owned()
    };
    for name in &names {
        stack.clocks.set(name, far)?;
    }
    let lasts = between(dice, seconds(3), seconds(8));
    Ok(Blow {
        what: format!("the clock of {who} is off by {far} for {}", say::time(lasts)),
        lasts,
        end: Box::new(move |stack| names.iter().try_for_each(|name| stack.clocks.set(name, RIGHT))),
    })
}
