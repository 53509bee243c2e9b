//! The line that says where numbers come from.

use std::fs;
use std::thread;

use anyhow::Result;
use xtask::process;

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

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_once(':').map(|(_, value)| value.trim())
}
