//! `cargo xtask lighthouse`: what Lighthouse says of the pages, as nginx serves them in front of the whole of Spiral.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::postgres::Postgres;
use crate::stack::Stack;
use crate::{build, frontend, install, process, project, say};

/// Starts the stack, lets Lighthouse look, and says whether all scores are as high as they have to be.
pub fn run() -> Result<bool> {
    println!("Spiral: Lighthouse. Servers are started for it on free ports and thrown away.\n");
    install::ensure(&install::FOR_BUILDING)?;
    install::ensure(&[install::REDIS, install::POSTGRES, install::NGINX])?;
    install::ensure(&[install::CHROMIUM, install::FONTS])?;
    frontend::build()?;
    frontend::packages_of("lighthouse", &folder())?;
    build::workspace()?;

    let postgres = Postgres::start()?;
    let logs = tempfile::Builder::new()
        .prefix("spiral-lighthouse-")
        .tempdir()
        .context("no temporary folder")?;
    let step = say::Step::begin("stack", "starting PostgreSQL, Redis, worker, web-api and nginx");
    let stack = Stack::start(&postgres, "spiral_lighthouse", logs.path(), &[])?;
    let front = stack.front("web-api", &[])?;
    step.end(&format!("{} answers", front.address()));

    let mut lighthouse = process::sealed_command("node");
    lighthouse
        .arg("run.js")
        .current_dir(folder())
        .env("SPIRAL_URL", front.address());
    if let Some(chromium) = install::chromium() {
        lighthouse.env("SPIRAL_CHROMIUM", chromium);
    }
    say::line(
        "lighthouse",
        "looking at each page three times, which takes some minutes",
    );
    let status = process::run_watched(&mut lighthouse, |_line| {})?;
    Ok(status.success())
}

fn folder() -> PathBuf {
    project::path("frontend/lighthouse")
}
