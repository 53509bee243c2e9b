//! The worker process: reads its settings, runs jobs until SIGTERM or Ctrl-C, gives back what it cannot finish.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Parser;
use jobs::catalog::{Catalog, FunctionSettings};
use jobs::settings::{Reader, environment, explain};
use jobs::worker::{self, WorkerSettings};
use jobs::{logging, signals};
use tokio_util::sync::CancellationToken;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs Spiral's jobs. All settings come from the environment; see `.env.example`.
#[derive(Parser)]
#[command(version)]
struct Arguments {}

fn main() -> ExitCode {
    let Arguments {} = Arguments::parse();
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            logging::last_words(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let mut reader = Reader::new(&environment);
    let worker = reader.group(WorkerSettings::from_lookup(&environment));
    let functions = reader.group(FunctionSettings::from_lookup(&environment));
    let log = reader.group(logging::LogSettings::from_lookup(&environment));
    reader
        .finish(())
        .map_err(|problems| anyhow!(explain(&problems)))?;
    logging::start(&log);

    let catalog = Arc::new(Catalog::new(&functions)?);
    let runtime = tokio::runtime::Runtime::new().context("the runtime did not start")?;
    let result = runtime.block_on(async {
        let shutdown = CancellationToken::new();
        let signals = signals::Signals::listen().context("signals cannot be heard")?;
        tokio::select! {
            result = worker::run(worker, catalog, shutdown.clone()) => result.map_err(anyhow::Error::from),
            () = signals.second_after(&shutdown) => {
                tracing::warn!("a second signal: stopping at once; jobs that run will be taken over by other workers");
                Ok(())
            }
        }
    });
    // A computation that does not look at its stop sign must not hold up the end.
    runtime.shutdown_timeout(Duration::from_millis(100));
    result
}
