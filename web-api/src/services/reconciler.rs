//! Brings SQL and the queue into agreement: what SQL says is in Redis and Redis does not know goes back to the backlog,
//! from which `dispatch` hands it over once more.
//!
//! Runs at the start, when a queue came back empty, when a push failed, and now and then. A job that Redis does not
//! know is not always lost: its push may be under way, or it has just finished. So rows that were dispatched a moment
//! ago are left alone, until no push of theirs can arrive any more (see [`crate::services::dispatcher::hand_over::PUSH_WITHIN`]), and before a
//! row is taken back everything that had happened when Redis was asked is recorded.

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
    /// Between two rounds when nothing calls for one.
    pub interval: Duration,
    /// Rows that were dispatched later are left alone: their push may be under way. Longer than a push can take, and
    /// the clocks of two processes may be apart.
    pub min_age: Duration,
    /// How often it asks whether the queues are still the ones they were.
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

/// Asks the reconciler to look after rows that were not pushed. Cheap to clone.
#[derive(Clone, Default)]
pub struct ReconcileRequest {
    notify: Arc<Notify>,
}

impl ReconcileRequest {
    pub fn new() -> Self {
        Self::default()
    }

    /// A push has failed just now.
    pub fn wake(&self) {
        self.notify.notify_one();
    }
}

/// What a look has brought.
enum Seen {
    /// Nothing calls for a round.
    Nothing,
    /// The queues are not the ones they were: these are.
    Other(BTreeMap<QueueName, String>),
    /// A round came to its end.
    All,
}

/// The role, with all that it works with.
pub struct Reconciler {
    pub store: Store,
    pub queues: Queues,
    /// The queues that are watched for a new beginning.
    pub names: Vec<QueueName>,
    pub windows: Windows,
    /// Beats when the recorder of this process is up to date with what it has read.
    pub recorder: ProgressMarker,
    pub wake: ReconcileRequest,
    pub settings: ReconcileSettings,
}

/// Reconciles until `shutdown`. Never ends of an error.
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
            // Their rows wait until the node is back, which makes a difference in `present`.
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
        // A round may take minutes; nothing in it suffers from being cut off.
        let result = tokio::select! {
            () = shutdown.cancelled() => return,
            result = look => result,
        };
        let pause = match result {
            Ok(done) => {
                retries.over();
                match done {
                    Seen::Nothing => {}
                    // Not at once: a recorder may be writing down what it has read of a queue that is no more, and what
                    // was dispatched last is lost too.
                    Seen::Other(present) => {
                        instance = Some(present);
                        // What a lost stream would have told comes no more: the next round asks anew.
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
