//! `cargo xtask test`: every test, against servers that are started for it and thrown away.

mod api;
mod end_to_end;

use std::ffi::OsString;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Error, Result};

use crate::cli::{Part, TestOptions};
use crate::interrupt::Interrupted;
use crate::postgres::Postgres;
use crate::skipped::Skipped;
use crate::tally::{self, Tally};
use crate::{build, chaos, frontend, install, interrupt, process, project, python, say};

/// How one part went.
struct Outcome {
    part: Part,
    tally: Tally,
    time: Duration,
    /// Why the part could not run to its end, when that is not the runner's own story.
    trouble: Option<Error>,
}

/// Runs the parts and says whether all tests passed; its last line is `N passed, N failed`.
pub fn run(options: &TestOptions) -> Result<bool> {
    println!("Spiral: testing. Servers are started for it on free ports and thrown away.\n");
    prepare(options)?;
    let uses_database = options.parts.iter().any(|part| part.uses_database());
    let postgres = if uses_database {
        Some(Postgres::start()?)
    } else {
        None
    };
    let mut outcomes = Vec::new();
    for part in &options.parts {
        interrupt::check()?;
        println!("\n== {} ==\n", part.name());
        let begin = Instant::now();
        let result = match (part, &postgres) {
            (Part::Chaos, _) => in_chaos(&options.arguments),
            (Part::Frontend, _) | (_, None) => vitest(&options.arguments),
            (Part::Release, Some(postgres)) => release(postgres, &options.arguments),
            (Part::Api, Some(postgres)) => api::run(postgres, &options.arguments),
            (Part::Rust, Some(postgres)) => rust(postgres, &options.arguments),
            (Part::EndToEnd, Some(postgres)) => end_to_end::run(postgres, &options.arguments),
        };
        let (tally, trouble) = match result {
            Ok(tally) => (tally, None),
            Err(error) if error.is::<Interrupted>() => return Err(error),
            Err(error) => {
                println!("\n{error:#}");
                (Tally { passed: 0, failed: 1 }, Some(error))
            }
        };
        outcomes.push(Outcome {
            part: *part,
            tally,
            time: begin.elapsed(),
            trouble,
        });
    }
    drop(postgres);
    Ok(report(&outcomes))
}

/// Everything that takes long, before the first server is started.
fn prepare(options: &TestOptions) -> Result<()> {
    let parts = &options.parts;
    let mut tools = Vec::new();
    if parts.iter().any(|part| *part != Part::Frontend) {
        tools.extend(install::FOR_BUILDING);
        tools.extend([install::REDIS, install::POSTGRES, install::PGBOUNCER]);
    }
    let with_nginx = [Part::Rust, Part::EndToEnd, Part::Api];
    if with_nginx.iter().any(|part| parts.contains(part)) {
        tools.push(install::NGINX);
    }
    if parts.contains(&Part::EndToEnd) {
        tools.extend([install::CHROMIUM, install::FONTS]);
    }
    install::ensure(&tools)?;
    if parts.contains(&Part::EndToEnd) {
        frontend::build()?;
    } else if parts.contains(&Part::Frontend) {
        frontend::packages()?;
    }
    // One package alone gets other features of its dependencies, so a build of all would be of no use to it.
    let needs_all = parts.contains(&Part::Rust) && !names_a_package(&options.arguments);
    let with_programs = [Part::EndToEnd, Part::Api, Part::Chaos, Part::Release];
    if needs_all || with_programs.iter().any(|part| parts.contains(part)) {
        build::workspace()?;
    }
    Ok(())
}

/// Whether the arguments for cargo say `-p` or `--package`.
fn names_a_package(arguments: &[OsString]) -> bool {
    let own = arguments.iter().take_while(|argument| *argument != "--");
    own.map(|argument| argument.to_string_lossy()).any(|argument| {
        argument == "--package" || argument.starts_with("--package=") || argument.starts_with("-p")
    })
}

fn rust(postgres: &Postgres, arguments: &[OsString]) -> Result<Tally> {
    let mut command = build::sealed_cargo();
    command
        .args(["test", "--locked", "--no-fail-fast"])
        .env("SPIRAL_TEST_POSTGRES_URL", postgres.url("postgres"));
    if !names_a_package(arguments) {
        command.arg("--workspace");
    }
    watch(command.args(arguments), tally::cargo)
}

/// It starts servers of its own, because it kills them.
fn in_chaos(arguments: &[OsString]) -> Result<Tally> {
    watch(&mut chaos::command(arguments)?, tally::chaos)
}

/// What it stands on comes from pip. A machine that cannot have it goes without, and says so.
fn release(postgres: &Postgres, arguments: &[OsString]) -> Result<Tally> {
    let mut pytest = match python::command("pytest") {
        Ok(pytest) => pytest,
        Err(error) if error.is::<Skipped>() => {
            println!("  skipped: {error}");
            return Ok(Tally::default());
        }
        Err(error) => return Err(error),
    };
    // The rehearsal of a restore has real programs.
    pytest
        .env("SPIRAL_TEST_POSTGRES_URL", postgres.url("postgres"))
        .env("SPIRAL_PROGRAMS", project::binaries()?)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    pytest.arg(project::path("ci/tests")).args(arguments);
    watch(&mut pytest, tally::pytest)
}

fn vitest(arguments: &[OsString]) -> Result<Tally> {
    watch(&mut frontend::script("test", arguments)?, tally::vitest)
}

/// Runs a runner with its output shown and counts by its closing lines.
fn watch(command: &mut Command, count: fn(&str) -> Tally) -> Result<Tally> {
    let mut tally = Tally::default();
    let status = process::run_watched(command, |line| tally += count(line))?;
    Ok(tally.ended(status.success()))
}

fn report(outcomes: &[Outcome]) -> bool {
    let mut all = Tally::default();
    println!();
    for outcome in outcomes {
        let Tally { passed, failed } = outcome.tally;
        let time = say::time(outcome.time);
        println!(
            "  {:<10} {passed:>5} passed {failed:>4} failed   {time}",
            outcome.part.name()
        );
        all += outcome.tally;
    }
    for outcome in outcomes {
        if outcome.trouble.is_some() {
            println!(
                "\n  {} did not run to its end: the reason is shown above.",
                outcome.part.name()
            );
        } else if outcome.tally.passed == 0 && outcome.tally.failed == 0 {
            println!("\n  {} ran no test.", outcome.part.name());
        }
    }
    println!("\n{} passed, {} failed", all.passed, all.failed);
    all.failed == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_noticed() {
        let named = |words: &[&str]| names_a_package(&words.iter().map(OsString::from).collect::<Vec<_>>());
        assert!(
            named(&["-p", "jobs"])
                && named(&["-pjobs"])
                && named(&["--package=jobs"])
                && named(&["--package", "jobs"])
        );
        assert!(!named(&["lifecycle"]) && !named(&["--", "-p"]) && !named(&[]));
    }
}
