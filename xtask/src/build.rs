//! Building the workspace's programs.

use std::env;
use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::io::{IsTerminal as _, stdout};
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::{install, process, project, say};

mod progress;

/// cargo as it called this program, so that the toolchain stays the same.
pub fn cargo() -> Command {
    process::command(cargo_program())
}

/// The same without settings of the developer that could reach somebody's servers.
pub fn sealed_cargo() -> Command {
    let mut command = process::sealed_command(cargo_program());
    if stdout().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    command
}

fn cargo_program() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Builds the one program that runs everything, for `up`.
pub fn web_api() -> Result<PathBuf> {
    install::ensure(&install::FOR_BUILDING)?;
    let first = is_first()?;
    let step = say::Step::begin("server", &format!("compiling{}", hint(first)));
    let mut command = cargo();
    command.args(["build", "--locked", "--package", "web-api", "--bin", "web-api"]);
    progress::run(&mut command)?;
    step.end("compiled");
    project::binary("web-api")
}

/// Builds with optimization, for what takes minutes; says how far it is.
pub fn with_progress(command: &mut Command) -> Result<()> {
    progress::run(command)
}

/// cargo waits without a word, when it was told to be quiet, for another one that builds in the same folder.
pub fn say_when_locked() -> Result<()> {
    let Ok(lock) = File::open(project::binaries()?.join(".cargo-lock")) else {
        return Ok(());
    };
    if matches!(lock.try_lock(), Err(TryLockError::WouldBlock)) {
        say::line("cargo", WAITING);
    }
    Ok(())
}

/// Said when another cargo holds the folder of builds.
const WAITING: &str = "another cargo builds in this folder; waiting for it";

fn is_first() -> Result<bool> {
    Ok(!project::binaries()?.join("web-api").exists())
}

fn hint(first: bool) -> &'static str {
    if first {
        " with all it depends on (once; some minutes)"
    } else {
        ""
    }
}

/// Builds every program and test at once: the tests, the end-to-end stack and the OpenAPI document then share one
/// build, because cargo chooses the features of the dependencies by what is built together.
pub fn workspace() -> Result<()> {
    install::ensure(&install::FOR_BUILDING)?;
    let step = say::Step::begin(
        "build",
        &format!("compiling the workspace and its tests{}", hint(is_first()?)),
    );
    progress::run(cargo().args(WORKSPACE))?;
    step.end("compiled");
    Ok(())
}

/// The same without a word, unless it fails, or has to wait.
pub fn workspace_quietly() -> Result<()> {
    say_when_locked()?;
    process::run_quietly(cargo().args(WORKSPACE).arg("--quiet")).map(drop)
}

const WORKSPACE: [&str; 6] = ["build", "--locked", "--workspace", "--lib", "--bins", "--tests"];
