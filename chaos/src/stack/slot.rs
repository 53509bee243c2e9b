//! A place for one process: its name, its way to Redis, and whoever fills it at the moment.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use rustix::process::{Pid, Signal};
use xtask::server::Server;

use super::link::Link;

/// How long a process may take to end in good order: a worker's grace or an API's, its farewell, and a slow machine.
const ORDERLY: Duration = Duration::from_secs(40);

#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) name: &'static str,
    pub(crate) link: Link,
    /// How many processes it has had.
    generation: u32,
    process: Option<Server>,
}

/// A process that ended though nobody told it to, or not as it was told.
#[derive(Debug)]
pub(crate) struct BadEnd(pub(crate) String);

impl Slot {
    pub(crate) fn new(name: &'static str, link: Link) -> Self {
        Self {
            name,
            link,
            generation: 0,
            process: None,
        }
    }

    /// What the next process is called.
    pub(crate) fn next_name(&self) -> String {
        format!("{}.{}", self.name, self.generation + 1)
    }

    /// What the process is called that fills it, or filled it last.
    pub(crate) fn process_name(&self) -> String {
        format!("{}.{}", self.name, self.generation)
    }

    /// Starts the next process and returns the one that was there.
    pub(crate) fn fill(&mut self, command: &mut Command, folder: &Path) -> Result<Option<Server>> {
        let log = folder.join(format!("{}.log", self.next_name()));
        let process = Server::start(self.name, command, &log)?.ends_with(Signal::TERM, ORDERLY);
        self.generation += 1;
        Ok(self.process.replace(process))
    }

    pub(crate) fn kill(&mut self) -> Result<()> {
        if let Some(mut process) = self.process.take() {
            process.kill()?;
        }
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.process.is_none()
    }

    /// Sends a signal, unless nobody is there.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(process) = &self.process {
            process.signal(signal);
        }
    }

    /// The process that is there.
    pub(crate) fn process_id(&self) -> Option<Pid> {
        let id = self.process.as_ref()?.id();
        i32::try_from(id).ok().and_then(Pid::from_raw)
    }

    /// Notices when its process has ended by itself; the place is empty then.
    pub(crate) fn look(&mut self) -> Result<Option<BadEnd>> {
        let Some(process) = &mut self.process else {
            return Ok(None);
        };
        let Some(status) = process.ended()? else {
            return Ok(None);
        };
        self.process = None;
        let end = format!("{} ended by itself ({status})", self.process_name());
        Ok(Some(BadEnd(end)))
    }

    /// Ends the process in good order.
    pub(crate) fn end(&mut self) -> Option<BadEnd> {
        let name = self.process_name();
        self.process.take().and_then(|process| end(process, &name))
    }
}

/// Tells a process to end; an answer says how it did not do so in good order.
pub(crate) fn end(mut process: Server, name: &str) -> Option<BadEnd> {
    if !process.stop() {
        return Some(BadEnd(format!(
            "{name} did not end within {} s of SIGTERM",
            ORDERLY.as_secs()
        )));
    }
    match process.ended() {
        Ok(Some(status)) if status.success() => None,
        Ok(Some(status)) => Some(BadEnd(format!("{name} ended with {status} after SIGTERM"))),
        Ok(None) => None,
        Err(error) => Some(BadEnd(format!("{name} cannot be asked how it ended: {error}"))),
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        // Whoever still is here is of no use any more, and may stand still: then it hears nothing else.
        self.kill().ok();
    }
}
