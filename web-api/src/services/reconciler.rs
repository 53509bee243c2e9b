//! Brings SQL and the queue into agreement: jobs that are in Redis according to SQL, and that Redis does not
//! know, go back to the backlog, from which `dispatch` pushes them again.
//!
//! Runs at the start, when a queue came back empty, when a push failed, and periodically. A job that Redis
//! does not know is not always lost: its push may be under way, or it has just finished. So rows that were
//! dispatched a moment ago are left alone until their push can no longer arrive (see
//! `services::dispatcher::hand_over::PUSH_WITHIN`), and a row is taken back only after every event
//! from before Redis was asked is recorded.

mod pass;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jobs::{job::QueueName, queue::Queues};
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::db::Store;
use crate::services::dispatcher::hand_over::PUSH_WITHIN;
use crate::services::dispatcher::window::Windows;
use crate::services::progress_marker::ProgressMarker;
use crate::services::retry_loop::{RetryLoop, jittered};

/// How often, and from which age on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReconcileSettings {
    /// Time between two passes when no event triggers one.
    pub interval: Duration,
    /// Rows that were dispatched later than this are left alone: their push may be under way. Longer than a
    /// push can take, because the clocks of two processes may differ.
    pub min_age: Duration,
    /// How often it checks whether the queues are still the same ones, or came back empty.
    pub tick: Duration,
}

impl Default for ReconcileSettings {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(30),
            min_age: PUSH_WITHIN * 2,
            tick: Duration::from_secs(1),
        }
    }
}

/// Asks the reconciler to check rows that were not pushed. Cheap to clone.
#[derive(Clone, Default)]
pub struct ReconcileRequest {
    notify: Arc<Notify>,
}

impl ReconcileRequest {
    pub fn new() -> Self {
        Self::default()
    }

    /// A push has just failed.
    pub fn wake(&self) {
        self.notify.notify_one();
    }
}

/// The result of a check.
enum Seen {
    /// Nothing triggers a pass.
    Nothing,
    /// The queues are not the same as before: these are the new ones.
    Other(BTreeMap<QueueName, String>),
    /// A pass has ended.
    All,
}

/// The role, with what it needs.
pub struct Reconciler {
    pub store: Store,
    pub queues: Queues,
    /// The queues that are watched for a restart without data.
    pub names: Vec<QueueName>,
    pub windows: Windows,
    /// Updated when the recorder of this process is up to date with what it has read.
    pub recorder: ProgressMarker,
    pub wake: ReconcileRequest,
    pub settings: ReconcileSettings,
}

/// Reconciles until `shutdown`. Errors do not end it.
pub async fn run(reconciler: Reconciler, shutdown: CancellationToken) {
    let Reconciler {
        store,
        queues,
        names,
        windows,
        recorder,
        wake,
        settings,
    } = reconciler;
    let mut retries = RetryLoop::new("reconciler");
    let mut instance = None;
    let mut next_round = Instant::now();
    // When the last row that may have been lost is old enough.
    let mut all_old_at: Option<Instant> = None;
    let mut next_look = Instant::now();
    let mut unsettled: Vec<pass::Unrecorded> = Vec::new();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = wake.notify.notified() => {
                let old_at = Instant::now() + settings.min_age;
                all_old_at = Some(old_at);
                next_round = next_round.min(old_at);
                continue;
            }
            () = tokio::time::sleep_until(next_look) => {}
        }
        let begun = Instant::now();
        let look = async {
            let present = queues.instance(&names).await?;
            // Their rows wait until the node is back, which changes `present`.
            let away: Vec<&QueueName> = names.iter().filter(|name| !present.contains_key(name)).collect();
            if instance.as_ref() != Some(&present) {
                return Ok(Seen::Other(present));
            }
            while let Some(piece) = unsettled.last() {
                if !piece.settle(&store, &queues, &windows, &recorder).await? {
                    return Ok(Seen::Nothing);
                }
                unsettled.pop();
            }
            if begun < next_round {
                return Ok(Seen::Nothing);
            }
            unsettled = pass::round(&store, &queues, &windows, &recorder, &away, settings.min_age).await?;
            Ok::<_, pass::PassError>(if unsettled.is_empty() {
                Seen::All
            } else {
                Seen::Nothing
            })
        };
        // A pass may take minutes; it is safe to cancel it at any point.
        let result = tokio::select! {
            () = shutdown.cancelled() => return,
            result = look => result,
        };
        let pause = match result {
            Ok(done) => {
                retries.over();
                match done {
                    Seen::Nothing => {}
                    // Not at once: a recorder may still be writing what it has read of a queue that is gone,
                    // and the jobs dispatched last are lost too.
                    Seen::Other(present) => {
                        instance = Some(present);
                        // Events of a lost stream will not arrive any more: the next pass starts over.
                        unsettled.clear();
                        next_round = begun + settings.min_age;
                    }
                    Seen::All => {
                        all_old_at = all_old_at.filter(|at| begun < *at);
                        next_round =
                            all_old_at.unwrap_or_else(|| Instant::now() + jittered(settings.interval));
                    }
                }
                settings.tick
            }
            Err(error) => retries.failed(&error).min(settings.tick),
        };
        next_look = Instant::now() + pause;
    }
}
