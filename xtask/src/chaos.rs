//! `cargo xtask chaos`: builds what is to be tormented and hands over to the program that does it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::{build, install, process, project, say};

/// What it is built from: itself, and the three that it starts.
const PACKAGES: [&str; 4] = ["chaos", "web-api", "jobs", "migrations"];

/// Taken here, because it chooses which program is built; the others are the program's.
const RELEASE: &str = "--release";

/// Builds and runs it; `false` means that something went wrong with a job.
pub fn run(arguments: &[OsString]) -> Result<bool> {
    install::ensure(&install::FOR_BUILDING)?;
    install::ensure(&[install::REDIS, install::POSTGRES])?;
    let (release, own): (Vec<_>, Vec<_>) = arguments.iter().partition(|argument| *argument == RELEASE);
    let program = if release.is_empty() {
        build::workspace()?;
        project::binary("chaos")?
    } else {
        optimized()?
    };
    println!();
    let status = process::run_watched(process::sealed_command(program).args(own), |_| ())?;
    Ok(status.success())
}

/// The program as a part of the tests, which have built everything.
pub(crate) fn command(arguments: &[OsString]) -> Result<Command> {
    let mut command = process::sealed_command(project::binary("chaos")?);
    command.args(arguments);
    Ok(command)
}

fn optimized() -> Result<PathBuf> {
    let target = project::binaries()?;
    let target = target.parent().context("the target folder has no parent")?;
    let step = say::Step::begin(
        "chaos",
        "compiling with optimization (the first time 10 to 20 minutes)",
    );
    let mut build = build::cargo();
    build.args(["build", "--release", "--locked", "--bins"]);
    for package in PACKAGES {
        build.args(["--package", package]);
    }
    process::run(&mut build)?;
    step.end("compiled");
    Ok(target.join("release/chaos"))
}
