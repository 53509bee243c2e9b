//! `cargo xtask bench`: hands over to the benchmark program, in the release profile.

use std::ffi::OsString;

use anyhow::{Context, Result};

use crate::{build, install, process, project, say};

/// Builds and runs it.
pub fn run(arguments: &[OsString]) -> Result<()> {
    install::ensure(&install::FOR_BUILDING)?;
    install::ensure(&[install::REDIS])?;
    let target = project::binaries()?;
    let program = target
        .parent()
        .context("the target folder has no parent")?
        .join("release/bench");
    let step = say::Step::begin(
        "bench",
        "compiling with optimization (the first time 10 to 20 minutes)",
    );
    let packages = [
        "--package",
        "bench",
        "--package",
        "web-api",
        "--bin",
        "bench",
        "--bin",
        "web-api",
    ];
    process::run(
        build::cargo()
            .args(["build", "--release", "--locked"])
            .args(packages),
    )?;
    step.end("compiled");
    println!();
    process::run(process::sealed_command(program).args(arguments))
}
