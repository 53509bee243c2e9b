//! Everything that runs: PostgreSQL, Redis, two APIs and three workers, each a process of its own, and what can be
//! done to them. Who does it, and when, is not its business.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::runtime::Handle;
use xtask::postgres::Postgres;
use xtask::{http, process, project, say, server};

use crate::notes::Notes;
use crate::options::Options;

pub(crate) mod clocks;
mod deploy;
pub(crate) mod link;
pub(crate) mod redis;
pub(crate) mod slot;

use clocks::Clocks;
use link::Link;
use redis::Redis;
use slot::{BadEnd, Slot};

const WORKERS: [&str; 3] = ["worker-1", "worker-2", "worker-3"];
const APIS: [&str; 2] = ["web-api-1", "web-api-2"];
const DATABASE: &str = "spiral_chaos";

/// The file of the notes about faults.
pub(crate) const NOTES: &str = "faults.log";

/// How long an API may take until it can work.
const READY: Duration = Duration::from_mins(1);

/// An API that comes up while the database is away, or has only just come back, may give up and be started again.
const DATABASE_SETTLES: Duration = Duration::from_secs(10);

/// Between two starts of a process that does not stay.
const START_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// A worker's lease here. Short, so that what it is for happens within a run.
pub(crate) const LEASE: Duration = Duration::from_secs(3);

/// Settings that differ from the defaults, for all processes; what one kind does not know it does not read.
pub(crate) const SETTINGS: [(&str, &str); 5] = [
    ("SPIRAL_LEASE", "3s"),
    ("SPIRAL_REDIS_TIMEOUT", "2s"),
    ("SPIRAL_GRACE", "3s"),
    ("SPIRAL_LOG_FORMAT", "text"),
    ("NO_COLOR", "1"),
];

/// How many jobs each of the workers runs at the same time: they differ in speed.
const CONCURRENCY: [u32; 3] = [2, 20, 60];

/// Where the APIs can be reached at the moment, as a load balancer knows it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Doors(Arc<RwLock<Vec<u16>>>);

impl Doors {
    /// The port of one of them; any number will do.
    pub(crate) fn port(&self, number: usize) -> u16 {
        let ports = self.0.read().unwrap_or_else(PoisonError::into_inner);
        ports
            .get(number % ports.len().max(1))
            .copied()
            .unwrap_or_default()
    }

    fn set(&self, at: usize, port: u16) {
        let mut ports = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if ports.len() <= at {
            ports.resize(at + 1, port);
        }
        ports[at] = port;
    }
}

/// Fields end from the first to the last, callers before the called.
pub(crate) struct Stack {
    pub(crate) apis: Vec<Slot>,
    pub(crate) workers: Vec<Slot>,
    pub(crate) redis: Redis,
    postgres: Postgres,
    pub(crate) doors: Doors,
    /// Processes that ended though nobody told them to, or not as they were told.
    pub(crate) bad_ends: Vec<BadEnd>,
    /// APIs that gave up because the database was away when they came up, and were started again.
    pub(crate) starts_in_vain: u32,
    pub(crate) notes: Notes,
    pub(crate) clocks: Clocks,
    folder: PathBuf,
    programs: Programs,
    database: Database,
}

/// What the processes are started from.
struct Programs {
    /// Of both, the build that is deployed at the moment comes first.
    apis: Vec<PathBuf>,
    workers: Vec<PathBuf>,
}

enum Database {
    Up { since: Instant },
    Away,
}

impl Database {
    /// Whether it can be the reason why an API did not come up.
    fn excuses(&self) -> bool {
        match self {
            Self::Away => true,
            Self::Up { since } => since.elapsed() < DATABASE_SETTLES,
        }
    }
}

