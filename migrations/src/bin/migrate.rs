//! The `migrate` binary: brings a database's schema up to date, takes steps back, or tells where it stands.

use std::{
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use clap::{Parser, Subcommand};
use migrations::{ConnectError, MigrateError, connect, migrate_down, migrate_up, redacted, status};
use sea_orm::DatabaseConnection;

const AWAY: u8 = 3;
const PENDING: u8 = 4;
const NEWER: u8 = 5;

/// Brings the schema of Spiral's database up to date. Safe to start any number of times at once.
#[derive(Parser)]
#[command(
    name = "migrate",
    version,
    after_help = "The database is SPIRAL_DATABASE_URL (or DATABASE_URL), for example\n  \
                  postgres://spiral:secret@localhost/spiral\n  sqlite://spiral.db?mode=rwc\n\n\
                  Exit codes: 0 done, 1 failed (nothing was changed), 2 wrong usage,\n  \
                  3 the database cannot be reached, 4 `status` found migrations that are not applied,\n  \
                  5 the schema is newer than this build (nothing was changed)."
)]
struct Arguments {
    /// How long to wait for a database that is not there yet, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30, global = true)]
    wait: u64,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Apply every migration that is missing
    Up,
    /// Take back the last migrations; the data in their tables is lost
    Down {
        /// How many
        #[arg(default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        steps: u32,
    },
    /// List the migrations and whether they are applied
    Status,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments).await {
        Ok(code) => code,
        Err(error) => {
            say(&mut io::stderr(), &format!("migrate: {}", explain(&error)));
            if let Some(MigrateError::Newer { .. }) = error.downcast_ref() {
                return ExitCode::from(NEWER);
            }
            match error.downcast_ref::<ConnectError>() {
                Some(ConnectError::Away { .. }) => ExitCode::from(AWAY),
                Some(_) | None => ExitCode::FAILURE,
            }
        }
    }
}

async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let Some(url) = database_url() else {
        anyhow::bail!(
            "SPIRAL_DATABASE_URL is not set (nor is DATABASE_URL): it names the database to migrate"
        );
    };
    let database = connect(&url, Duration::from_secs(arguments.wait)).await?;
    let code = execute(&arguments.command, &database, &redacted(&url)).await?;
    database.close().await?;
    Ok(code)
}

async fn execute(command: &Command, database: &DatabaseConnection, url: &str) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout();
    match command {
        Command::Up => {
            let applied = migrate_up(database).await?;
            for name in &applied {
                say(&mut out, &format!("applied {name}"));
            }
            say(
                &mut out,
                &match applied.len() {
                    0 => format!("{url} is up to date, nothing to do"),
                    1 => format!("{url} is up to date, 1 migration applied"),
                    n => format!("{url} is up to date, {n} migrations applied"),
                },
            );
        }
        Command::Down { steps } => {
            let taken_back = migrate_down(database, *steps).await?;
            for name in &taken_back {
                say(&mut out, &format!("took back {name}"));
            }
            if taken_back.is_empty() {
                say(&mut out, &format!("{url} has no migration to take back"));
            }
        }
        Command::Status => {
            let migrations = status(database).await?;
            for migration in &migrations {
                let state = if migration.applied { "applied" } else { "pending" };
                say(&mut out, &format!("{state}  {}", migration.name));
            }
            let pending = migrations.iter().filter(|migration| !migration.applied).count();
            if pending > 0 {
                say(
                    &mut out,
                    &format!("{pending} of {} not applied: run `migrate up`", migrations.len()),
                );
                return Ok(ExitCode::from(PENDING));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The error and its causes in one line, without those that the line says already.
fn explain(error: &anyhow::Error) -> String {
    error
        .chain()
        .map(ToString::to_string)
        .fold(String::new(), |line, cause| {
            if line.is_empty() {
                cause
            } else if line.contains(&cause) {
                line
            } else {
                format!("{line}: {cause}")
            }
        })
}

#[expect(
    clippy::disallowed_methods,
    reason = "this binary's only look at the environment"
)]
fn database_url() -> Option<String> {
    ["SPIRAL_DATABASE_URL", "DATABASE_URL"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|url| !url.is_empty()))
}

/// A closed pipe (`migrate status | head -1`) is no reason to fail.
fn say(out: &mut dyn Write, line: &str) {
    writeln!(out, "{line}").ok();
}
