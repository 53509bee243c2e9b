//! One job that this process holds, and its stage: it waits, asks Redis, runs, has ended, or goes back.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::context::AttemptHandle;
use crate::job::QueueName;
use crate::worker::progress_log::ProgressLog;

/// An attempt that ends sooner is not announced: the event of its end is enough.
const ANNOUNCED_AFTER_MS: i64 = 50;

/// Waits for a place, or for its turn in a task that it shares.
const WAITS: u8 = 0;
/// Has a place, and Redis is asked whether it may begin.
const ASKS: u8 = 1;
const RUNS: u8 = 2;
/// Has ended, and is to be recorded in Redis.
const ENDED: u8 = 3;
/// Has not begun, and will not: it goes back.
const RETURNS: u8 = 4;

/// A job that this process holds. Shared by those who run it, stop it and report on it.
#[derive(Debug)]
pub(crate) struct InFlightJob {
    pub(crate) queue: QueueName,
    pub(crate) attempt: u32,
    pub(crate) stop: CancellationToken,
    pub(crate) progress_log: ProgressLog,
    /// Notified when there is something in it.
    news: watch::Sender<()>,
    /// Its place in the order in which jobs were fetched.
    pub(super) number: AtomicU64,
    stage: AtomicU8,
    began: OnceLock<Instant>,
    /// Stopped because the job is to be cancelled, which is an outcome.
    cancelled: AtomicBool,
    /// When it began to run, in ms; 0 before.
    pub(super) started_ms: AtomicI64,
    pub(super) announced: AtomicBool,
}

impl InFlightJob {
    pub(crate) fn new(queue: QueueName, attempt: u32, news: watch::Sender<()>) -> Self {
        Self {
            queue,
            attempt,
            stop: CancellationToken::new(),
            progress_log: ProgressLog::default(),
            news,
            number: AtomicU64::new(0),
            stage: AtomicU8::new(WAITS),
            began: OnceLock::new(),
            cancelled: AtomicBool::new(false),
            started_ms: AtomicI64::new(0),
            announced: AtomicBool::new(false),
        }
    }

    /// The job is to be cancelled; without this a stopped attempt has no outcome.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::SeqCst)
    }

    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::SeqCst);
        self.stop.cancel();
    }

    fn moves(&self, from: u8, to: u8) -> bool {
        let moved = self
            .stage
            .compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst);
        moved.is_ok()
    }

    /// It has a place, and Redis is to be asked. False when it goes back, or need not go on.
    pub(crate) fn asks(&self) -> bool {
        !self.stop.is_cancelled() && self.moves(WAITS, ASKS)
    }

    /// It runs from now on. False when it goes back, or was stopped before it began.
    pub(crate) fn begins(&self, now: Instant) -> bool {
        let begins = !self.stop.is_cancelled() && (self.moves(WAITS, RUNS) || self.moves(ASKS, RUNS));
        if begins {
            self.began.get_or_init(|| now);
        }
        begins
    }

    pub(crate) fn ended(&self) {
        self.stage.store(ENDED, Ordering::SeqCst);
    }

    /// It has not begun and shall go back; one that has a place already only when `also_asking`. False when it is too
    /// late for that.
    pub(crate) fn returns(&self, also_asking: bool) -> bool {
        self.moves(WAITS, RETURNS) || (also_asking && self.moves(ASKS, RETURNS)) || self.is_returning()
    }

    pub(crate) fn is_returning(&self) -> bool {
        self.stage.load(Ordering::SeqCst) == RETURNS
    }

    pub(crate) fn waits(&self) -> bool {
        self.stage.load(Ordering::SeqCst) == WAITS
    }

    pub(crate) fn has_begun(&self) -> bool {
        matches!(self.stage.load(Ordering::SeqCst), RUNS | ENDED)
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.stage.load(Ordering::SeqCst) == ENDED
    }

    /// How long it has been running, if it does.
    pub(crate) fn runs_for(&self, now: Instant) -> Option<Duration> {
        if self.stage.load(Ordering::Relaxed) != RUNS {
            return None;
        }
        self.began
            .get()
            .map(|began| now.saturating_duration_since(*began))
    }

    /// Whether it began so long ago that it should be announced, and was not yet.
    pub(super) fn is_due_for_announcement(&self, now_ms: i64) -> Option<bool> {
        let started = self.started_ms.load(Ordering::Relaxed);
        let waits = started > 0 && !self.announced.load(Ordering::Relaxed);
        waits.then_some(now_ms - started >= ANNOUNCED_AFTER_MS)
    }
}

impl AttemptHandle for InFlightJob {
    fn progress(&self, share: f64) {
        self.progress_log.progress(share);
        self.news.send_replace(());
    }

    fn log(&self, line: &str) {
        self.progress_log.line(line);
        self.news.send_replace(());
    }

    fn stop(&self) -> &CancellationToken {
        &self.stop
    }
}