impl Stack {
    /// Starts everything and waits until it can work.
    pub(crate) fn start(options: &Options, folder: &Path, runtime: &Handle) -> Result<Self> {
        let step = say::Step::begin("stack", "starting PostgreSQL, Redis, two APIs and three workers");
        let postgres = Postgres::start_safe_on_small_disk()?;
        postgres.create(DATABASE)?;
        let mut migrate = process::sealed_command(project::binary("migrate")?);
        process::run_quietly(
            migrate
                .arg("up")
                .env("SPIRAL_DATABASE_URL", postgres.url(DATABASE)),
        )?;
        let redis = Redis::start(folder, options.fsync)?;
        let slots = |names: &[&'static str]| -> Result<Vec<Slot>> {
            let link = || Link::open(&redis.socket(), runtime);
            names.iter().map(|name| Ok(Slot::new(name, link()?))).collect()
        };
        let builds = |program: &str, other: &Option<PathBuf>| -> Result<Vec<PathBuf>> {
            Ok([Some(project::binary(program)?), other.clone()]
                .into_iter()
                .flatten()
                .collect())
        };
        let mut stack = Self {
            apis: slots(&APIS)?,
            workers: slots(&WORKERS)?,
            redis,
            postgres,
            doors: Doors::default(),
            bad_ends: Vec::new(),
            starts_in_vain: 0,
            notes: Notes::create(folder, NOTES)?,
            clocks: Clocks::new(folder),
            folder: folder.to_path_buf(),
            programs: Programs {
                apis: builds("web-api", &options.web_api_binary)?,
                workers: builds("worker", &options.worker_binary)?,
            },
            database: Database::Up {
                since: Instant::now(),
            },
        };
        for at in 0..stack.apis.len() {
            stack.start_api(at)?;
        }
        for at in 0..stack.workers.len() {
            stack.start_worker(at)?;
        }
        for at in 0..stack.apis.len() {
            stack.wait_for_api(at)?;
        }
        step.end("ready");
        Ok(stack)
    }

