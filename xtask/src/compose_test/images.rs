//! Whether images can be built here: a daemon that answers, and the images that ours begin with.

use std::collections::BTreeSet;
use std::env;
use std::fmt;
use std::fs;
use std::process::Command;

use anyhow::{Context, Error, Result};

use crate::{process, project, say};

/// A shell command that makes a daemon and the base images, for machines that reach no image registry.
pub(super) const MAKER: &str = "SPIRAL_BASE_IMAGES";

/// Why the containers cannot be tested on this machine.
#[derive(Debug)]
pub(super) struct Missing(String);

impl fmt::Display for Missing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Missing {}

/// docker, with what leads elsewhere taken away.
pub(super) fn docker() -> Command {
    process::sealed_command("docker")
}

/// Fails with [`Missing`] when there is no daemon or a base image can neither be found nor pulled.
pub(super) fn ready() -> Result<()> {
    let maker = env::var_os(MAKER).filter(|command| !command.is_empty());
    if project::find("docker").is_none() && maker.is_none() {
        return Err(missing("there is no docker on this machine"));
    }
    let mut absent = if answers() { absent()? } else { base_images()? };
    if let Some(maker) = maker.filter(|_| !answers() || !absent.is_empty()) {
        let step = say::Step::begin("images", &format!("making base images, as {MAKER} says"));
        process::run(process::command("sh").arg("-c").arg(maker))?;
        step.end("made");
        absent = self::absent()?;
    }
    if !answers() {
        return Err(missing("no Docker daemon answers"));
    }
    for plugin in ["compose", "buildx"] {
        if !succeeds(docker().args([plugin, "version"])) {
            return Err(missing(&format!("docker has no `{plugin}`")));
        }
    }
    for image in &absent {
        say::line("images", &format!("pulling {image} …"));
        if !succeeds(docker().args(["pull", "--quiet", image])) {
            return Err(missing(&format!("{image} is not here and cannot be pulled")));
        }
    }
    Ok(())
}

fn missing(why: &str) -> Error {
    Missing(format!("{why} ({MAKER} may name a command that helps)")).into()
}

fn answers() -> bool {
    project::find("docker").is_some()
        && succeeds(docker().args(["version", "--format", "{{.Server.Version}}"]))
}

fn succeeds(command: &mut Command) -> bool {
    process::capture(command).is_ok_and(|captured| captured.status.success())
}

/// Those that the daemon does not have.
fn absent() -> Result<BTreeSet<String>> {
    let mut absent = base_images()?;
    absent.retain(|image| !succeeds(docker().args(["image", "inspect", image])));
    Ok(absent)
}

/// What the Dockerfiles begin with, and what docker-compose.yml takes as it is.
fn base_images() -> Result<BTreeSet<String>> {
    let read =
        |name: &str| fs::read_to_string(project::path(name)).with_context(|| format!("cannot read {name}"));
    let mut images = BTreeSet::new();
    for name in ["Dockerfile", "nginx/Dockerfile"] {
        images.extend(bases(&read(name)?));
    }
    let compose = read("docker-compose.yml")?;
    let named = compose
        .lines()
        .filter_map(|line| line.trim().strip_prefix("image: "));
    images.extend(
        named
            .filter(|image| !image.starts_with("spiral-"))
            .map(str::to_owned),
    );
    Ok(images)
}

/// The images in `FROM` that are not stages of the same file, with their arguments filled in.
fn bases(dockerfile: &str) -> BTreeSet<String> {
    let mut stages = BTreeSet::from(["scratch"]);
    let mut images = BTreeSet::new();
    let arguments: Vec<(String, &str)> = dockerfile
        .lines()
        .filter_map(|line| line.strip_prefix("ARG ")?.split_once('='))
        .map(|(name, value)| (format!("${{{name}}}"), value))
        .collect();
    for line in dockerfile.lines() {
        let mut words = line.split_whitespace();
        let (Some("FROM"), Some(image)) = (words.next(), words.next()) else {
            continue;
        };
        if !stages.contains(image) {
            let filled = arguments
                .iter()
                .fold(image.to_owned(), |text, (name, value)| text.replace(name, value));
            images.insert(filled);
        }
        stages.extend(words.nth(1));
    }
    images
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_no_base_images() {
        let text =
            "ARG V=1.2\nFROM rust:${V}-slim AS tools\nFROM tools AS builder\nFROM scratch\nFROM nginx:1";
        assert_eq!(
            bases(text),
            BTreeSet::from(["rust:1.2-slim".to_owned(), "nginx:1".to_owned()])
        );
    }

    #[test]
    fn those_of_this_checkout_are_found() {
        let images = base_images().unwrap();
        for image in ["redis:", "postgres:", "nginx:", "node:", "rust:"] {
            assert!(
                images.iter().any(|found| found.starts_with(image)),
                "{image} in {images:?}"
            );
        }
        assert!(
            images.iter().all(|image| !image.contains(['$', '"'])),
            "{images:?}"
        );
    }

    #[test]
    fn the_image_compiles_with_the_toolchain_of_the_workspace() {
        let toolchain = fs::read_to_string(project::path("rust-toolchain.toml")).unwrap();
        let version = toolchain.split('"').nth(1).unwrap();
        let expected = format!("rust:{version}-slim-bookworm");
        assert!(base_images().unwrap().contains(&expected), "{expected}");
    }

    #[test]
    fn the_images_say_the_version_of_the_workspace() {
        let manifest = fs::read_to_string(project::path("Cargo.toml")).unwrap();
        let version = manifest
            .lines()
            .find_map(|line| line.strip_prefix("version = "))
            .unwrap();
        let argument = format!("ARG VERSION={}", version.trim_matches('"'));
        for name in ["Dockerfile", "nginx/Dockerfile"] {
            let text = fs::read_to_string(project::path(name)).unwrap();
            for line in text.lines().filter(|line| line.starts_with("ARG VERSION")) {
                assert_eq!(line, argument, "{name}");
            }
        }
    }
}
