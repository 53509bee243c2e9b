//! What happens to PostgreSQL: it is stopped in the middle of its work and comes back, or its disk is full.

use std::time::Duration;

use anyhow::Result;
use rand::rngs::StdRng;
use xtask::say;

use super::{Blow, between, seconds};
use crate::stack::Stack;

pub(super) fn restart(stack: &mut Stack, dice: &mut StdRng) -> Result<Blow> {
    let lasts = between(dice, seconds(1), seconds(4));
    stack.crash_database()?;
    Ok(Blow {
        what: format!("PostgreSQL away for {}", say::time(lasts)),
        lasts,
        end: Box::new(Stack::start_database_again),
    })
}

pub(super) fn full_disk(stack: &mut Stack, dice: &mut StdRng) -> Result<Blow> {
    let lasts = between(dice, seconds(2), seconds(6));
    if !stack.fill_disk_of_database()? {
        return Ok(Blow {
            what: "skipped: this process may not mount a small disk for PostgreSQL (root may)".to_owned(),
            lasts: Duration::ZERO,
            end: Box::new(|_| Ok(())),
        });
    }
    Ok(Blow {
        what: format!("PostgreSQL's disk is full for {}", say::time(lasts)),
        lasts,
        end: Box::new(Stack::free_disk_of_database),
    })
}
