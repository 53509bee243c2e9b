//! `cargo xtask bench`: what Spiral costs, each time beside something that a reader can judge it by.
//!
//! Machines differ and are noisy, so both sides of a comparison run in turns in the same run, and the ratio is what
//! counts. Servers are private and thrown away.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "its result is what it prints"
)]

mod fibonacci;
mod machine;
mod queue;
mod sample;

use std::process::ExitCode;

use anyhow::{Result, bail};
use lexopt::prelude::{Long, Value, ValueExt as _};
use xtask::interrupt;

const HELP: &str = "\
cargo xtask bench [-- [fibonacci] [queue] [--rounds N]]

  fibonacci   the whole path, from the HTTP call to the digits, beside GMP alone
  queue       no-op jobs through the queue, beside apalis-redis's own storage
  --rounds N  how often each measurement is repeated (5)";

/// What to run.
struct Options {
    fibonacci: bool,
    queue: bool,
    rounds: usize,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\n{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let Some(options) = options(lexopt::Parser::from_env())? else {
        println!("{HELP}");
        return Ok(());
    };
    if cfg!(debug_assertions) {
        println!("Built without optimization: these numbers say nothing. Use `cargo xtask bench`.\n");
    }
    interrupt::listen()?;
    println!("{}\n", machine::line()?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        if options.fibonacci {
            fibonacci::run(options.rounds).await?;
        }
        if options.queue {
            queue::run(options.rounds).await?;
        }
        Ok(())
    })
}

/// `None` means that help was asked for.
fn options(mut parser: lexopt::Parser) -> Result<Option<Options>> {
    let mut options = Options {
        fibonacci: false,
        queue: false,
        rounds: 5,
    };
    while let Some(argument) = parser.next()? {
        match argument {
            Value(word) if word == "fibonacci" => options.fibonacci = true,
            Value(word) if word == "queue" => options.queue = true,
            Long("rounds") => options.rounds = parser.value()?.parse()?,
            Long("help") => return Ok(None),
            other @ (Long(_) | lexopt::Arg::Short(_) | Value(_)) => {
                bail!("{}\n\n{HELP}", other.unexpected())
            }
        }
    }
    if options.rounds == 0 {
        bail!("`--rounds` needs at least one");
    }
    if !options.fibonacci && !options.queue {
        (options.fibonacci, options.queue) = (true, true);
    }
    Ok(Some(options))
}
