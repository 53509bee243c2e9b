//! A private Redis that keeps nothing: a free port, a folder of its own.

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
    /// Starts it with its files in `folder`.
    pub fn start(folder: &Path) -> Result<Self> {
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
            .args(["--save", "", "--appendonly", "no", "--dir"])
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
