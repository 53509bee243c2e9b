//! The release before this one, built from git beside this one: what has to get on with it while a release goes on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use crate::{build, process, project, say};

/// The programs of which two builds may run side by side.
pub struct Programs {
    /// The worker.
    pub worker: PathBuf,
    /// The API.
    pub web_api: PathBuf,
}

/// The tag of the release before this one, when there is one and the checkout knows of it.
pub fn release() -> Result<Option<String>> {
    let newest = ["describe", "--tags", "--abbrev=0", "--match", "v[0-9]*", "HEAD^"];
    let told = process::capture(git().args(newest))?;
    Ok(told.status.success().then(|| told.output.trim().to_owned()))
}

/// Builds a revision's programs below the target folder, optimized or not.
///
/// # Errors
/// When git does not know the revision, or it cannot be built.
pub fn programs(revision: &str, optimized: bool) -> Result<Programs> {
    let commit = format!("{revision}^{{commit}}");
    let known = process::capture(git().args(["rev-parse", "--verify", "--quiet", &commit]))?;
    if !known.status.success() {
        bail!("git does not know `{revision}` in this checkout");
    }
    let commit = known.output.trim().to_owned();
    let target = project::binaries()?;
    let folder = target
        .parent()
        .context("the target folder has no parent")?
        .join("previous");
    let source = folder.join(&commit);
    if !source.is_dir() {
        unpack(&commit, &folder, &source)?;
    }
    let step = say::Step::begin(
        "previous",
        &format!("compiling the programs of {revision} (the first time 5 to 10 minutes)"),
    );
    let mut cargo = build::cargo();
    cargo
        .current_dir(&source)
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .args(["build", "--quiet", "--locked", "--bins"])
        .args(["--package", "web-api", "--package", "jobs"]);
    if optimized {
        cargo.arg("--release");
    }
    process::run(&mut cargo)?;
    step.end("compiled");
    let built = folder
        .join("target")
        .join(if optimized { "release" } else { "debug" });
    // Kept apart: the next revision is compiled into the same folder.
    let kept = |program: &str| -> Result<PathBuf> {
        let file = built.join(format!("{program}-{commit}"));
        fs::copy(built.join(program), &file)
            .with_context(|| format!("{revision} has no program `{program}`"))?;
        Ok(file)
    };
    Ok(Programs {
        worker: kept("worker")?,
        web_api: kept("web-api")?,
    })
}

/// The sources as they were, without git's own files, and nothing where that breaks off half way.
fn unpack(commit: &str, folder: &Path, source: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    let part = tempfile::tempdir_in(folder)?;
    let mut archive = git()
        .args(["archive", commit])
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start git")?;
    let text = archive.stdout.take().context("git says nothing")?;
    process::run_quietly(process::command("tar").arg("-xC").arg(part.path()).stdin(text))?;
    if !archive.wait()?.success() {
        bail!("git cannot give the sources of {commit}");
    }
    fs::rename(part.keep(), source).context("cannot put the sources in their place")
}

fn git() -> std::process::Command {
    let mut git = process::command("git");
    git.current_dir(project::root());
    git
}
