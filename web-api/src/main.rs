//! The `web-api` binary: serve the API, or everything in one process.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use jobs::logging;
use jobs::settings::{Problem, environment, explain};
use jobs::signals::Signals;
use jobs::version;
use tokio_util::sync::CancellationToken;
use web_api::all_in_one::{self, Options};
use web_api::config::{AllInOneConfig, Config, ServerSettings};
use web_api::http::{healthcheck, openapi};
use web_api::serve;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The HTTP API of Spiral. Settings come from the environment; `.env.example` lists them.
#[derive(Parser)]
#[command(name = "web-api", version = version::described())]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the API, with a database and a Redis that run elsewhere (the default)
    Serve,
    /// Run everything in this process: API, workers, a SQLite file, a private Redis and the frontend
    AllInOne {
        /// Where to listen; `SPIRAL_LISTEN`, or 127.0.0.1:8080, when it is missing
        #[arg(long, value_name = "ADDRESS")]
        listen: Option<SocketAddr>,
        /// The folder that keeps everything
        #[arg(long, value_name = "FOLDER", default_value = "data")]
        data: PathBuf,
        /// The frontend's static build; without it there is only the API
        #[arg(long, value_name = "FOLDER")]
        r#static: Option<PathBuf>,
    },
    /// Print the OpenAPI document
    Openapi,
    /// Ask the server at `SPIRAL_LISTEN` whether it is alive; exit code 0 when it is
    Healthcheck,
}

fn main() -> ExitCode {
    match run(Arguments::parse().command.unwrap_or(Command::Serve)) {
        Ok(code) => code,
        Err(error) => {
            logging::last_words(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve => {
            let config = read(Config::from_lookup(&environment))?;
            logging::start(&config.log);
            until_signal(|shutdown| serve::run(config, shutdown))
        }
        Command::AllInOne {
            listen,
            data,
            r#static,
        } => {
            let mut config = read(AllInOneConfig::from_lookup(&environment))?;
            config.config.server.listen = listen.unwrap_or(config.config.server.listen);
            logging::start(&config.config.log);
            let options = Options {
                data,
                statics: r#static,
            };
            until_signal(|shutdown| all_in_one::run(options, config, shutdown))
        }
        Command::Openapi => {
            io::stdout().write_all(openapi::text()?.as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Healthcheck => {
            let settings = read(ServerSettings::from_lookup(&environment))?;
            healthcheck::check(settings.listen)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn read<T>(settings: Result<T, Vec<Problem>>) -> anyhow::Result<T> {
    settings.map_err(|problems| anyhow::anyhow!(explain(&problems)))
}

/// Runs `work` on the main thread until it ends. The first signal asks it to; the second one does not wait.
fn until_signal<F>(work: impl FnOnce(CancellationToken) -> F) -> anyhow::Result<ExitCode>
where
    F: Future<Output = anyhow::Result<()>>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(async {
        let shutdown = CancellationToken::new();
        let signals = Signals::listen().context("signals cannot be heard")?;
        let work = work(shutdown.clone());
        tokio::select! {
            result = work => result.map(|()| ExitCode::SUCCESS),
            () = signals.second_after(&shutdown) => {
                tracing::warn!("a second signal: stopping at once; what is unfinished goes on at the next start");
                Ok(ExitCode::from(130))
            }
        }
    });
    // Computations that are under way have threads of their own; what they would give is computed again.
    runtime.shutdown_background();
    result
}
