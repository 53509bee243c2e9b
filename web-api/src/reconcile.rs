//! Brings SQL and the queue into agreement: what SQL holds as unfinished and the queue does not know is pushed again.
//!
//! Runs at the start, when the queue came back empty, when a push failed, and now and then. Pushing an id that the queue
//! knows changes nothing; pushing one that has just finished would run it twice, so before it pushes it waits until the
//! outcomes are recorded, and looks at the rows once more.

mod round;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use jobs::{job::JobId, queue::Queues};
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    outage::{Outage, jittered},
    store::Store,
};

/// How often, and from which age on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReconcileSettings {
    /// Between two rounds when nothing calls for one.
    pub interval: Duration,
    /// Younger rows are left alone: their first push may be under way. Longer than a push can take.
    pub min_age: Duration,
    /// How often it asks whether the queue is still the one it was.
    pub tick: Duration,
}

impl Default for ReconcileSettings {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(30),
            min_age: Duration::from_secs(5),
            tick: Duration::from_secs(1),
        }
    }
}

/// Asks the reconciler to look after rows that were not pushed. Cheap to clone.
#[derive(Clone, Default)]
pub struct Wake(Arc<Notify>);

impl Wake {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn wake(&self) {
        self.0.notify_one();
    }
}

/// Rows whose push failed.
struct Unpushed {
    /// Not older than this.
    since: DateTime<Utc>,
    /// A round that begins after this moment finds the last of them old enough.
    until: Instant,
}

/// Reconciles until `shutdown`. Never ends of an error.
pub async fn run(
    store: Store,
    queues: Queues,
    wake: Wake,
    settings: ReconcileSettings,
    shutdown: CancellationToken,
) {
    let mut outage = Outage::new("reconciler");
    let mut instance = None;
    let mut next_round = Instant::now();
    let mut unpushed: Option<Unpushed> = None;
    let mut next_look = Instant::now();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = wake.0.notified() => {
                let now = Utc::now();
                let until = Instant::now() + settings.min_age;
                // Rows may have waited for their push for as long as one is thought to take.
                let since = unpushed.map_or(now - settings.min_age, |unpushed| unpushed.since);
                unpushed = Some(Unpushed { since, until });
                continue;
            }
            () = tokio::time::sleep_until(next_look) => {}
        }
        let begun = Instant::now();
        let result = async {
            let present = queues.instance().await?;
            let other = instance.as_ref() != Some(&present);
            let from = if other || begun >= next_round {
                None
            } else if let Some(unpushed) = &unpushed {
                Some(JobId::lower_bound(unpushed.since))
            } else {
                return Ok(None);
            };
            round::round(&store, &queues, from, settings.min_age).await?;
            Ok::<_, round::RoundError>(Some((present, from.is_none())))
        };
        // A round may take minutes; nothing in it suffers from being cut off.
        let result = tokio::select! {
            () = shutdown.cancelled() => return,
            result = result => result,
        };
        let pause = match result {
            Ok(done) => {
                outage.over();
                if let Some((present, full)) = done {
                    if full {
                        next_round = Instant::now() + jittered(settings.interval);
                        instance = Some(present);
                    }
                    unpushed = unpushed.filter(|unpushed| begun < unpushed.until);
                }
                settings.tick
            }
            Err(error) => outage.failed(&error).min(settings.tick),
        };
        next_look = Instant::now() + pause;
    }
}
