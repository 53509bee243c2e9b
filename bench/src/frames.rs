//! The jobs page in a real browser, in front of a PostgreSQL with a million jobs, while calls keep coming in.
//!
//! What is done with the page, and the calls, are in `frontend/e2e`; a few rows of it are a test as well.

use anyhow::{Context, Result, ensure};
use xtask::postgres::Postgres;
use xtask::stack::Stack;
use xtask::{frontend, install, interrupt, process, say};

use crate::engine::monitoring::FILL;

const DATABASE: &str = "spiral_frames";
/// Redis does not know those that wait, so they would be run, and their load is none that is measured here.
const NOTHING_WAITS: &str = "UPDATE jobs SET state = 'cancelled', started_at = created_at, finished_at = created_at, \
     dispatched_at = NULL WHERE state = 'queued'";

/// Fills a database, opens the page, and prints how it ran.
pub(crate) fn run() -> Result<()> {
    let folder = tempfile::Builder::new().prefix("spiral-frames-").tempdir()?;
    let postgres = Postgres::start_safe()?;
    let step = say::Step::begin("frames", "making 1,000,000 jobs in PostgreSQL");
    let stack = Stack::start(&postgres, DATABASE, folder.path(), &[("SPIRAL_LOG", "warn")])?;
    for statement in FILL.into_iter().chain([NOTHING_WAITS]) {
        interrupt::check()?;
        postgres.ask(DATABASE, statement)?;
    }
    let front = stack.front("web-api", &[("SPIRAL_LOG", "warn")])?;
    step.end("made");
    println!();
    let mut playwright = frontend::script("e2e", &["--config", "playwright.frames.config.ts"])?;
    playwright
        .env("SPIRAL_E2E_URL", front.address())
        .env("PLAYWRIGHT_HTML_OPEN", "never");
    playwright.env(
        "SPIRAL_CHROMIUM",
        install::chromium().context("there is no Chromium")?,
    );
    let status = process::run_watched(&mut playwright, |_line| {})?;
    if !status.success() {
        stack.show_logs();
    }
    ensure!(status.success(), "the page could not be used as it has to be");
    Ok(())
}
