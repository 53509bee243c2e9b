//! `cargo xtask compose-test`: builds the images, starts them with docker compose as a user would, and sees what holds.
//!
//! A compose project of its own on a free port, with passwords of its own; all of it goes away at the end, but for the
//! images. What the stack has to bear is listed in `ACTS`.

mod acts;
mod images;
mod load;
mod registry;
mod stack;

use std::time::Instant;

use anyhow::{Error, Result};

use crate::interrupt::Interrupted;
use crate::{install, interrupt, say};

use images::Missing;
use stack::Stack;

type Act = (&'static str, fn(&mut Stack) -> Result<()>);

/// In this order: each begins with what the one before has left.
const ACTS: [Act; 15] = [
    ("refuses to start without secrets", acts::no_secrets),
    ("the images are built", acts::build),
    ("all are well", acts::start),
    ("nobody has more rights than needed", acts::rights),
    ("an index is computed through nginx", acts::index),
    ("a real browser sees it live", acts::browser),
    ("three workers share the work", acts::scale),
    ("kills lose nothing", acts::kills),
    ("replaced under load without a gap", acts::roll),
    ("down and up again keeps everything", acts::down_and_up),
    ("pushed, pinned by digest, pulled, run", registry::images),
    ("without a token it does not serve", acts::no_token),
    ("a wrong database password is told", acts::wrong_database_password),
    ("a wrong Redis password is told", acts::wrong_redis_password),
    ("TLS with HTTP/2", acts::tls),
];

/// The options of `compose-test`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Where it cannot run, say why and be content.
    pub if_possible: bool,
    /// Take the images as they are.
    pub no_build: bool,
    /// Leave the containers and volumes as they are at the end.
    pub keep: bool,
}

/// Runs it and says whether all is well; its last line is `N passed, N failed`.
pub fn run(options: Options) -> Result<bool> {
    println!("Spiral: testing the containers.\n");
    if let Err(error) = images::ready() {
        return match error.downcast::<Missing>() {
            Ok(missing) if options.if_possible => {
                println!("Skipped: {missing}");
                Ok(true)
            }
            Ok(missing) => Err(missing.into()),
            Err(error) => Err(error),
        };
    }
    install::ensure(&[install::CHROMIUM, install::FONTS])?;
    let mut stack = Stack::new(options.no_build)?;
    let mut passed = 0;
    let mut failed = 0;
    for (name, act) in ACTS {
        interrupt::check()?;
        let begin = Instant::now();
        let outcome = act(&mut stack);
        let time = say::time(begin.elapsed());
        match outcome {
            Ok(()) => {
                passed += 1;
                println!("  ok      {name:<38} {time}");
            }
            Err(error) if error.is::<Interrupted>() => return Err(error),
            Err(error) => {
                failed += 1;
                println!("  FAILED  {name:<38} {time}\n\n{error:#}\n");
                stack.show_logs();
                // What follows would fail as well, and say nothing more.
                break;
            }
        }
    }
    if options.keep {
        println!("\nLeft as it is: {}", stack.place());
        stack.keep();
    }
    println!("\n{passed} passed, {failed} failed");
    Ok(failed == 0)
}

/// A check that did not hold.
fn not_so(what: impl std::fmt::Display) -> Error {
    anyhow::anyhow!("{what}")
}
