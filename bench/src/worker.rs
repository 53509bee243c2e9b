//! `bench worker ENGINE REDIS CONCURRENCY EXPECTED`: a worker as a process of its own, whose jobs do nothing. It begins
//! when it is told to, so that the start of a process is not measured.

use std::ffi::OsString;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::lines::{self, Said, say};

mod apalis;
mod spiral;

pub(crate) use apalis::{config as apalis_config, storage as apalis_storage};

/// A little input, as each side has to read one.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct NoopInput {
    pub(crate) number: u64,
    /// When it was sent, if that is what is measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sent_us: Option<f64>,
}

/// The function's name on every side.
pub(crate) const NOOP: &str = "noop";

/// Counts the jobs and says what there is to say of them.
#[derive(Debug)]
struct Ran {
    count: AtomicU64,
    expected: u64,
}

impl Ran {
    /// All that a job does.
    fn ran(&self, input: &NoopInput) {
        let after_us = input.sent_us.map(|sent| clock::now_us() - sent);
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        match after_us {
            Some(after_us) => say(Said::Started { after_us }),
            None if count == self.expected => say(Said::Ran),
            None => {}
        }
    }
}

/// A worker that runs.
struct Running {
    task: JoinHandle<()>,
    /// How it is asked to end; without, it is cut off.
    shutdown: Option<CancellationToken>,
}

impl Running {
    async fn stop(self) {
        match self.shutdown {
            Some(shutdown) => shutdown.cancel(),
            None => self.task.abort(),
        }
        // Cut off is an error to the handle, and what was wanted.
        self.task.await.ok();
    }
}

/// Which engine a worker works with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Spiral,
    Apalis(ApalisSetup),
}

/// How apalis-redis's own storage is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ApalisSetup {
    /// Its default is on: each job then costs a search through the backlog.
    pub(crate) lock_tasks: bool,
    /// As often it looks for jobs; its default is 30 seconds.
    pub(crate) heartbeat: Duration,
}

impl ApalisSetup {
    pub(crate) const AS_IT_COMES: Self = Self {
        lock_tasks: true,
        heartbeat: Duration::from_secs(30),
    };
    pub(crate) const WITHOUT_LOCKS: Self = Self {
        lock_tasks: false,
        ..Self::AS_IT_COMES
    };
    pub(crate) const LOOKS_EVERY_SECOND: Self = Self {
        heartbeat: Duration::from_secs(1),
        ..Self::WITHOUT_LOCKS
    };
}

impl Engine {
    const ALL: [(&str, Self); 4] = [
        ("spiral", Self::Spiral),
        ("apalis", Self::Apalis(ApalisSetup::AS_IT_COMES)),
        ("apalis-without-locks", Self::Apalis(ApalisSetup::WITHOUT_LOCKS)),
        (
            "apalis-every-second",
            Self::Apalis(ApalisSetup::LOOKS_EVERY_SECOND),
        ),
    ];

    /// The word on the command line.
    pub(crate) fn word(self) -> Result<&'static str> {
        let found = Self::ALL.iter().find(|(_, engine)| *engine == self);
        found.map(|(word, _)| *word).context("no word for this engine")
    }
}

/// Carries out orders until there will be no more.
pub(crate) async fn run(words: &[OsString]) -> Result<()> {
    let words: Vec<&str> = words.iter().filter_map(|word| word.to_str()).collect();
    let &[engine, redis, concurrency, expected] = words.as_slice() else {
        bail!("a worker needs ENGINE REDIS CONCURRENCY EXPECTED");
    };
    let engine = Engine::ALL.iter().find(|(word, _)| *word == engine);
    let (_, engine) = *engine.context("there is no such engine")?;
    let concurrency: usize = concurrency.parse()?;
    let ran = Arc::new(Ran {
        count: AtomicU64::new(0),
        expected: expected.parse()?,
    });

    let mut running = None;
    let mut before = Duration::ZERO;
    let mut orders = lines::orders();
    say(Said::Ready);
    while let Some(order) = orders.recv().await {
        match order.as_str() {
            "go" => {
                before = clock::worked();
                let ran = Arc::clone(&ran);
                running = Some(match engine {
                    Engine::Spiral => spiral::start(redis, concurrency, ran)?,
                    Engine::Apalis(setup) => apalis::start(redis, concurrency, setup, ran).await?,
                });
            }
            "report" => say(Said::Report {
                cpu_us: clock::worked().saturating_sub(before).as_secs_f64() * 1e6,
                jobs: ran.count.load(Ordering::Relaxed),
            }),
            other => bail!("{other:?} is no order"),
        }
    }
    if let Some(running) = running {
        running.stop().await;
    }
    Ok(())
}
