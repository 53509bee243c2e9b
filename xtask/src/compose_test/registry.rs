//! A registry with a password stands in for Docker Hub: ci/push brings the images there, and what aws/bundle makes of
//! their digests is pulled and started, on the database and the Redis of the stack.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::images::docker;
use super::not_so;
use super::stack::{Stack, TAG, inspect};
use crate::process::{self, Captured};
use crate::server::{self, Server};
use crate::{http, install, interrupt, project, say};

const USER: &str = "spiral";
const TOKEN: &str = "registry-token";
/// The one of the API, which does not serve without.
const ADMIN: &str = "admins-0123456789";
/// `TOKEN` for the registry, by bcrypt.
const HASH: &str = "$2b$05$7DiWsh6AyLbcSPV0wA6UjOGpth7bW9Ht6i9KjOBRQNlqnyHY025Ki";
const START: Duration = Duration::from_mins(2);

/// Pushed, pinned, pulled and started.
pub(super) fn images(stack: &mut Stack) -> Result<()> {
    install::ensure(&[install::REGISTRY])?;
    let registry = Registry::start()?;
    let refused = registry.push("another-token")?;
    if refused.status.success() || registry.digests().exists() {
        return Err(not_so("a wrong token pushes"));
    }
    let pushed = registry.push(TOKEN)?;
    let said = format!("{}{}", pushed.output, pushed.errors);
    if !pushed.status.success() || said.contains(TOKEN) {
        return Err(not_so(format!("ci/push ended with {}:\n{said}", pushed.status)));
    }
    registry.log_in()?;
    let port = project::lasting_port()?;
    let secret = |name: &str| fs::read_to_string(stack.secrets().join(name));
    let settings = format!(
        "SPIRAL_REDIS_URL=redis://spiral@redis:6379\nSPIRAL_REDIS_PASSWORD={}\n",
        secret("redis_spiral_password")?.trim()
    );
    let database = format!(
        "SPIRAL_DATABASE_URL=postgres://spiral_api@postgres/spiral\nSPIRAL_DATABASE_PASSWORD={}\nSPIRAL_ADMIN_TOKEN={ADMIN}\n",
        secret("postgres_api_password")?.trim()
    );
    let networks = format!(
        "networks:\n  queue: {{ name: {}, external: true }}\n  data: {{ name: {}, external: true }}\n",
        stack.network("queue"),
        stack.network("data")
    );
    // What differs from an instance of Elastic Beanstalk: the ports, where the servers are, and that they need no TLS.
    let web = format!(
        "services:\n  nginx: {{ ports: !override [\"127.0.0.1:{port}:8080\"] }}\n  web-api:\n    ports: !reset []\n    \
         volumes: !reset []\n    networks: [default, queue, data]\n{networks}"
    );
    let worker = format!("services:\n  worker: {{ networks: [queue] }}\n{networks}");
    let parts = [
        Bundle::start(&registry, stack, "worker", &settings, &worker)?,
        Bundle::start(&registry, stack, "web", &format!("{settings}{database}"), &web)?,
    ];
    parts.iter().try_for_each(Bundle::wait_until_well)?;
    let mut probe = process::sealed_command(project::path("ci/probe"));
    probe
        .arg(format!("http://127.0.0.1:{port}"))
        .env("SPIRAL_TOKEN", ADMIN)
        .env("POLL_SECONDS", "2");
    process::run_quietly(&mut probe).map(drop)
}

struct Registry {
    folder: TempDir,
    address: String,
    _server: Server,
}

impl Registry {
    fn start() -> Result<Self> {
        let folder = tempfile::tempdir().context("no temporary folder")?;
        let port = project::lasting_port()?;
        let address = format!("127.0.0.1:{port}");
        let users = folder.path().join("users");
        fs::write(&users, format!("{USER}:{HASH}\n"))?;
        let config = folder.path().join("config.yml");
        let text = format!(
            "version: 0.1\nlog: {{ level: warn }}\nstorage: {{ filesystem: {{ rootdirectory: {} }} }}\n\
             http: {{ addr: \"{address}\" }}\nauth: {{ htpasswd: {{ realm: spiral, path: {} }} }}\n",
            folder.path().join("images").display(),
            users.display()
        );
        fs::write(&config, text)?;
        let mut command = server::command("docker-registry");
        command.arg("serve").arg(&config);
        let mut server = Server::start(
            "docker-registry",
            &mut command,
            &folder.path().join("registry.log"),
        )?;
        server.wait_until(Duration::from_secs(20), || http::accepts(port))?;
        Ok(Self {
            folder,
            address,
            _server: server,
        })
    }

