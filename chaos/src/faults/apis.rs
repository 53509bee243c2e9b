//! What happens to APIs: they are killed, stand still, are replaced.

use std::time::Duration;

use anyhow::Result;
use rand::rngs::StdRng;
use rustix::process::Signal;
use xtask::say;

use super::{Blow, between, one_of, seconds};
use crate::stack::Stack;

pub(super) fn kill(stack: &mut Stack, dice: &mut StdRng) -> Result<Blow> {
    let at = one_of(dice, stack.apis.len());
    stack.apis[at].kill()?;
    Ok(Blow {
        what: format!("{} killed", stack.apis[at].process_name()),
        lasts: between(dice, Duration::ZERO, seconds(2)),
        end: Box::new(move |stack| stack.replace_api(at)),
    })
}

/// Long enough that the other one takes its rows for forgotten and pushes them.
#[expect(clippy::unnecessary_wraps, reason = "other faults can fail")]
pub(super) fn freeze(stack: &mut Stack, dice: &mut StdRng) -> Result<Blow> {
    let at = one_of(dice, stack.apis.len());
    let api = &stack.apis[at];
    let lasts = between(dice, seconds(3), seconds(8));
    api.signal(Signal::STOP);
    Ok(Blow {
        what: format!("{} stands still for {}", api.process_name(), say::time(lasts)),
        lasts,
        end: Box::new(move |stack| {
            stack.apis[at].signal(Signal::CONT);
            Ok(())
        }),
    })
}

pub(super) fn deploy(stack: &mut Stack, _dice: &mut StdRng) -> Result<Blow> {
    stack.next_api_build();
    for at in 0..stack.apis.len() {
        stack.deploy_api(at)?;
    }
    Ok(Blow {
        what: "all APIs replaced in good order".to_owned(),
        lasts: Duration::ZERO,
        end: Box::new(|_| Ok(())),
    })
}
