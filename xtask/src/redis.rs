//! A private Redis that lasts no longer than its caller: a free port, a folder of its own.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::server::{self, Server};
use crate::{http, project};

/// A running Redis.
#[derive(Debug)]
pub struct Redis {
    /// Where it listens on 127.0.0.1.
    pub port: u16,
    _server: Server,
}

impl Redis {
    /// Starts it with its files in `folder`, of which it writes none while it runs.
    pub fn start(folder: &Path) -> Result<Self> {
        Self::start_with(folder, "no")
    }

    /// One that keeps a log in `folder`, as those do that people are told to run.
    pub fn start_with_log(folder: &Path) -> Result<Self> {
        Self::start_with(folder, "yes")
    }

    fn start_with(folder: &Path, append_only: &str) -> Result<Self> {
        let port = project::free_port()?;
        let mut command = server::command("redis-server");
        command.args([
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--daemonize",
            "no",
        ]);
        command
            .args(["--save", "", "--appendonly", append_only, "--dir"])
            .arg(folder);
        let mut server = Server::start("redis-server", &mut command, &folder.join("redis.log"))?;
        server.wait_until(Duration::from_secs(20), || http::accepts(port))?;
        Ok(Self {
            port,
            _server: server,
        })
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}
