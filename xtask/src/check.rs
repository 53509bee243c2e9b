//! `cargo xtask check`: everything that needs no running server, each with one line of outcome.

use std::time::Instant;

use anyhow::Result;

use crate::interrupt::Interrupted;
use crate::skipped::Skipped;
use crate::{build, containers, docs, frontend, install, interrupt, nginx, openapi, process, release, say};

type Check = (&'static str, fn() -> Result<()>);

const CHECKS: [Check; 16] = [
    ("rustfmt", rustfmt),
    ("clippy", clippy),
    ("rustdoc", rustdoc),
    ("frontend lint", || script("lint")),
    ("frontend types", || script("typecheck")),
    ("openapi.json", openapi_document),
    ("API types", openapi::check_types),
    ("docs", docs::check),
    ("nginx -t", nginx::check),
    ("shellcheck", release::shellcheck),
    ("gixy", nginx::lint),
    ("hadolint", containers::hadolint),
    ("compose schema", containers::schema),
    ("compose config", containers::config),
    ("Travis schema", release::travis),
    ("CloudFormation", release::template),
];

/// Runs all of them, also after a failure, and says whether all are well.
pub fn run() -> Result<bool> {
    println!(
        "Spiral: checking. The first time takes some minutes, because clippy looks at all dependencies once.\n"
    );
    install::ensure(&install::FOR_BUILDING)?;
    install::ensure(&[install::NGINX])?;
    frontend::packages()?;
    build::say_when_locked()?;
    let mut failed = Vec::new();
    for (name, check) in CHECKS {
        interrupt::check()?;
        let begin = Instant::now();
        let outcome = check();
        let time = say::time(begin.elapsed());
        match outcome {
            Ok(()) => println!("  ok      {name:<16} {time}"),
            Err(error) if error.is::<Interrupted>() => return Err(error),
            Err(error) if error.is::<Skipped>() => println!("  skipped {name:<16} {error}"),
            Err(error) => {
                println!("  FAILED  {name:<16} {time}\n\n{error:#}\n");
                failed.push(name);
            }
        }
    }
    if failed.is_empty() {
        println!("\nAll checks passed.");
    } else {
        println!("\nFailed: {}.", say::list(&failed));
    }
    Ok(failed.is_empty())
}

fn rustfmt() -> Result<()> {
    process::run_quietly(build::cargo().args(["fmt", "--all", "--check"])).map(drop)
}

fn clippy() -> Result<()> {
    let arguments = [
        "clippy",
        "--quiet",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "-D",
        "warnings",
    ];
    process::run_quietly(build::cargo().args(arguments)).map(drop)
}

fn rustdoc() -> Result<()> {
    let arguments = [
        "doc",
        "--quiet",
        "--workspace",
        "--no-deps",
        "--document-private-items",
        "--locked",
    ];
    process::run_quietly(build::cargo().args(arguments).env("RUSTDOCFLAGS", "-D warnings")).map(drop)
}

fn script(name: &str) -> Result<()> {
    let no_arguments: [&str; 0] = [];
    process::run_quietly(&mut frontend::script(name, &no_arguments)?).map(drop)
}

fn openapi_document() -> Result<()> {
    build::workspace_quietly()?;
    openapi::check_document()
}
