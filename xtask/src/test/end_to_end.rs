//! A browser in front of the whole of Spiral, which is started for it.

use std::ffi::OsString;

use anyhow::{Context, Result};

use super::watch;
use crate::postgres::Postgres;
use crate::stack::{self, Stack};
use crate::tally::{self, Tally};
use crate::{frontend, install, project, say};

/// The tokens of the API that has some. They are no secret: it lives for the time of the tests, on this machine alone.
const TOKENS: [(&str, &str); 2] = [
    ("SPIRAL_ADMIN_TOKEN", "admins-of-the-tests"),
    ("SPIRAL_VIEWER_TOKEN", "viewers-of-the-tests"),
];

/// Where the API that has one is reached.
const BASE_PATH: (&str, &str) = (stack::BASE_PATH, "/ops/spiral");

/// Starts the stack and runs Playwright against it.
pub(super) fn run(postgres: &Postgres, arguments: &[OsString]) -> Result<Tally> {
    let folder = tempfile::Builder::new()
        .prefix("spiral-e2e-")
        .tempdir()
        .context("no temporary folder")?;
    let step = say::Step::begin("stack", "starting PostgreSQL, Redis, worker, web-api and nginx");
    let stack = Stack::start(postgres, "spiral_e2e", folder.path(), &[])?;
    // Everybody may do everything.
    let open = stack.front("web-api", &[])?;
    // The same jobs, for those who have a token.
    let public = ("SPIRAL_PUBLIC_FUNCTIONS", "fibonacci");
    let locked = stack.front("web-api-locked", &[TOKENS[0], TOKENS[1], public])?;
    // The same again, below a base path.
    let below = stack.front("web-api-below", &[TOKENS[0], TOKENS[1], public, BASE_PATH])?;
    // The same jobs, where the tests start an API and kill it.
    let (mortal, mortal_settings) = stack.empty_front()?;
    step.end(&format!("{} answers", open.address()));

    let mut playwright = frontend::script("e2e", arguments)?;
    playwright
        .env("SPIRAL_E2E_URL", open.address())
        .env("SPIRAL_E2E_LOCKED_URL", locked.address())
        .env("SPIRAL_E2E_BELOW_URL", below.address())
        .env("SPIRAL_E2E_MORTAL_URL", mortal.address())
        .env("SPIRAL_E2E_MORTAL_PROGRAM", project::binary("web-api")?)
        .env("SPIRAL_E2E_MORTAL_LOG", folder.path().join("web-api-mortal.log"))
        .envs(TOKENS);
    for (name, value) in mortal_settings {
        playwright.env(name.replacen("SPIRAL_", "SPIRAL_E2E_MORTAL_SPIRAL_", 1), value);
    }
    if let Some(chromium) = install::chromium() {
        playwright.env("SPIRAL_CHROMIUM", chromium);
    }
    // Nobody opens a report here, and a test that was focused by mistake hides the others.
    playwright.env("PLAYWRIGHT_HTML_OPEN", "never").env("CI", "1");
    let tally = watch(&mut playwright, tally::playwright)?;
    if tally.failed > 0 {
        stack.show_logs();
    }
    Ok(tally)
}
