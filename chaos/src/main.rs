//! `cargo xtask chaos`: real processes under load while they are killed, stood still, cut off, emptied and replaced;
//! then every job is counted. Nothing that was accepted may be lost, stuck, or recorded twice.
//!
//! It meets Spiral as everybody else does: over HTTP, in the rows, in the event streams. It never looks into the
//! engine, so a change there does not change what is demanded here. All servers are private and thrown away.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "its result is what it prints"
)]

mod arguments;
mod conductor;
mod count;
mod faults;
mod history;
mod load;
mod logs;
mod notes;
mod options;
mod report;
mod settle;
mod stack;
mod verdict;
mod witness;

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result};
use tokio::runtime::Runtime;
use xtask::interrupt::{self, Interrupted};

use count::Known;
use load::Load;
use options::Options;
use stack::Stack;
use verdict::Verdict;
use witness::Witness;

fn main() -> ExitCode {
    let options = match arguments::read(lexopt::Parser::from_env()) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{}", xtask::help::chaos());
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("{error:#}\n\n{}", xtask::help::chaos());
            return ExitCode::from(2);
        }
    };
    match interrupt::listen().and_then(|()| run(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) if error.is::<Interrupted>() => ExitCode::from(130),
        Err(error) => {
            eprintln!("\n{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// `false` means that a check failed.
fn run(options: &Options) -> Result<bool> {
    report::heading(options);
    // The processes are started from this thread, which lives as long as they do: their tether hangs on it. So it is
    // the one that strikes, without a runtime; load, links and witness are tasks.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let folder = tempfile::Builder::new()
        .prefix("spiral-chaos-")
        .tempdir()
        .context("no temporary folder")?;
    let result = in_folder(options, &runtime, folder.path());
    let uneventful = match &result {
        Ok(verdict) => verdict.failed() == 0,
        Err(error) => error.is::<Interrupted>(),
    };
    if options.keep || !uneventful {
        println!("\nAll logs are in {}.", folder.keep().display());
    }
    let verdict = result?;
    report::tally(&verdict);
    Ok(verdict.failed() == 0)
}

fn in_folder(options: &Options, runtime: &Runtime, folder: &Path) -> Result<Verdict> {
    let mut stack = Stack::start(options, folder, runtime.handle())?;
    let witness = runtime.block_on(Witness::start(&stack.database_url(), stack.redis.url(), folder))?;
    let load = Load::start(options, stack.doors.clone(), folder, runtime)?;
    let begin = Instant::now();

    conductor::run(&mut stack, options, &load)?;
    load.wait(&mut stack)?;
    let settled = settle::wait(&mut stack, &witness, runtime)?;
    let outcome = runtime.block_on(load.end())?;
    let words = runtime.block_on(witness.end(&stack.redis))?;
    let took = begin.elapsed();

    let known = Known {
        stack: &stack,
        outcome: &outcome,
        words: &words,
        settled: &settled,
    };
    let mut verdict = runtime.block_on(count::jobs(&known))?;
    let histories = runtime.block_on(history::of(&verdict, &stack, &words.audit, folder))?;
    stack.end()?;
    count::processes(&mut verdict, &stack, folder)?;
    report::verdict(&verdict, took);
    print!("{histories}");
    Ok(verdict)
}
