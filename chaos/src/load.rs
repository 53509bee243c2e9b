//! The load: callers on several connections, through both APIs. A call that was not answered is made again under its
//! key until it is; what was answered with 2xx counts as accepted.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
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
use mix::Mix;
use plan::Calls;

/// Once the faults are over and for so long no call was accepted, the callers give up.
const PATIENCE: Duration = Duration::from_mins(2);

pub(crate) struct Load {
    shared: Arc<Shared>,
    callers: JoinSet<()>,
}

/// What the callers share.
struct Shared {
    calls: Calls,
    count: u32,
    rate: u32,
    next: AtomicU32,
    start: Instant,
    client: Client,
    ledger: Ledger,
    notes: Notes,
    /// Callers that go on.
    busy: AtomicU32,
    /// They are to end.
    gave_up: AtomicBool,
}

impl Load {
    pub(crate) fn start(options: &Options, doors: Doors, folder: &Path, runtime: &Runtime) -> Result<Self> {
        let _inside = runtime.enter();
        let client = Client::new(doors)?;
        let functions = runtime.block_on(client.functions())?;
        let mix = Mix::of(&functions);
        report(&mix)?;
        let calls = Calls {
            seed: options.seed,
            mix,
        };
        let shared = Arc::new(Shared {
            ledger: Ledger::new(calls.clone(), options.jobs),
            calls,
            count: options.jobs,
            rate: options.rate,
            next: AtomicU32::new(0),
            start: Instant::now(),
            client,
            notes: Notes::create(folder, "calls.log")?,
            busy: AtomicU32::new(u32::try_from(options.connections).unwrap_or(u32::MAX)),
            gave_up: AtomicBool::new(false),
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

    /// Waits until every call has been made, or nothing is accepted any more.
    pub(crate) fn wait(&self, stack: &mut Stack) -> Result<()> {
        let mut accepted = self.shared.ledger.accepted();
        if !self.is_over() {
            let left = self.shared.count.saturating_sub(accepted);
            say::line("load", &format!("{left} calls left …"));
        }
        let mut moved = Instant::now();
        while !self.is_over() {
            stack.pause(Duration::from_millis(100))?;
            let now = self.shared.ledger.accepted();
            if now > accepted {
                (accepted, moved) = (now, Instant::now());
            } else if moved.elapsed() > PATIENCE && !self.shared.gave_up.swap(true, Ordering::Relaxed) {
                say::line("load", "nothing is accepted any more; the callers give up");
            }
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

/// Says what is called.
fn report(mix: &Mix) -> Result<()> {
    let shares: Vec<String> = mix
        .shares()
        .iter()
        .map(|(function, share)| format!("{share} % {function}"))
        .collect();
    ensure!(
        !shares.is_empty(),
        "the API knows none of the functions that are to be called"
    );
    say::line("load", &shares.join(", "));
    Ok(())
}

impl Shared {
    /// The number of the next call, when its time has come.
    async fn next(&self) -> Option<u32> {
        if self.gave_up.load(Ordering::Relaxed) {
            return None;
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        if number >= self.count {
            return None;
        }
        if self.rate > 0 {
            let due = Duration::from_secs_f64(f64::from(number) / f64::from(self.rate));
            tokio::time::sleep_until(self.start + due).await;
        }
        Some(number)
    }
}
