//! Programs written in Python (linters, and what the tests of the release path stand on), in a virtual environment beside
//! what cargo builds; nothing else on the machine sees them. Where it cannot be had, the caller is told why and goes on.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::skipped::Skipped;
use crate::{install, process, project, say};

/// What is in it, each with its version.
const REQUIREMENTS: &str = "ci/tests/requirements.txt";

/// One of its programs; an error that is `Skipped` where pip cannot install it.
pub fn command(program: &str) -> Result<Command> {
    let programs = programs()?;
    let mut command = process::sealed_command(programs.join(program));
    command.env("PATH", path(programs)?).env("NO_COLOR", "1");
    Ok(command)
}

/// The PATH with these programs before those of the machine, because scripts call `aws` and `python3`.
fn path(programs: PathBuf) -> Result<OsString> {
    let rest = env::var_os("PATH").unwrap_or_default();
    let all = std::iter::once(programs).chain(env::split_paths(&rest));
    env::join_paths(all).context("the PATH has a folder that cannot be in a PATH")
}

/// The folder with the programs, made when it is missing or no longer what [`REQUIREMENTS`] says.
fn programs() -> Result<PathBuf> {
    let target = project::binaries()?;
    let folder = target
        .parent()
        .context("the target folder has no parent")?
        .join("python");
    let programs = folder.join("bin");
    let stamp = folder.join("installed");
    let wanted = fs::read_to_string(project::path(REQUIREMENTS))?;
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(programs);
    }
    if let Err(error) = install::ensure(&[install::PYTHON]) {
        let reason = error.to_string();
        return Err(Skipped::because(first_line(&reason)).into());
    }
    let python =
        project::find("python3").ok_or_else(|| Skipped::because("there is no python3 on this machine"))?;
    let step = say::Step::begin(
        "python",
        "installing linters and stand-ins with pip (once; about a minute)",
    );
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let made = process::capture(process::command(python).args(["-m", "venv"]).arg(&folder))?;
    if !made.status.success() {
        let said = format!("{}{}", made.output, made.errors);
        return Err(Skipped::because(format!(
            "python3 makes no virtual environment: {}",
            last_line(&said)
        ))
        .into());
    }
    let mut pip = process::command(programs.join("pip"));
    pip.args([
        "install",
        "--quiet",
        "--no-input",
        "--disable-pip-version-check",
        "--requirement",
    ]);
    let installed = process::capture(pip.arg(project::path(REQUIREMENTS)))?;
    if !installed.status.success() {
        return Err(Skipped::because(format!(
            "pip cannot install it here: {}",
            last_line(&installed.errors)
        ))
        .into());
    }
    fs::write(stamp, wanted)?;
    step.end("installed");
    Ok(programs)
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn last_line(text: &str) -> &str {
    text.lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("it said nothing")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_requirement_has_its_version() {
        let text = fs::read_to_string(project::path(REQUIREMENTS)).unwrap();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            assert!(line.contains("=="), "{line}");
        }
    }

    #[test]
    fn a_reason_is_one_line() {
        assert_eq!(last_line("a\nERROR: no network\n\n"), "ERROR: no network");
        assert_eq!(last_line(""), "it said nothing");
    }
}
