//! The whole of Spiral as in production, each part a process of its own: what browsers are put in front of.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use rustix::process::Signal;

use crate::nginx::{Bounds, NO_RESOLVER, Nginx, Site};
use crate::postgres::Postgres;
use crate::redis::Redis;
use crate::server::{self, Server};
use crate::{frontend, http, process, project, say};

/// How long a part may take to end in good order.
const GRACE: Duration = Duration::from_secs(20);

/// The setting of an API that is not reached at the root.
pub const BASE_PATH: &str = "SPIRAL_BASE_PATH";

/// Redis, a worker, and what an API needs; the APIs are in [`Front`]s. Fields end from the first to the last.
#[derive(Debug)]
pub struct Stack {
    _worker: Server,
    redis: Redis,
    database_url: String,
    folder: PathBuf,
}

/// An API and the nginx in front of it.
#[derive(Debug)]
pub struct Front {
    nginx: Nginx,
    port: u16,
    base_path: String,
    _web_api: Option<Server>,
}

impl Front {
    /// Where a browser finds it.
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}{}", self.nginx.port, self.base_path)
    }

    /// The API itself, behind nginx's back.
    pub fn api(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Stack {
    /// Everything behind the APIs, with logs in `folder`. `worker` is what the worker is told beside the addresses.
    pub fn start(
        postgres: &Postgres,
        database: &str,
        folder: &Path,
        worker: &[(&str, &str)],
    ) -> Result<Self> {
        postgres.create(database)?;
        let database_url = postgres.url(database);
        let mut migrate = process::sealed_command(project::binary("migrate")?);
        process::run_quietly(migrate.arg("up").env("SPIRAL_DATABASE_URL", &database_url))?;
        let redis = Redis::start_with_log(folder)?;
        let mut command = server::command(project::binary("worker")?);
        settings(&mut command, &redis);
        command.envs(worker.iter().copied());
        let worker = Server::start("worker", &mut command, &folder.join("worker.log"))?;
        Ok(Self {
            _worker: worker.ends_with(Signal::TERM, GRACE),
            redis,
            database_url,
            folder: folder.to_path_buf(),
        })
    }

    /// An API with settings of its own, and nginx in front of it. `name` is what its log is called.
    pub fn front(&self, name: &'static str, own: &[(&str, &str)]) -> Result<Front> {
        let port = project::free_port()?;
        let mut command = server::command(project::binary("web-api")?);
        command.envs(self.api_settings(port)).envs(own.iter().copied());
        let log = self.folder.join(format!("{name}.log"));
        let mut web_api = Server::start(name, &mut command, &log)?.ends_with(Signal::TERM, GRACE);
        web_api.wait_until(Duration::from_mins(1), || {
            http::status(port, "/readyz") == Some(200)
        })?;
        let base_path = own.iter().find(|(name, _)| *name == BASE_PATH);
        let base_path = base_path.map_or("", |(_, path)| path);
        Ok(Front {
            nginx: nginx_before(port, base_path)?,
            port,
            base_path: base_path.to_owned(),
            _web_api: Some(web_api),
        })
    }

    /// An nginx in front of a port on which nobody listens yet, and what an API there has to be told.
    pub fn empty_front(&self) -> Result<(Front, Vec<(&'static str, OsString)>)> {
        // It ends and comes back.
        let port = project::lasting_port()?;
        let front = Front {
            nginx: nginx_before(port, "")?,
            port,
            base_path: String::new(),
            _web_api: None,
        };
        Ok((front, self.api_settings(port)))
    }

    fn api_settings(&self, port: u16) -> Vec<(&'static str, OsString)> {
        vec![
            ("SPIRAL_REDIS_URL", self.redis.url().into()),
            ("SPIRAL_DATABASE_URL", (&self.database_url).into()),
            ("SPIRAL_LISTEN", format!("127.0.0.1:{port}").into()),
            ("SPIRAL_PROXIES", "1".into()),
            ("SPIRAL_LOG_FORMAT", "text".into()),
        ]
    }

    /// The servers' last words, which go away with their folder.
    pub fn show_logs(&self) {
        let mut logs: Vec<PathBuf> = fs::read_dir(&self.folder)
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|file| file.extension().is_some_and(|ending| ending == "log"))
            .collect();
        logs.sort();
        for log in logs {
            println!(
                "\nThe end of {}:\n{}",
                log.file_name().unwrap_or_default().display(),
                say::tail(&String::from_utf8_lossy(&fs::read(&log).unwrap_or_default()), 25)
            );
        }
    }
}

fn settings(command: &mut Command, redis: &Redis) {
    command
        .env("SPIRAL_REDIS_URL", redis.url())
        .env("SPIRAL_LOG_FORMAT", "text");
}

fn nginx_before(port: u16, base_path: &str) -> Result<Nginx> {
    let site = Site {
        bounds: Bounds::default(),
        api: &format!("127.0.0.1:{port}"),
        resolver: NO_RESOLVER,
        root: &frontend::dist(),
    };
    Nginx::start_below(base_path, &site)
}
