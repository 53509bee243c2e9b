//! The load: callers on several connections, through both APIs. A call that was not answered is made again under its
//! key until it is; what was answered with 2xx counts as accepted.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::Instant;
use xtask::say;

use crate::notes::Notes;
use crate::options::Options;
use crate::stack::{Doors, Stack};

mod caller;
mod client;
pub(crate) mod ledger;
pub(crate) mod mix;
pub(crate) mod plan;

use client::Client;
use ledger::Ledger;
pub(crate) use ledger::Outcome;

/// How long the callers may go on once the faults are over.
const PATIENCE: Duration = Duration::from_mins(3);

pub(crate) struct Load {
    shared: Arc<Shared>,
    callers: JoinSet<()>,
}

/// What the callers share.
struct Shared {
    seed: u64,
    calls: u32,
    rate: u32,
    next: AtomicU32,
    start: Instant,
    client: Client,
    ledger: Ledger,
    notes: Notes,
    /// Callers that go on.
    busy: AtomicU32,
}

impl Load {
    pub(crate) fn start(options: &Options, doors: Doors, folder: &Path, runtime: &Runtime) -> Result<Self> {
        let _inside = runtime.enter();
        let shared = Arc::new(Shared {
            seed: options.seed,
            calls: options.jobs,
            rate: options.rate,
            next: AtomicU32::new(0),
            start: Instant::now(),
            client: Client::new(doors)?,
            ledger: Ledger::new(options.jobs),
            notes: Notes::create(folder, "calls.log")?,
            busy: AtomicU32::new(u32::try_from(options.connections).unwrap_or(u32::MAX)),
        });
        let mut callers = JoinSet::new();
        for _ in 0..options.connections {
            let shared = Arc::clone(&shared);
            callers.spawn(async move {
                caller::run(&shared).await;
                shared.busy.fetch_sub(1, Ordering::Relaxed);
            });
        }
        Ok(Self { shared, callers })
    }

    /// Whether every call has been made.
    pub(crate) fn is_over(&self) -> bool {
        self.shared.busy.load(Ordering::Relaxed) == 0
    }

    /// Waits until every call has been made.
    pub(crate) fn wait(&self, stack: &mut Stack) -> Result<()> {
        if self.is_over() {
            return Ok(());
        }
        let done = self.shared.next.load(Ordering::Relaxed).min(self.shared.calls);
        say::line("load", &format!("{} calls left …", self.shared.calls - done));
        let begin = Instant::now();
        while !self.is_over() {
            // The calls that are left may take as long as their rate says.
            let (next, calls) = (self.shared.next.load(Ordering::Relaxed), self.shared.calls);
            anyhow::ensure!(
                next < calls || begin.elapsed() < PATIENCE,
                "the callers do not come to an end"
            );
            stack.pause(Duration::from_millis(100))?;
        }
        Ok(())
    }

    /// What the callers know.
    pub(crate) async fn end(mut self) -> Result<Outcome> {
        while let Some(ended) = self.callers.join_next().await {
            ended.context("a caller panicked")?;
        }
        self.shared.notes.flush();
        Ok(self.shared.ledger.outcome())
    }
}

impl Shared {
    /// The number of the next call, when its time has come.
    async fn next(&self) -> Option<u32> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        if number >= self.calls {
            return None;
        }
        if self.rate > 0 {
            let due = Duration::from_secs_f64(f64::from(number) / f64::from(self.rate));
            tokio::time::sleep_until(self.start + due).await;
        }
        Some(number)
    }
}
