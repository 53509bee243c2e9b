//! The whole of Spiral as in production, each part a process of its own: Redis, PostgreSQL, web-api, worker.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use redis::aio::MultiplexedConnection;
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::block_in_place;
use xtask::postgres::Postgres;
use xtask::redis::Redis;
use xtask::server::{self, Server};
use xtask::{http, interrupt, process, project, say};

const DATABASE: &str = "spiral_bench";

/// How often the end of a drain is looked for.
const LOOK: Duration = Duration::from_millis(20);

/// Fields end from the first to the last, callers before the called.
pub(super) struct Stack {
    pub(super) client: reqwest::Client,
    pub(super) redis: MultiplexedConnection,
    /// `http://host:port`
    pub(super) address: String,
    pub(super) web_api: Server,
    concurrency: usize,
    redis_server: Redis,
    postgres: Postgres,
    folder: TempDir,
}

impl Stack {
    /// Everything but a worker.
    pub(super) async fn start(concurrency: usize) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("spiral-bench-").tempdir()?;
        let (redis_server, postgres, web_api, port) = block_in_place(|| servers(folder.path()))?;
        let connection = redis::Client::open(redis_server.url())?;
        Ok(Self {
            client: reqwest::Client::builder().no_proxy().build()?,
            redis: connection.get_multiplexed_async_connection().await?,
            address: format!("http://127.0.0.1:{port}"),
            web_api,
            concurrency,
            redis_server,
            postgres,
            folder,
        })
    }

    /// Starts the worker.
    pub(super) fn worker(&self) -> Result<Server> {
        let mut command = settings(server::command(project::binary("worker")?), &self.redis_server);
        command.env("SPIRAL_CONCURRENCY", self.concurrency.to_string());
        let worker = Server::start("worker", &mut command, &self.folder.path().join("worker.log"))?;
        Ok(worker.ends_with(Signal::TERM, Duration::from_secs(30)))
    }

    /// Waits until the API, which reads SQL, knows of no job that is not finished. `each` is called in between.
    pub(super) async fn finished(
        &mut self,
        worker: &mut Server,
        limit: Duration,
        mut each: impl AsyncFnMut(&mut MultiplexedConnection) -> Result<()>,
    ) -> Result<()> {
        let begin = Instant::now();
        while self.has_jobs("queued").await? || self.has_jobs("running").await? {
            interrupt::check()?;
            worker.check()?;
            self.web_api.check()?;
            ensure!(
                begin.elapsed() < limit,
                "SQL still knows unfinished jobs after {}",
                say::time(limit)
            );
            each(&mut self.redis).await?;
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    async fn has_jobs(&self, state: &str) -> Result<bool> {
        let page = self
            .client
            .get(format!("{}/api/v1/jobs?state={state}&limit=1", self.address));
        let page: Value = page.send().await?.error_for_status()?.json().await?;
        let jobs = page["jobs"].as_array().context("a page without jobs")?;
        Ok(!jobs.is_empty())
    }

    /// What PostgreSQL answers to a question in SQL.
    pub(super) fn ask(&self, question: &str) -> Result<String> {
        block_in_place(|| self.postgres.ask(DATABASE, question))
    }

    /// How many jobs SQL holds that are completed, and how many in all.
    pub(super) fn completed(&self) -> Result<(u64, u64)> {
        let question = "SELECT count(*) FILTER (WHERE state = 'completed'), count(*) FROM jobs";
        let answer = block_in_place(|| self.postgres.ask(DATABASE, question))?;
        let (completed, all) = answer
            .trim()
            .split_once('|')
            .with_context(|| format!("PostgreSQL answered {answer:?}"))?;
        Ok((completed.parse()?, all.parse()?))
    }
}

fn servers(folder: &Path) -> Result<(Redis, Postgres, Server, u16)> {
    let postgres = Postgres::start_safe()?;
    postgres.create(DATABASE)?;
    let mut migrate = process::sealed_command(project::binary("migrate")?);
    migrate
        .arg("up")
        .env("SPIRAL_DATABASE_URL", postgres.url(DATABASE));
    process::run_quietly(&mut migrate)?;

    let redis = Redis::start(folder)?;
    let port = project::free_port()?;
    let mut command = settings(server::command(project::binary("web-api")?), &redis);
    command
        .env("SPIRAL_DATABASE_URL", postgres.url(DATABASE))
        .env("SPIRAL_LISTEN", format!("127.0.0.1:{port}"));
    let mut web_api = Server::start("web-api", &mut command, &folder.join("web-api.log"))?;
    web_api.wait_until(Duration::from_mins(1), || {
        http::status(port, "/readyz") == Some(200)
    })?;
    Ok((redis, postgres, web_api, port))
}

fn settings(mut command: Command, redis: &Redis) -> Command {
    command
        .env("SPIRAL_REDIS_URL", redis.url())
        .env("SPIRAL_LOG", "warn");
    command
}
