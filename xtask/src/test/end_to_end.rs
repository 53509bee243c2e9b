//! The whole of Spiral as in production, each part a process of its own, and a browser in front of it.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::Signal;

use super::watch;
use crate::nginx::{NO_RESOLVER, Nginx, Site};
use crate::postgres::Postgres;
use crate::redis::Redis;
use crate::server::{self, Server};
use crate::tally::{self, Tally};
use crate::{frontend, http, install, process, project, say};

/// The tokens of the API that has some. They are no secret: it lives for the time of the tests, on this machine alone.
const TOKENS: [(&str, &str); 2] = [
    ("SPIRAL_ADMIN_TOKEN", "admins-of-the-tests"),
    ("SPIRAL_VIEWER_TOKEN", "viewers-of-the-tests"),
];

/// Where the API that has one is reached.
const BASE_PATH: (&str, &str) = ("SPIRAL_BASE_PATH", "/ops/spiral");

/// What the browser's addresses lead to. Fields end from the first to the last, callers before the called.
struct Stack {
    /// Everybody may do everything.
    open: Front,
    /// The same jobs, for those who have a token.
    locked: Front,
    /// The same again, below a base path.
    below: Front,
    _worker: Server,
    _redis: Redis,
}

/// An API and what stands in front of it.
struct Front {
    nginx: Nginx,
    _web_api: Server,
}

/// Starts the stack and runs Playwright against it.
pub(super) fn run(postgres: &Postgres, arguments: &[OsString]) -> Result<Tally> {
    let folder = tempfile::Builder::new()
        .prefix("spiral-e2e-")
        .tempdir()
        .context("no temporary folder")?;
    let stack = Stack::start(postgres, folder.path())?;
    let mut playwright = frontend::script("e2e", arguments)?;
    let address = |front: &Front| format!("http://127.0.0.1:{}", front.nginx.port);
    playwright
        .env("SPIRAL_E2E_URL", address(&stack.open))
        .env("SPIRAL_E2E_LOCKED_URL", address(&stack.locked))
        .env(
            "SPIRAL_E2E_BELOW_URL",
            format!("{}{}", address(&stack.below), BASE_PATH.1),
        )
        .envs(TOKENS);
    if let Some(chromium) = install::chromium() {
        playwright.env("SPIRAL_CHROMIUM", chromium);
    }
    // Nobody opens a report here, and a test that was focused by mistake hides the others.
    playwright.env("PLAYWRIGHT_HTML_OPEN", "never").env("CI", "1");
    let tally = watch(&mut playwright, tally::playwright)?;
    if tally.failed > 0 {
        show_logs(folder.path());
    }
    Ok(tally)
}

/// The servers' last words, which go away with their folder.
fn show_logs(folder: &Path) {
    for name in ["worker", "web-api", "web-api-locked", "web-api-below"] {
        let log = fs::read(folder.join(format!("{name}.log"))).unwrap_or_default();
        println!(
            "\nThe end of the {name}'s log:\n{}",
            say::tail(&String::from_utf8_lossy(&log), 25)
        );
    }
}

impl Stack {
    fn start(postgres: &Postgres, folder: &Path) -> Result<Self> {
        let step = say::Step::begin("stack", "starting PostgreSQL, Redis, worker, web-api and nginx");
        let database = "spiral_e2e";
        postgres.create(database)?;
        let mut migrate = process::sealed_command(project::binary("migrate")?);
        process::run_quietly(
            migrate
                .arg("up")
                .env("SPIRAL_DATABASE_URL", postgres.url(database)),
        )?;

        let redis = Redis::start_with_log(folder)?;
        let settings = |command: &mut Command| {
            command
                .env("SPIRAL_REDIS_URL", redis.url())
                .env("SPIRAL_LOG_FORMAT", "text");
        };
        let grace = Duration::from_secs(20);
        let mut worker = server::command(project::binary("worker")?);
        settings(&mut worker);
        let worker =
            Server::start("worker", &mut worker, &folder.join("worker.log"))?.ends_with(Signal::TERM, grace);

        let front = |name: &'static str, own: &[(&str, &str)]| {
            let port = project::free_port()?;
            let mut web_api = server::command(project::binary("web-api")?);
            settings(&mut web_api);
            web_api
                .env("SPIRAL_DATABASE_URL", postgres.url(database))
                .env("SPIRAL_LISTEN", format!("127.0.0.1:{port}"))
                .env("SPIRAL_PROXIES", "1")
                .envs(own.iter().copied());
            let web_api = Server::start(name, &mut web_api, &folder.join(format!("{name}.log")))?;
            let mut web_api = web_api.ends_with(Signal::TERM, grace);
            web_api.wait_until(Duration::from_mins(1), || {
                http::status(port, "/readyz") == Some(200)
            })?;
            let base_path = if own.contains(&BASE_PATH) { BASE_PATH.1 } else { "" };
            let site = Site {
                api: &format!("127.0.0.1:{port}"),
                resolver: NO_RESOLVER,
                root: &frontend::dist(),
            };
            let nginx = Nginx::start_below(base_path, &site)?;
            anyhow::Ok(Front {
                nginx,
                _web_api: web_api,
            })
        };
        let open = front("web-api", &[])?;
        let public = ("SPIRAL_PUBLIC_FUNCTIONS", "fibonacci");
        let locked = front("web-api-locked", &[TOKENS[0], TOKENS[1], public])?;
        let below = front("web-api-below", &[TOKENS[0], TOKENS[1], public, BASE_PATH])?;
        step.end(&format!("http://127.0.0.1:{} answers", open.nginx.port));
        Ok(Self {
            open,
            locked,
            below,
            _worker: worker,
            _redis: redis,
        })
    }
}
