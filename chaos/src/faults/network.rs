//! What happens to the network between the processes and Redis, for one of them or for all.

use anyhow::Result;
use rand::RngExt as _;
use rand::rngs::StdRng;
use xtask::say;

use super::{Blow, between, one_of, seconds};
use crate::stack::Stack;
use crate::stack::link::{Link, Weather};

/// Whose way to Redis is struck; `None` is everybody's.
type Whose = Option<usize>;

#[expect(clippy::unnecessary_wraps, reason = "other faults can fail")]
pub(super) fn cut(stack: &mut Stack, dice: &mut StdRng) -> Result<Blow> {
    let whose = draw(stack, dice);
    set(stack, whose, Weather::Cut);
    let lasts = between(dice, seconds(1), seconds(5));
    Ok(Blow {
        what: format!(
            "the network of {} cut for {}",
            name(stack, whose),
            say::time(lasts)
        ),
        lasts,
        end: Box::new(move |stack| {
            set(stack, whose, Weather::Open);
            Ok(())
        }),
    })
}

/// Every other time the connections do not live through it.
#[expect(clippy::unnecessary_wraps, reason = "other faults can fail")]
pub(super) fn stall(stack: &mut Stack, dice: &mut StdRng) -> Result<Blow> {
    let whose = draw(stack, dice);
    let lives = dice.random::<bool>();
    set(stack, whose, Weather::Still);
    let lasts = between(dice, seconds(3), seconds(9));
    let then = if lives {
        "what was under way arrives"
    } else {
        "connections are dropped"
    };
    Ok(Blow {
        what: format!(
            "the network of {} stands still for {}, then {then}",
            name(stack, whose),
            say::time(lasts)
        ),
        lasts,
        end: Box::new(move |stack| {
            if !lives {
                set(stack, whose, Weather::Cut);
            }
            set(stack, whose, Weather::Open);
            Ok(())
        }),
    })
}

#[expect(clippy::unnecessary_wraps, reason = "other faults can fail")]
pub(super) fn slow(stack: &mut Stack, dice: &mut StdRng) -> Result<Blow> {
    let whose = draw(stack, dice);
    set(stack, whose, Weather::Slow);
    let lasts = between(dice, seconds(5), seconds(12));
    Ok(Blow {
        what: format!(
            "the network of {} is slow for {}",
            name(stack, whose),
            say::time(lasts)
        ),
        lasts,
        end: Box::new(move |stack| {
            set(stack, whose, Weather::Open);
            Ok(())
        }),
    })
}

/// As behind a firewall that lost its table: nobody is told, and the connections stay up.
#[expect(clippy::unnecessary_wraps, reason = "other faults can fail")]
pub(super) fn forget(stack: &mut Stack, dice: &mut StdRng) -> Result<Blow> {
    let whose = draw(stack, dice);
    for (at, (_, link)) in links(stack).enumerate() {
        if whose.is_none_or(|one| one == at) {
            link.forget();
        }
    }
    Ok(Blow {
        what: format!(
            "the connections of {} forgotten by the network",
            name(stack, whose)
        ),
        // It cannot be undone; another fault of the network would hide that new connections work.
        lasts: between(dice, seconds(3), seconds(9)),
        end: Box::new(|_| Ok(())),
    })
}

fn draw(stack: &Stack, dice: &mut StdRng) -> Whose {
    let one = one_of(dice, links(stack).count());
    dice.random_bool(0.6).then_some(one)
}

fn links(stack: &Stack) -> impl Iterator<Item = (&'static str, &Link)> {
    let slots = stack.apis.iter().chain(&stack.workers);
    slots.map(|slot| (slot.name, &slot.link))
}

fn set(stack: &Stack, whose: Whose, weather: Weather) {
    for (at, (_, link)) in links(stack).enumerate() {
        if whose.is_none_or(|one| one == at) {
            link.set(weather);
        }
    }
}

fn name(stack: &Stack, whose: Whose) -> &'static str {
    whose
        .and_then(|at| links(stack).nth(at))
        .map_or("all processes", |(name, _)| name)
}
