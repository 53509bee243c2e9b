//! The stack under test: a compose project with a name, a port and passwords of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use super::images::docker;
use crate::process::{self, Captured};
use crate::{interrupt, project, say};

/// The tag of the images that are built for it.
pub(super) const TAG: &str = "test";

pub(super) struct Stack {
    /// Where nginx is published on 127.0.0.1.
    pub(super) port: u16,
    /// The same with TLS.
    pub(super) tls_port: u16,
    /// The commit that the images are told.
    pub(super) commit: String,
    /// Whether the images are there already.
    pub(super) no_build: bool,
    name: String,
    folder: TempDir,
    keep: bool,
}

impl Stack {
    pub(super) fn new(no_build: bool) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("spiral-compose-")
            .tempdir()
            .context("no temporary folder")?;
        let port = project::lasting_port()?;
        let stack = Self {
            port,
            tls_port: project::lasting_port()?,
            commit: commit(),
            no_build,
            name: format!("spiral-test-{}", std::process::id()),
            folder,
            keep: false,
        };
        stack.write_secret("postgres_password", &format!("postgres-{port}"))?;
        stack.write_secret("postgres_api_password", &format!("postgres-api-{port}"))?;
        stack.write_secret("redis_password", &format!("redis-{port}"))?;
        stack.write_secret("redis_spiral_password", &format!("redis-spiral-{port}"))?;
        Ok(stack)
    }

    /// A file that the containers, which are other users, may read. Its folder keeps others on this machine away.
    pub(super) fn write_secret(&self, name: &str, text: &str) -> Result<()> {
        let file = self.folder.path().join(name);
        fs::write(&file, format!("{text}\n"))?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644))?;
        Ok(())
    }

    /// The folder of the secrets.
    pub(super) fn secrets(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// What a network of it is called for docker; other projects beside it are called likewise.
    pub(super) fn network(&self, name: &str) -> String {
        format!("{}_{name}", self.name)
    }

    /// docker compose for this project.
    pub(super) fn compose(&self, arguments: &[&str]) -> Command {
        let mut command = docker();
        self.settings(&mut command);
        command.arg("compose").args(arguments);
        command
    }

    /// What docker compose reads from the environment; an `.env` of the developer is left out.
    pub(super) fn settings(&self, command: &mut Command) {
        command
            .env("COMPOSE_ENV_FILES", "/dev/null")
            .env("COMPOSE_PROJECT_NAME", &self.name)
            .env("SPIRAL_SECRETS", self.folder.path())
            .env("SPIRAL_PORT", format!("127.0.0.1:{}", self.port))
            .env("SPIRAL_INSECURE_OPEN", "true")
            .env("SPIRAL_TLS_PORT", format!("127.0.0.1:{}", self.tls_port))
            .env(
                "SPIRAL_TLS_CERTIFICATE",
                self.folder.path().join("certificate.pem"),
            )
            .env("SPIRAL_TLS_KEY", self.folder.path().join("key.pem"))
            .env("SPIRAL_COMMIT", &self.commit)
            .env("SPIRAL_TAG", TAG);
        // How many compilers run at once is the machine's affair.
        if let Some(jobs) = std::env::var_os("SPIRAL_BUILD_JOBS") {
            command.env("SPIRAL_BUILD_JOBS", jobs);
        }
    }

    /// Runs docker compose with its output kept back.
    pub(super) fn run(&self, arguments: &[&str]) -> Result<String> {
        process::run_quietly(&mut self.compose(arguments))
    }

    /// The same, whatever comes of it.
    pub(super) fn attempt(&self, arguments: &[&str]) -> Result<Captured> {
        process::capture(&mut self.compose(arguments))
    }

    /// The running containers of a service.
    pub(super) fn containers(&self, service: &str) -> Result<Vec<String>> {
        let ids = self.run(&["ps", "--quiet", service])?;
        Ok(ids.split_whitespace().map(str::to_owned).collect())
    }

    /// Waits until as many containers of a service run as should, and all of them are well.
    pub(super) fn wait_until_well(&self, service: &str, count: usize, limit: Duration) -> Result<()> {
        let end = Instant::now() + limit;
        loop {
            let containers = self.containers(service)?;
            let mut states = Vec::new();
            for container in &containers {
                states.push(inspect(
                    container,
                    "{{if .State.Health}}{{.State.Health.Status}}{{end}}",
                )?);
            }
            if containers.len() == count && states.iter().all(|state| state == "healthy") {
                return Ok(());
            }
            if Instant::now() >= end {
                bail!(
                    "{service}: {states:?} after {}, {count} should be well",
                    say::time(limit)
                );
            }
            interrupt::pause(Duration::from_millis(500))?;
        }
    }

    /// The end of what every container has said.
    pub(super) fn show_logs(&self) {
        if let Ok(logs) = self.attempt(&["logs", "--no-color", "--tail", "15"]) {
            println!("{}", say::tail(&logs.output, 150));
        }
        if let Ok(list) = self.attempt(&["ps", "--all"]) {
            println!("{}", list.output);
        }
    }

    /// Where a person finds it.
    pub(super) fn place(&self) -> String {
        format!(
            "project {}, http://127.0.0.1:{}, secrets in {}",
            self.name,
            self.port,
            self.folder.path().display()
        )
    }

    /// Does not take it away at the end.
    pub(super) fn keep(&mut self) {
        self.keep = true;
        self.folder.disable_cleanup(true);
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if !self.keep {
            // Not through `process`, which would refuse after a Ctrl-C.
            let mut down = self.compose(&["down", "--volumes", "--remove-orphans", "--timeout", "5"]);
            down.output().ok();
        }
    }
}

/// One thing that docker knows of a container.
pub(super) fn inspect(container: &str, format: &str) -> Result<String> {
    let text = process::run_quietly(docker().args(["inspect", "--format", format, container]))?;
    Ok(text.trim().to_owned())
}

/// What the images are told as their commit: the checkout's, unless the environment names one; a word without git.
fn commit() -> String {
    let told = std::env::var_os("SPIRAL_COMMIT").map(|commit| commit.to_string_lossy().into_owned());
    let asked = || {
        let mut git = process::command("git");
        let captured = process::capture(git.args(["rev-parse", "--short=12", "HEAD"])).ok()?;
        Some(captured.output.trim().to_owned())
    };
    told.or_else(asked)
        .filter(|commit| !commit.is_empty())
        .unwrap_or_else(|| "none".to_owned())
}
