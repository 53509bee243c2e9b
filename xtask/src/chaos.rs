//! `cargo xtask chaos`: builds what is to be tormented and hands over to the program that does it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::previous::{self, Programs};
use crate::{build, install, plant, process, project, say};

/// What it is built from: itself, and the three that it starts.
const PACKAGES: [&str; 4] = ["chaos", "web-api", "jobs", "migrations"];

/// Taken here, because it chooses which program is built; the others are the program's.
const RELEASE: &str = "--release";

/// Likewise, with the revision that may follow: the programs are built first.
const PREVIOUS: &str = "--previous";

/// With the name of a fault: not the checkout is tormented but a copy with this fault, to try a check.
const PLANT: &str = "--plant";

/// Builds and runs it; `false` means that something went wrong with a job, or that a check did not see a planted fault.
pub fn run(arguments: &[OsString]) -> Result<bool> {
    install::ensure(&install::FOR_BUILDING)?;
    install::ensure(&[install::REDIS, install::POSTGRES])?;
    let mut own = arguments.to_vec();
    let plants = take_plants(&mut own)?;
    if !plants.is_empty() {
        return plant::run(&plants, &own);
    }
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

/// The plants that are named.
fn take_plants(arguments: &mut Vec<OsString>) -> Result<Vec<String>> {
    let mut plants = Vec::new();
    while let Some(at) = arguments.iter().position(|argument| argument == PLANT) {
        arguments.remove(at);
        ensure!(at < arguments.len(), "`{PLANT}` needs a name, or `all`");
        plants.push(arguments.remove(at).to_string_lossy().into_owned());
    }
    let builds = [RELEASE, PREVIOUS];
    let other = arguments
        .iter()
        .find(|argument| builds.iter().any(|build| argument == build));
    if let Some(other) = other.filter(|_| !plants.is_empty()) {
        bail!(
            "`{PLANT}` builds its own programs: leave `{}` out",
            other.display()
        );
    }
    Ok(plants)
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

    #[test]
    fn plants_are_named_one_by_one_and_build_by_themselves() {
        let plants = |words: &[&str]| {
            let mut arguments: Vec<OsString> = words.iter().map(OsString::from).collect();
            take_plants(&mut arguments).map(|plants| (plants, arguments.len()))
        };
        let (named, left) = plants(&["--plant", "a", "--jobs", "7", "--plant", "b"]).unwrap();
        assert_eq!((named, left), (vec!["a".to_owned(), "b".to_owned()], 2));
        assert_eq!(plants(&["--release"]).unwrap(), (Vec::new(), 1));
        assert!(plants(&["--plant"]).is_err());
        assert!(plants(&["--plant", "a", "--release"]).is_err());
    }
}
