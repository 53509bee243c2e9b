//! The lines that say where numbers come from.

use std::fs;
use std::thread;

use anyhow::{Context, Result};
use serde_json::Value;
use xtask::bench::options::{Options, Part};
use xtask::{bench, install, process, project};

/// `2026-11-23, 2 cores of Intel(R) Xeon(R) …, Redis 7.0.15, release build`
pub(crate) fn line() -> Result<String> {
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = field(&cpus, "model name").unwrap_or("an unknown processor");
    let redis = process::run_quietly(process::command("redis-server").arg("--version"))?;
    let version = redis
        .split_whitespace()
        .find_map(|word| word.strip_prefix("v="))
        .unwrap_or("?");
    let date = chrono::Utc::now().format("%Y-%m-%d");
    let build = if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    };
    Ok(format!(
        "{date}, {cores} cores of {model}, Redis {version}, {build} build"
    ))
}

/// `apalis-redis 1.0.0, BullMQ 6.7.0 on Node v20.20.2, PostgreSQL 15.14`: those that take part.
pub(crate) fn peers(options: &Options) -> Result<String> {
    let takes_part = |parts: &[Part]| options.engine.iter().any(|part| parts.contains(part));
    let mut peers = Vec::new();
    if takes_part(&[Part::Drain, Part::Latency]) {
        let lock = fs::read_to_string(project::path("Cargo.lock")).context("there is no Cargo.lock")?;
        let version = locked(&lock, "apalis-redis").unwrap_or("?");
        peers.push(format!("apalis-redis {version}"));
    }
    if takes_part(&[Part::Drain, Part::Latency, Part::Path]) {
        let manifest = bench::bullmq().join("node_modules/bullmq/package.json");
        let manifest = fs::read_to_string(manifest).context("BullMQ is not installed")?;
        let manifest: Value = serde_json::from_str(&manifest)?;
        let node = process::run_quietly(process::command("node").arg("--version"))?;
        let version = manifest["version"].as_str().unwrap_or("?");
        peers.push(format!("BullMQ {version} on Node {}", node.trim()));
    }
    if takes_part(&[Part::Path, Part::Memory]) {
        let folder = install::postgres_folder().context("PostgreSQL is not on this machine")?;
        let version = process::run_quietly(process::command(folder.join("postgres")).arg("--version"))?;
        let version = version.split_whitespace().nth(2).unwrap_or("?");
        peers.push(format!("PostgreSQL {version}"));
    }
    Ok(peers.join(", "))
}

/// The version of a package in `Cargo.lock`.
fn locked<'a>(lock: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = lock.split_once(&format!("name = \"{name}\"\nversion = \""))?;
    rest.split('"').next()
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_once(':').map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_found_by_the_whole_name() {
        let lock = "name = \"apalis-redis\"\nversion = \"1.0.0\"\n\nname = \"redis\"\nversion = \"1.8.1\"\n";
        assert_eq!(locked(lock, "redis"), Some("1.8.1"));
        assert_eq!(locked(lock, "apalis"), None);
    }
}
