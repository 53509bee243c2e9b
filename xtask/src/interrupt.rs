//! Ctrl-C and its relatives: a signal becomes a value that waiting code sees at once.
//!
//! Children are in process groups of their own, so a terminal's Ctrl-C reaches this process alone and each child
//! is ended in its proper way. Nothing here kills anything.

use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

static COUNT: Mutex<u32> = Mutex::new(0);
static BELL: Condvar = Condvar::new();

/// The error that a wait ends with when the developer wants to stop.
#[derive(Debug)]
pub struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

/// Starts to listen; without this, signals end the process in their usual way.
pub fn listen() -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("cannot listen for Ctrl-C")?;
    thread::spawn(move || {
        for _ in &mut signals {
            *lock() += 1;
            BELL.notify_all();
        }
    });
    Ok(())
}

/// How many signals have come.
pub fn count() -> u32 {
    *lock()
}

/// Fails when a signal has come.
pub fn check() -> Result<(), Interrupted> {
    if count() == 0 { Ok(()) } else { Err(Interrupted) }
}

/// Waits; a signal, also an earlier one, ends the wait with an error.
pub fn pause(length: Duration) -> Result<(), Interrupted> {
    if wait(length, 0) { Err(Interrupted) } else { Ok(()) }
}

/// Waits until `length` is over or more than `seen` signals have come; says whether they have.
pub fn wait(length: Duration, seen: u32) -> bool {
    let end = Instant::now() + length;
    let mut count = lock();
    while *count <= seen {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        count = BELL
            .wait_timeout(count, left)
            .unwrap_or_else(PoisonError::into_inner)
            .0;
    }
    true
}

fn lock() -> MutexGuard<'static, u32> {
    COUNT.lock().unwrap_or_else(PoisonError::into_inner)
}
