//! The frontend's packages and build, made only when what they come from has changed.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash as _, Hasher as _};
use std::io::{IsTerminal as _, stdout};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{install, process, project, say};

/// What is in the folder but not part of the build.
const NOT_SOURCES: [&str; 8] = [
    "node_modules",
    "dist",
    "e2e",
    "lighthouse",
    "screenshots",
    "test-results",
    "playwright-report",
    "coverage",
];

/// The folder of the static build.
pub fn dist() -> PathBuf {
    project::path("frontend/dist")
}

/// An npm script of the frontend with its arguments.
pub fn script(name: &str, arguments: &[impl AsRef<std::ffi::OsStr>]) -> Result<Command> {
    let manifest = project::path("frontend/package.json");
    let text =
        fs::read_to_string(&manifest).with_context(|| format!("cannot read {}", manifest.display()))?;
    if !has_script(&text, name) {
        bail!("frontend/package.json has no script `{name}`");
    }
    let mut command = npm();
    command.args(["run", "--silent", name]);
    if !arguments.is_empty() {
        command.arg("--").args(arguments);
    }
    Ok(command)
}

fn npm() -> Command {
    npm_in(&project::path("frontend"))
}

fn npm_in(folder: &Path) -> Command {
    let mut command = process::sealed_command("npm");
    command.current_dir(folder);
    command
        .env("NPM_CONFIG_UPDATE_NOTIFIER", "false")
        .env("NPM_CONFIG_FUND", "false");
    if stdout().is_terminal() {
        command.env("FORCE_COLOR", "1");
    }
    command
}

/// Whether `"scripts"` has the name. The file is written by npm, so a look at its lines will do.
fn has_script(manifest: &str, name: &str) -> bool {
    let scripts = manifest
        .split_once("\"scripts\"")
        .and_then(|(_, rest)| rest.split_once('}'))
        .map(|(scripts, _)| scripts);
    scripts.is_some_and(|scripts| {
        scripts
            .lines()
            .any(|line| line.trim_start().starts_with(&format!("\"{name}\":")))
    })
}

/// Installs the frontend's packages, unless they are there.
pub fn packages() -> Result<()> {
    packages_of("frontend", &project::path("frontend"))
}

/// Installs the packages of a folder's `package-lock.json`, unless they are there.
pub fn packages_of(area: &'static str, folder: &Path) -> Result<()> {
    let lock = folder.join("package-lock.json");
    if !lock.is_file() {
        bail!(
            "there is no {}: its packages cannot be installed",
            project::shown(&lock)
        );
    }
    install::need_node()?;
    let stamp = Stamp::of("packages", folder, &[folder.join("package.json"), lock])?;
    if stamp.holds() {
        return Ok(());
    }
    let step = say::Step::begin(area, "installing its packages (npm ci, about half a minute)");
    process::run_quietly(npm_in(folder).args(["ci", "--no-audit", "--prefer-offline"]))?;
    stamp.set()?;
    step.end("packages installed");
    Ok(())
}

/// Makes the static build, unless it is there and its sources are the same.
pub fn build() -> Result<()> {
    packages()?;
    let folder = project::path("frontend");
    let mut sources = Vec::new();
    collect(&folder, &mut sources)?;
    let stamp = Stamp::of("build", &folder, &sources)?;
    if stamp.holds() && dist().join("index.html").is_file() {
        return Ok(());
    }
    let step = say::Step::begin("frontend", "building");
    let no_arguments: [&str; 0] = [];
    process::run_quietly(&mut script("build", &no_arguments)?)?;
    if !dist().join("index.html").is_file() {
        bail!("the frontend's build left no frontend/dist/index.html");
    }
    stamp.set()?;
    step.end("built");
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry?;
        if NOT_SOURCES.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}

/// Remembers from which contents something was made. It lies in `node_modules`, so that a new `npm ci` drops it.
struct Stamp {
    file: PathBuf,
    value: String,
}

impl Stamp {
    fn of(name: &str, folder: &Path, sources: &[PathBuf]) -> Result<Self> {
        let mut sources = sources.to_vec();
        sources.sort();
        let mut hasher = DefaultHasher::new();
        for source in &sources {
            source.strip_prefix(folder).unwrap_or(source).hash(&mut hasher);
            fs::read(source)
                .with_context(|| format!("cannot read {}", source.display()))?
                .hash(&mut hasher);
        }
        let file = folder.join("node_modules").join(format!(".spiral-{name}"));
        Ok(Self {
            file,
            value: format!("{:016x}", hasher.finish()),
        })
    }

    fn holds(&self) -> bool {
        fs::read_to_string(&self.file).is_ok_and(|kept| kept == self.value)
    }

    fn set(&self) -> Result<()> {
        fs::write(&self.file, &self.value).with_context(|| format!("cannot write {}", self.file.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_holds_until_a_source_changes() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("node_modules")).unwrap();
        fs::create_dir_all(root.join("src")).unwrap();
        fs::write(root.join("src/a.ts"), "1").unwrap();
        let stamp = || {
            let mut sources = Vec::new();
            collect(root, &mut sources).unwrap();
            Stamp::of("build", root, &sources).unwrap()
        };
        assert!(!stamp().holds());
        stamp().set().unwrap();
        assert!(stamp().holds());
        fs::create_dir_all(root.join("dist")).unwrap();
        fs::write(root.join("dist/index.html"), "x").unwrap();
        assert!(stamp().holds(), "the build itself is no source");
        fs::write(root.join("src/a.ts"), "2").unwrap();
        assert!(!stamp().holds(), "another content");
        fs::write(root.join("src/a.ts"), "1").unwrap();
        assert!(stamp().holds(), "the old content again");
        fs::rename(root.join("src/a.ts"), root.join("src/b.ts")).unwrap();
        assert!(!stamp().holds(), "another name");
    }

    #[test]
    fn scripts_are_found() {
        let manifest = "{\n  \"name\": \"e2e\",\n  \"scripts\": {\n    \"build\": \"vite build\"\n  },\n  \"x\": {\n    \"lint\": \"1\"\n  }\n}";
        assert!(has_script(manifest, "build"));
        assert!(!has_script(manifest, "lint"));
        assert!(!has_script(manifest, "e2e"));
    }
}
