//! The worker process: reads its settings, runs jobs until SIGTERM or Ctrl-C, gives back what it cannot finish.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::{Parser, Subcommand};
use jobs::catalog::{Catalog, FunctionSettings};
use jobs::settings::{Reader, environment, explain};
use jobs::worker::{self, WorkerSettings};
use jobs::{logging, signals, version};
use tokio_util::sync::CancellationToken;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs Spiral's jobs. All settings come from the environment; see `.env.example`.
#[derive(Parser)]
#[command(name = "worker", version = version::described())]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run jobs (the default)
    Run,
    /// Ask Redis whether the worker of this machine's name renews its leases; exit code 0 when it does
    Healthcheck,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command.unwrap_or(Command::Run) {
        Command::Run => run(),
        Command::Healthcheck => healthcheck(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            logging::last_words(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn healthcheck() -> anyhow::Result<()> {
    let (worker, catalog, _) = settings()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(worker::healthcheck(&worker, &catalog))?;
    Ok(())
}

/// Everything from the environment, or all that is wrong with it.
fn settings() -> anyhow::Result<(WorkerSettings, Catalog, logging::LogSettings)> {
    let mut reader = Reader::new(&environment);
    let worker = reader.group(WorkerSettings::from_lookup(&environment));
    let functions = reader.group(FunctionSettings::from_lookup(&environment));
    let log = reader.group(logging::LogSettings::from_lookup(&environment));
    reader
        .finish(())
        .map_err(|problems| anyhow!(explain(&problems)))?;
    Ok((worker, Catalog::new(&functions)?, log))
}

fn run() -> anyhow::Result<()> {
    let (worker, catalog, log) = settings()?;
    logging::start(&log);
    let catalog = Arc::new(catalog);
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
