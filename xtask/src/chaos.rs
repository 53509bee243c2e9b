//! `cargo xtask chaos`: builds what is to be tormented and hands over to the program that does it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::previous::{self, Programs};
use crate::{build, install, process, project, say};

/// What it is built from: itself, and the three that it starts.
const PACKAGES: [&str; 4] = ["chaos", "web-api", "jobs", "migrations"];

/// Taken here, because it chooses which program is built; the others are the program's.
const RELEASE: &str = "--release";

/// Likewise, with the revision that may follow: the programs are built first.
const PREVIOUS: &str = "--previous";

/// Builds and runs it; `false` means that something went wrong with a job.
pub fn run(arguments: &[OsString]) -> Result<bool> {
    install::ensure(&install::FOR_BUILDING)?;
    install::ensure(&[install::REDIS, install::POSTGRES])?;
    let mut own = arguments.to_vec();
    let release = take(&mut own, RELEASE);
    let previous = take_previous(&mut own)?;
    let program = if release {
        optimized()?
    } else {
        build::workspace()?;
        project::binary("chaos")?
    };
    if let Some(revision) = previous {
        own.extend(side_by_side(&previous::programs(&revision, release)?));
    }
    println!();
    let status = process::run_watched(process::sealed_command(program).args(own), |_| ())?;
    Ok(status.success())
}

/// The program as a part of the tests, which have built everything. Where there was a release before this one, its
/// programs take part: a deployment under fire brings them back, and the next one takes them away.
pub(crate) fn command(arguments: &[OsString]) -> Result<Command> {
    let mut command = process::sealed_command(project::binary("chaos")?);
    if let Some(revision) = previous::release()? {
        command.args(side_by_side(&previous::programs(&revision, false)?));
    }
    command.args(arguments);
    Ok(command)
}

fn side_by_side(previous: &Programs) -> [OsString; 4] {
    [
        "--worker-binary".into(),
        previous.worker.clone().into(),
        "--web-api-binary".into(),
        previous.web_api.clone().into(),
    ]
}

/// Whether it was among the arguments, in which it is no more.
fn take(arguments: &mut Vec<OsString>, wanted: &str) -> bool {
    let before = arguments.len();
    arguments.retain(|argument| argument != wanted);
    arguments.len() < before
}

/// The revision whose programs are to take part: the one that is named, or else the release before this one.
fn take_previous(arguments: &mut Vec<OsString>) -> Result<Option<String>> {
    let Some(at) = arguments.iter().position(|argument| argument == PREVIOUS) else {
        return Ok(None);
    };
    arguments.remove(at);
    let named = arguments.get(at).and_then(|argument| argument.to_str());
    if named.is_some_and(|named| !named.starts_with('-')) {
        return Ok(arguments.remove(at).into_string().ok());
    }
    let release = previous::release()?;
    release.map(Some).context(
        "there is no release before this one (a tag like v1.4.0): name a revision, `--previous REVISION`",
    )
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
    build::with_progress(&mut build)?;
    step.end("compiled");
    Ok(target.join("release/chaos"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_here_is_not_handed_on() {
        let mut arguments: Vec<OsString> = ["--jobs", "7", "--release", "--previous", "HEAD", "--keep"]
            .map(OsString::from)
            .to_vec();
        assert!(take(&mut arguments, RELEASE));
        assert!(!take(&mut arguments, RELEASE));
        assert_eq!(take_previous(&mut arguments).unwrap().as_deref(), Some("HEAD"));
        assert_eq!(arguments, ["--jobs", "7", "--keep"]);
        assert_eq!(take_previous(&mut arguments).unwrap(), None);
    }
}