    fn digests(&self) -> PathBuf {
        self.folder.path().join("digests")
    }

    fn push(&self, token: &str) -> Result<Captured> {
        let mut push = process::sealed_command(project::path("ci/push"));
        push.env("REGISTRY", &self.address)
            .env("DOCKERHUB_USER", USER)
            .env("DOCKERHUB_TOKEN", token)
            .env("DIGESTS_FILE", self.digests())
            .env("BRANCH", "main")
            .env("COMMIT", TAG);
        process::capture(&mut push)
    }

    /// docker with a login of its own, as an instance has it.
    fn logged_in<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("DOCKER_CONFIG", self.folder.path().join("docker"))
    }

    fn log_in(&self) -> Result<()> {
        let token = self.folder.path().join("token");
        fs::write(&token, TOKEN)?;
        let mut login = docker();
        login
            .args(["login", "--username", USER, "--password-stdin", &self.address])
            .stdin(File::open(&token)?);
        process::run_quietly(self.logged_in(&mut login)).map(drop)
    }
}

/// One of the bundles, unpacked and started as an instance does it; dropping it takes it away.
struct Bundle<'a> {
    registry: &'a Registry,
    project: String,
    folder: PathBuf,
}

impl<'a> Bundle<'a> {
    fn start(registry: &'a Registry, stack: &Stack, part: &str, env: &str, differs: &str) -> Result<Self> {
        let folder = registry.folder.path().join(part);
        let zip = registry.folder.path().join(format!("{part}.zip"));
        let mut bundle = process::sealed_command(project::path("aws/bundle"));
        process::run_quietly(bundle.arg(part).arg(registry.digests()).arg(&zip))?;
        let mut unzip = process::command("python3");
        process::run_quietly(unzip.args(["-m", "zipfile", "-e"]).arg(&zip).arg(&folder))?;
        fs::write(folder.join(".env"), env)?;
        fs::write(folder.join("docker-compose.override.yml"), differs)?;
        let bundle = Self {
            registry,
            project: stack.network(part),
            folder,
        };
        process::run_quietly(&mut bundle.compose(&["pull", "--quiet"]))?;
        process::run_quietly(&mut bundle.compose(&["up", "--detach"]))?;
        Ok(bundle)
    }

    fn compose(&self, arguments: &[&str]) -> Command {
        let mut command = docker();
        self.registry.logged_in(&mut command);
        command
            .current_dir(&self.folder)
            .args(["compose", "--project-name", &self.project])
            .args(arguments);
        command
    }

    fn wait_until_well(&self) -> Result<()> {
        let all = process::run_quietly(&mut self.compose(&["ps", "--all", "--quiet"]))?;
        let end = Instant::now() + START;
        for container in all.split_whitespace() {
            self.is_pinned(container)?;
            while inspect(container, "{{.State.Health.Status}}")? != "healthy" {
                if Instant::now() >= end {
                    let logs = process::capture(&mut self.compose(&["logs", "--no-color", "--tail", "15"]))?;
                    return Err(not_so(format!(
                        "{} is not well:\n{}",
                        self.project,
                        say::tail(&logs.output, 40)
                    )));
                }
                interrupt::pause(Duration::from_millis(500))?;
            }
        }
        Ok(())
    }

    fn is_pinned(&self, container: &str) -> Result<()> {
        let image = inspect(container, "{{.Config.Image}}")?;
        let pinned = image.starts_with(&self.registry.address) && image.contains("@sha256:");
        if pinned {
            Ok(())
        } else {
            Err(not_so(format!("{} runs {image}", self.project)))
        }
    }
}

impl Drop for Bundle<'_> {
    fn drop(&mut self) {
        // Not through `process`, which would refuse after a Ctrl-C.
        let mut down = self.compose(&["down", "--volumes", "--timeout", "5"]);
        down.output().ok();
        forget(&self.registry.address);
    }
}

/// Takes the names away that the images got for this registry; the images stay.
fn forget(address: &str) {
    let list = docker()
        .args(["image", "ls", "--format", "{{.Repository}}:{{.Tag}}"])
        .output();
    let Ok(list) = list else {
        return;
    };
    for name in String::from_utf8_lossy(&list.stdout).lines() {
        if Path::new(name).starts_with(address) {
            docker().args(["image", "rm", name]).output().ok();
        }
    }
}
