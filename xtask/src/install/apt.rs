//! Debian's package manager, without questions and without starting services.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::Tool;
use crate::{process, project, say};

/// The words before a command that needs root: none as root, else `sudo -n`.
#[derive(Debug)]
pub(super) struct Privilege(&'static [&'static str]);

/// How packages may be installed on this machine, or that they may not.
pub(super) fn privilege() -> Option<Privilege> {
    project::find("apt-get")?;
    if rustix::process::geteuid().is_root() {
        return Some(Privilege(&[]));
    }
    let sudo = project::find("sudo")?;
    let works = process::capture(process::command(sudo).args(["-n", "true"]))
        .ok()?
        .status
        .success();
    works.then_some(Privilege(&["sudo", "-n"]))
}

impl Privilege {
    fn command<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Command {
        // `env` carries the settings through sudo, which drops the environment.
        let mut all = self.0.iter().map(OsStr::new).chain([OsStr::new("env")]);
        let mut command = process::command(all.next().unwrap_or_default());
        command
            .args(all)
            .args(["DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8"])
            .args(words);
        command
    }
}

/// Installs the tools' packages; the services that come with them do not start, now or at the next boot.
pub(super) fn install(privilege: &Privilege, tools: &[&Tool]) -> Result<()> {
    let apt_get = [
        "apt-get",
        "--yes",
        "-o",
        "DPkg::Lock::Timeout=300",
        "-o",
        "Acquire::Retries=3",
    ];
    // A source that does not answer must not stop the others: the install tells whether the packages are there.
    let update = process::capture(&mut privilege.command(apt_get.iter().chain(&["update"])))?;
    if !update.status.success() {
        say::line(
            "tools",
            "apt-get update found fault with a source; going on with what it knows",
        );
    }
    let mut packages: Vec<&str> = tools.iter().flat_map(|tool| tool.apt).copied().collect();
    for package in tools.iter().flat_map(|tool| tool.apt_optional) {
        if process::capture(&mut privilege.command(["apt-cache", "show", package]))?
            .status
            .success()
        {
            packages.push(package);
        }
    }
    let guard = NoServices::set(privilege)?;
    let install = ["install", "--no-install-recommends"];
    process::run_quietly(&mut privilege.command(apt_get.iter().chain(&install).chain(&packages)))?;
    drop(guard);
    let services: Vec<&str> = tools.iter().flat_map(|tool| tool.services).copied().collect();
    if !services.is_empty() && Path::new("/run/systemd/system").is_dir() {
        let words = ["systemctl", "disable", "--now"];
        if process::run_quietly(&mut privilege.command(words.iter().chain(&services))).is_ok() {
            say::line(
                "tools",
                &format!("their services stay off: {}", say::list(&services)),
            );
        }
    }
    Ok(())
}

/// While it lives, Debian's packages start no service. One that the machine's owner has made stays as it is.
struct NoServices<'a>(Option<&'a Privilege>);

const POLICY: &str = "/usr/sbin/policy-rc.d";
const MARK: &str = "made by cargo xtask for the time of one install";

impl<'a> NoServices<'a> {
    fn set(privilege: &'a Privilege) -> Result<Self> {
        match fs::read_to_string(POLICY) {
            // Left over when an earlier run was killed: it is ours to take away.
            Ok(text) if text.contains(MARK) => return Ok(Self(Some(privilege))),
            Ok(_) => return Ok(Self(None)),
            Err(_) => {}
        }
        let file = tempfile::NamedTempFile::new().context("cannot write to the temporary folder")?;
        fs::write(file.path(), format!("#!/bin/sh\n# {MARK}\nexit 101\n"))?;
        let words = [
            OsStr::new("install"),
            OsStr::new("-m755"),
            file.path().as_os_str(),
            OsStr::new(POLICY),
        ];
        process::run_quietly(&mut privilege.command(words))?;
        Ok(Self(Some(privilege)))
    }
}

impl Drop for NoServices<'_> {
    fn drop(&mut self) {
        if let Some(privilege) = self.0 {
            // Not through `process`, which would refuse after a Ctrl-C.
            privilege.command(["rm", "-f", POLICY]).status().ok();
        }
    }
}
