//! What happens to PostgreSQL: it is stopped in the middle of its work and comes back.

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
