//! The `migrate` binary: brings a database's schema up to date, takes steps back, or tells where it stands.

use std::{
    fs,
    io::{self, Write},
    process::ExitCode,
    sync::LazyLock,
    time::Duration,
};

use anyhow::{Context, anyhow, bail};
use clap::{Parser, Subcommand};
use migrations::{
    ApiRole, ConnectError, MigrateError, SessionError, check_sessions, connect, grant_api_role, migrate_down,
    migrate_up, redacted, status, with_password,
};
use sea_orm::DatabaseConnection;

const AWAY: u8 = 3;
const PENDING: u8 = 4;
const NEWER: u8 = 5;

/// Brings the schema of Spiral's database up to date. Safe to start any number of times at once.
#[derive(Parser)]
#[command(
    name = "migrate",
    version = described(),
    after_help = "The database is SPIRAL_DATABASE_URL (or DATABASE_URL), for example\n  \
                  postgres://spiral:secret@localhost/spiral\n  sqlite://spiral.db?mode=rwc\n\
                  A password that is not in it comes from SPIRAL_DATABASE_PASSWORD, or from the file that\n\
                  SPIRAL_DATABASE_PASSWORD_FILE names.\n\n\
                  SPIRAL_DATABASE_API_ROLE names the PostgreSQL role that the API connects as. `up` gives it what\n\
                  the API needs, and no more; with SPIRAL_DATABASE_API_PASSWORD (or ..._FILE) it makes the role and\n\
                  sets its password.\n\n\
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
    // A terminal that closes does not end a migration: caught by somebody, SIGHUP does nothing.
    let _hangups = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok();
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
    let url = database_url()?;
    let database = connect(&url, Duration::from_secs(arguments.wait)).await?;
    if let Err(shared @ SessionError::Shared { .. }) = check_sessions(&url).await {
        return Err(shared.into());
    }
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
            if let Some(role) = api_role()? {
                grant_api_role(database, &role).await?;
                say(
                    &mut out,
                    &format!("the role {} may read and write rows, and nothing else", role.name),
                );
            }
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

fn database_url() -> anyhow::Result<String> {
    let url = setting("SPIRAL_DATABASE_URL")
        .or_else(|| setting("DATABASE_URL"))
        .context("SPIRAL_DATABASE_URL is not set (nor is DATABASE_URL): it names the database to migrate")?;
    match password("SPIRAL_DATABASE_PASSWORD")? {
        Some(password) => {
            with_password(&url, &password).map_err(|reason| anyhow!("SPIRAL_DATABASE_PASSWORD {reason}"))
        }
        None => Ok(url),
    }
}

/// The role that the API connects as, when it has one of its own.
fn api_role() -> anyhow::Result<Option<ApiRole>> {
    let name = setting("SPIRAL_DATABASE_API_ROLE");
    let password = password("SPIRAL_DATABASE_API_PASSWORD")?;
    Ok(name.map(|name| ApiRole { name, password }))
}

/// The password in the setting `name`, or in the file that `name`_FILE names.
fn password(name: &str) -> anyhow::Result<Option<String>> {
    let password = match (setting(name), setting(&format!("{name}_FILE"))) {
        (None, None) => return Ok(None),
        (Some(password), None) => password,
        (None, Some(file)) => {
            let text = fs::read_to_string(&file)
                .with_context(|| format!("{name}_FILE: the file {file} cannot be read"))?;
            if text.trim().is_empty() {
                bail!("{name}_FILE: the file {file} is empty");
            }
            text.trim().to_owned()
        }
        (Some(_), Some(_)) => bail!("{name} and {name}_FILE are both set: take one of them"),
    };
    Ok(Some(password))
}

#[expect(
    clippy::disallowed_methods,
    reason = "this binary's only look at the environment"
)]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

/// The version, and the commit where the build of an image said it.
fn described() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        let told = |text: Option<&'static str>| text.filter(|text| !text.is_empty());
        let version = told(option_env!("SPIRAL_VERSION")).unwrap_or(env!("CARGO_PKG_VERSION"));
        match told(option_env!("SPIRAL_COMMIT")) {
            Some(commit) => format!("{version} ({commit})"),
            None => version.to_owned(),
        }
    });
    TEXT.as_str()
}

/// A closed pipe (`migrate status | head -1`) is no reason to fail.
fn say(out: &mut dyn Write, line: &str) {
    writeln!(out, "{line}").ok();
}
