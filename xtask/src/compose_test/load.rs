//! Callers that keep posting jobs through nginx, and remember what was accepted and what was not answered with 2xx.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::http::{self, Question};
use crate::interrupt;

const CALLERS: u64 = 4;
/// Between two calls of one caller.
const PAUSE: Duration = Duration::from_millis(25);
/// One answer takes at most this long.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, Default)]
struct Ledger {
    accepted: Mutex<Vec<String>>,
    /// Answers other than 2xx, and connections that broke.
    refused: Mutex<Vec<String>>,
    stop: AtomicBool,
    calls: AtomicU64,
}

/// Callers at work; dropping it stops them.
pub(super) struct Load {
    ledger: Arc<Ledger>,
    callers: Vec<JoinHandle<()>>,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Outcome {
    /// The ids of the accepted jobs.
    pub(super) accepted: Vec<String>,
    pub(super) refused: Vec<String>,
}

impl Load {
    /// Begins to call; a call that is not accepted is made again, with the same key, until it is.
    pub(super) fn start(port: u16, label: &'static str) -> Self {
        let ledger = Arc::new(Ledger::default());
        let callers = (0..CALLERS)
            .map(|_| {
                let ledger = Arc::clone(&ledger);
                thread::spawn(move || call(port, label, &ledger))
            })
            .collect();
        Self { ledger, callers }
    }

    /// Waits until so many more jobs have been accepted.
    pub(super) fn wait_for(&self, more: usize, limit: Duration) -> Result<()> {
        let accepted = || lock(&self.ledger.accepted).len();
        let (goal, end) = (accepted() + more, Instant::now() + limit);
        while accepted() < goal {
            if Instant::now() >= end {
                bail!("only {} of {goal} jobs were accepted in time", accepted());
            }
            interrupt::pause(Duration::from_millis(50))?;
        }
        Ok(())
    }

    /// Lets every caller finish its call.
    pub(super) fn stop(mut self) -> Outcome {
        self.ledger.stop.store(true, Ordering::Relaxed);
        for caller in self.callers.drain(..) {
            caller.join().ok();
        }
        Outcome {
            accepted: std::mem::take(&mut *lock(&self.ledger.accepted)),
            refused: std::mem::take(&mut *lock(&self.ledger.refused)),
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.ledger.stop.store(true, Ordering::Relaxed);
    }
}

fn call(port: u16, label: &str, ledger: &Ledger) {
    while !ledger.stop.load(Ordering::Relaxed) {
        let number = ledger.calls.fetch_add(1, Ordering::Relaxed);
        let key = format!("idempotency-key: {label}-{number}\r\n");
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_mins(2) {
            let question = Question {
                method: "POST",
                path: "/api/v1/functions/echo/jobs",
                headers: &key,
                body: Some(&format!(
                    "{{\"input\":{{\"number\":{number}}},\"max_attempts\":10}}"
                )),
            };
            match http::ask(port, &question, PATIENCE) {
                Ok(answer) if (200..300).contains(&answer.status) => {
                    if let Some(id) = http::text_in(&answer.body, "id") {
                        lock(&ledger.accepted).push(id.to_owned());
                    }
                    break;
                }
                Ok(answer) => lock(&ledger.refused).push(format!("{} {}", answer.status, answer.body)),
                Err(error) => lock(&ledger.refused).push(error.to_string()),
            }
            interrupt::wait(Duration::from_millis(200), u32::MAX);
        }
        interrupt::wait(PAUSE, u32::MAX);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until all of these jobs have completed.
pub(super) fn all_completed(port: u16, ids: &[String], limit: Duration) -> Result<()> {
    let end = Instant::now() + limit;
    for id in ids {
        loop {
            let state = state_of(port, id);
            if state.as_deref() == Some("completed") {
                break;
            }
            if matches!(state.as_deref(), Some("dead" | "cancelled")) || Instant::now() >= end {
                bail!(
                    "the job {id} was accepted and is {}",
                    state.as_deref().unwrap_or("unknown")
                );
            }
            interrupt::pause(Duration::from_millis(100))?;
        }
    }
    Ok(())
}

fn state_of(port: u16, id: &str) -> Option<String> {
    let answer = http::ask(port, &Question::get(&format!("/api/v1/jobs/{id}")), PATIENCE).ok()?;
    http::text_in(&answer.body, "state").map(str::to_owned)
}
