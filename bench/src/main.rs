//! `cargo xtask bench`: what Spiral costs, each time beside something that a reader can judge it by.
//!
//! Machines differ and are noisy, so both sides of a comparison run in turns in the same run, and the ratio is what
//! counts. Servers are private and thrown away.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "its result is what it prints"
)]

mod clock;
mod contestant;
mod engine;
mod fibonacci;
mod frames;
mod lines;
mod machine;
mod peer;
mod processes;
mod sample;
mod table;
mod worker;

use std::env;
use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use xtask::bench::options::{HELP, Options};
use xtask::interrupt;

/// The same as in the binaries that ship.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
    let words: Vec<OsString> = env::args_os().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    // It calls itself with this word, which is therefore not in its help.
    if let Some(("worker", rest)) = split(&words) {
        return runtime.block_on(worker::run(rest));
    }
    let Some(options) = Options::parse(lexopt::Parser::from_args(words))? else {
        println!("{HELP}");
        return Ok(());
    };
    if cfg!(debug_assertions) {
        println!("Built without optimization: these numbers say nothing. Use `cargo xtask bench`.\n");
    }
    interrupt::listen()?;
    println!("{}\n", machine::line()?);
    // All of it on this thread, which lives longest: a server ends with the thread that started it.
    runtime.block_on(async {
        if options.fibonacci {
            fibonacci::run(options.rounds, options.markdown).await?;
        }
        if !options.engine.is_empty() {
            engine::run(&options).await?;
        }
        if options.monitoring {
            engine::monitoring::run(options.rounds, options.markdown).await?;
        }
        if options.frames {
            tokio::task::block_in_place(frames::run)?;
        }
        Ok(())
    })
}

fn split(words: &[OsString]) -> Option<(&str, &[OsString])> {
    let (first, rest) = words.split_first()?;
    Some((first.to_str()?, rest))
}
