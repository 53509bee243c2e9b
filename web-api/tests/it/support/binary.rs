//! The `web-api` binary in its all-in-one mode, as a process of its own.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use reqwest::Client;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use super::eventually;
use super::server::ApiResponse;

/// A running process; dropping it kills it.
pub(crate) struct Running {
    child: Child,
    address: SocketAddr,
    client: Client,
    log: PathBuf,
    _folder: TempDir,
}

/// The binary, with nothing of this process's settings.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_web-api"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SPIRAL_") {
            command.env_remove(name);
        }
    }
    command
}

impl Running {
    /// Starts it on a free port and waits until it is ready.
    pub(crate) async fn start(data: &Path, arguments: &[&str]) -> Self {
        Self::start_with(data, arguments, &[]).await
    }

    /// The same with settings.
    pub(crate) async fn start_with(data: &Path, arguments: &[&str], settings: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().unwrap();
        let log = folder.path().join("log");
        let child = program()
            .args(["all-in-one", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .args(arguments)
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let address = eventually("it is ready", || async {
            let text = std::fs::read_to_string(&log).unwrap();
            assert!(!text.contains("error:"), "{text}");
            let line = text.lines().find(|line| line.contains("Spiral is ready"))?;
            let (_, rest) = line.split_once("address=http://")?;
            rest.split(['/', ' ']).next()?.parse().ok()
        })
        .await;
        Self {
            child,
            address,
            client: Client::new(),
            log,
            _folder: folder,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> ApiResponse {
        ApiResponse::of(self.client.get(format!("http://{}{path}", self.address))).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> ApiResponse {
        ApiResponse::of(
            self.client
                .post(format!("http://{}{path}", self.address))
                .json(body),
        )
        .await
    }

    /// What `path` gives once it is as wanted.
    pub(crate) async fn eventually(
        &self,
        path: &str,
        wanted: impl Fn(&Value) -> bool + Send + Sync,
        limit: Duration,
    ) -> Value {
        let waiting = async {
            loop {
                let value = self.get(path).await.json();
                if wanted(&value) {
                    return value;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let found = tokio::time::timeout(limit, waiting).await;
        found.unwrap_or_else(|_| {
            panic!(
                "waited in vain for {path}
{}",
                self.log()
            )
        })
    }

    /// The process id of its private Redis.
    pub(crate) async fn redis(&self, data: &Path) -> u32 {
        eventually("Redis tells its process id", || async {
            let mut stream = UnixStream::connect(data.join("redis.sock")).await.ok()?;
            stream.write_all(b"INFO server\r\nQUIT\r\n").await.ok()?;
            let mut text = String::new();
            stream.read_to_string(&mut text).await.ok()?;
            text.lines()
                .find_map(|line| line.strip_prefix("process_id:")?.parse().ok())
        })
        .await
    }

    /// SIGTERM, and how it ended.
    pub(crate) async fn stop(mut self) -> ExitStatus {
        Command::new("kill").arg(self.id().to_string()).status().unwrap();
        eventually("it has ended", || {
            std::future::ready(self.child.try_wait().unwrap())
        })
        .await
    }

    /// kill -9.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().unwrap();
        eventually("it is killed", || {
            std::future::ready(self.child.try_wait().unwrap())
        })
        .await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already, as a rule.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
