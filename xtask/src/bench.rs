//! `cargo xtask bench`: hands over to the benchmark program, in the release profile.

use std::ffi::OsString;

use anyhow::Result;

use crate::{build, install, process};

/// Builds and runs it.
pub fn run(arguments: &[OsString]) -> Result<()> {
    install::ensure(&install::FOR_BUILDING)?;
    install::ensure(&[install::REDIS])?;
    let mut command = build::sealed_cargo();
    command
        .args([
            "run",
            "--quiet",
            "--release",
            "--locked",
            "--package",
            "bench",
            "--",
        ])
        .args(arguments);
    process::run(&mut command)
}
