//! `cargo xtask bench`: hands over to the benchmark program, in the release profile.

use std::ffi::OsString;

use anyhow::{Context, Result};

use crate::{build, frontend, install, process, project, say};

pub mod options;

use options::{Options, Part};

/// What is measured, and its measure.
const PROGRAMS: [(&str, &str); 4] = [
    ("bench", "bench"),
    ("web-api", "web-api"),
    ("jobs", "worker"),
    ("migrations", "migrate"),
];

/// Builds and runs it.
pub fn run(arguments: &[OsString]) -> Result<()> {
    // The command line has answered `--help` already.
    let Some(options) = Options::parse(lexopt::Parser::from_args(arguments))? else {
        return Ok(());
    };
    prepare(&options)?;
    let target = project::binaries()?;
    let program = target
        .parent()
        .context("the target folder has no parent")?
        .join("release/bench");
    let step = say::Step::begin(
        "bench",
        "compiling with optimization (the first time 10 to 20 minutes)",
    );
    let mut cargo = build::cargo();
    cargo.args(["build", "--release", "--locked"]);
    for (package, program) in PROGRAMS {
        cargo.args(["--package", package, "--bin", program]);
    }
    build::with_progress(&mut cargo)?;
    step.end("compiled");
    println!();
    process::run(process::sealed_command(program).args(arguments))
}

/// What may be missing, before the long wait.
fn prepare(options: &Options) -> Result<()> {
    let mut tools = Vec::from(install::FOR_BUILDING);
    tools.push(install::REDIS);
    if options
        .engine
        .iter()
        .any(|part| matches!(part, Part::Path | Part::Memory))
        || options.monitoring
        || options.frames
    {
        tools.push(install::POSTGRES);
    }
    if options.frames {
        tools.extend([install::NGINX, install::CHROMIUM, install::FONTS]);
    }
    install::ensure(&tools)?;
    if options.frames {
        frontend::build()?;
    }
    // The memory of Redis is compared with itself alone.
    if options.engine.iter().any(|part| *part != Part::Memory) {
        frontend::packages_of("bullmq", &bullmq())?;
    }
    Ok(())
}

/// The folder of the peer that runs on Node.
pub fn bullmq() -> std::path::PathBuf {
    project::path("bench/bullmq")
}
