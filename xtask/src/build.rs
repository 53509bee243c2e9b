//! Building the workspace's programs.

use std::env;
use std::ffi::OsString;
use std::io::{IsTerminal as _, stdout};
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::{install, process, project, say};

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
    if !first {
        command.arg("--quiet");
    }
    process::run(&mut command)?;
    step.end("compiled");
    project::binary("web-api")
}

fn is_first() -> Result<bool> {
    Ok(!project::binaries()?.join("web-api").exists())
}

fn hint(first: bool) -> &'static str {
    if first {
        " with all it depends on (once; 5 to 10 minutes)"
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
    process::run(cargo().args(WORKSPACE))?;
    step.end("compiled");
    Ok(())
}

/// The same without a word, unless it fails.
pub fn workspace_quietly() -> Result<()> {
    process::run_quietly(cargo().args(WORKSPACE).arg("--quiet")).map(drop)
}

const WORKSPACE: [&str; 6] = ["build", "--locked", "--workspace", "--lib", "--bins", "--tests"];