    /// Of all places, APIs first.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.apis
            .iter()
            .chain(&self.workers)
            .map(|slot| slot.name)
            .collect()
    }

    pub(crate) fn database_url(&self) -> String {
        self.postgres.url(DATABASE)
    }

    /// Fills a worker's place. Whoever was there goes on until the caller ends it.
    fn start_worker(&mut self, at: usize) -> Result<Option<server::Server>> {
        let Some(program) = self.programs.workers.first() else {
            return Ok(None);
        };
        let slot = &mut self.workers[at];
        let mut command = prepared(program, slot);
        self.clocks.prepare(slot.name, &mut command)?;
        command.env("SPIRAL_WORKER_NAME", slot.next_name());
        command.env(
            "SPIRAL_CONCURRENCY",
            CONCURRENCY[at % CONCURRENCY.len()].to_string(),
        );
        slot.fill(&mut command, &self.folder)
    }

    /// Fills an API's place and sends the callers there; it need not be ready yet.
    fn start_api(&mut self, at: usize) -> Result<()> {
        let port = project::lasting_port()?;
        self.fill_api(at, port)?;
        self.doors.set(at, port);
        Ok(())
    }

    fn fill_api(&mut self, at: usize, port: u16) -> Result<Option<server::Server>> {
        let url = self.database_url();
        let Some(program) = self.programs.apis.first() else {
            return Ok(None);
        };
        let slot = &mut self.apis[at];
        let mut command = prepared(program, slot);
        self.clocks.prepare(slot.name, &mut command)?;
        command
            .env("SPIRAL_DATABASE_URL", url)
            .env("SPIRAL_LISTEN", format!("127.0.0.1:{port}"));
        slot.fill(&mut command, &self.folder)
    }

    fn wait_for_api(&mut self, at: usize) -> Result<()> {
        self.wait_for_port(at, self.doors.port(at))
    }

    fn wait_for_port(&mut self, at: usize, port: u16) -> Result<()> {
        let begin = Instant::now();
        while http::status(port, "/readyz") != Some(200) {
            if let Some(BadEnd(end)) = self.apis[at].look()? {
                anyhow::bail!("{end} before it was ready");
            }
            anyhow::ensure!(
                begin.elapsed() < READY,
                "{} was not ready after {}",
                self.apis[at].process_name(),
                say::time(READY)
            );
            xtask::interrupt::pause(Duration::from_millis(50))?;
        }
        Ok(())
    }

    /// Stops the database in the middle of its work.
    pub(crate) fn crash_database(&mut self) -> Result<()> {
        self.database = Database::Away;
        self.postgres.crash()
    }

    pub(crate) fn start_database_again(&mut self) -> Result<()> {
        self.postgres.start_again()?;
        self.database = Database::Up {
            since: Instant::now(),
        };
        Ok(())
    }

    /// Leaves the database no room on its disk. False where it has no disk of its own.
    pub(crate) fn fill_disk_of_database(&mut self) -> Result<bool> {
        let Some(disk) = self.postgres.disk() else {
            return Ok(false);
        };
        disk.fill()?;
        self.database = Database::Away;
        Ok(true)
    }

    /// Gives it room again, and starts it again if it has given up.
    pub(crate) fn free_disk_of_database(&mut self) -> Result<()> {
        if let Some(disk) = self.postgres.disk() {
            disk.free()?;
        }
        if self.postgres.has_ended()? {
            self.postgres.start_again()?;
        }
        self.database = Database::Up {
            since: Instant::now(),
        };
        Ok(())
    }

    /// Starts again what has ended by itself, as a supervisor does, and remembers it. A place that a fault has emptied
    /// is the fault's.
    pub(crate) fn tend(&mut self) -> Result<()> {
        self.redis.check()?;
        for at in 0..self.workers.len() {
            if let Some(end) = self.workers[at].look()? {
                self.bad_end(end);
                xtask::interrupt::pause(START_AGAIN_AFTER)?;
                self.start_worker(at)?;
            }
        }
        for at in 0..self.apis.len() {
            if let Some(end) = self.apis[at].look()? {
                if self.database.excuses() {
                    self.starts_in_vain += 1;
                    self.notes.note(&end.0);
                } else {
                    self.bad_end(end);
                }
                xtask::interrupt::pause(START_AGAIN_AFTER)?;
                self.start_api(at)?;
            }
        }
        Ok(())
    }

    fn bad_end(&mut self, end: BadEnd) {
        say::line("trouble", &end.0);
        self.notes.note(&end.0);
        self.bad_ends.push(end);
    }

    /// Waits with an eye on the processes.
    pub(crate) fn pause(&mut self, length: Duration) -> Result<()> {
        let end = Instant::now() + length;
        loop {
            self.tend()?;
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            xtask::interrupt::pause(left.min(Duration::from_millis(100)))?;
        }
    }

    /// Ends the processes in good order. PostgreSQL and Redis stay: they are asked what came of it all.
    pub(crate) fn end(&mut self) -> Result<()> {
        self.tend()?;
        let ends: Vec<BadEnd> = self
            .apis
            .iter_mut()
            .chain(&mut self.workers)
            .filter_map(Slot::end)
            .collect();
        self.bad_ends.extend(ends);
        Ok(())
    }
}

/// What every process gets.
fn prepared(program: &Path, slot: &Slot) -> Command {
    let mut command = server::command(program);
    command.envs(SETTINGS).env("SPIRAL_REDIS_URL", slot.link.url());
    command
}

#[cfg(test)]
mod tests {
    use jobs::settings::parse_duration;

    use super::*;

    #[test]
    fn faults_know_the_lease_that_workers_have() {
        let (_, lease) = SETTINGS.iter().find(|(name, _)| *name == "SPIRAL_LEASE").unwrap();
        assert_eq!(parse_duration(lease), Some(LEASE));
    }

    #[test]
    fn callers_find_the_new_port_behind_the_same_door() {
        let doors = Doors::default();
        doors.set(0, 1_000);
        doors.set(1, 1_001);
        doors.set(0, 1_002);
        assert_eq!(
            [0, 1, 2, 3].map(|number| doors.port(number)),
            [1_002, 1_001, 1_002, 1_001]
        );
    }
}
