//! Brings SQL and the queue into agreement: what SQL holds as unfinished and the queue does not know is pushed again.
//!
//! Runs at the start, when a queue came back empty, when a push failed, and now and then. Pushing an id that the queue
//! knows changes nothing; pushing one that has just finished would run it twice, so before it pushes it waits until the
//! outcomes are recorded, and looks at the rows once more.

mod round;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use jobs::{
    job::{JobId, QueueName},
    queue::Queues,
};
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
    /// How often it asks whether the queues are still the ones they were.
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
pub struct Wake {
    notify: Arc<Notify>,
    /// When it was first asked, since it last looked.
    asked: Arc<Mutex<Option<DateTime<Utc>>>>,
}

impl Wake {
    pub fn new() -> Self {
        Self::default()
    }

    /// A push has failed just now.
    pub fn wake(&self) {
        self.asked().get_or_insert_with(Utc::now);
        self.notify.notify_one();
    }

    fn asked(&self) -> MutexGuard<'_, Option<DateTime<Utc>>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Rows that were too young for a round and may have been lost.
struct Young {
    /// Not older than this.
    since: DateTime<Utc>,
    /// A round that begins after this moment finds the last of them old enough.
    until: Instant,
}

impl Young {
    /// The rows that were young at `time`, and those of `before`.
    fn at(time: DateTime<Utc>, before: Option<Self>, min_age: Duration) -> Self {
        let since = time - min_age;
        Self {
            since: before.map_or(since, |before| before.since.min(since)),
            until: Instant::now() + min_age,
        }
    }
}

/// Reconciles until `shutdown`. Never ends of an error. `names` are the queues that are watched for a new beginning.
pub async fn run(
    store: Store,
    queues: Queues,
    names: Vec<QueueName>,
    wake: Wake,
    settings: ReconcileSettings,
    shutdown: CancellationToken,
) {
    let mut outage = Outage::new("reconciler");
    let mut instance = None;
    let mut next_round = Instant::now();
    let mut young: Option<Young> = None;
    let mut next_look = Instant::now();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = wake.notify.notified() => {
                let asked = wake.asked().take().unwrap_or_else(Utc::now);
                young = Some(Young::at(asked, young, settings.min_age));
                continue;
            }
            () = tokio::time::sleep_until(next_look) => {}
        }
        let begun = Instant::now();
        let begun_at = Utc::now();
        let look = async {
            let present = queues.instance(&names).await?;
            // Their rows wait until the node is back, which makes a difference in `present`.
            let away: Vec<&QueueName> = names.iter().filter(|name| !present.contains_key(name)).collect();
            let other = instance.as_ref() != Some(&present);
            let from = if other || begun >= next_round {
                None
            } else if let Some(young) = &young {
                Some(JobId::lower_bound(young.since))
            } else {
                return Ok(None);
            };
            round::round(&store, &queues, &away, from, settings.min_age).await?;
            Ok::<_, round::RoundError>(Some(Done {
                present,
                other,
                full: from.is_none(),
            }))
        };
        // A round may take minutes; nothing in it suffers from being cut off.
        let result = tokio::select! {
            () = shutdown.cancelled() => return,
            result = look => result,
        };
        let pause = match result {
            Ok(done) => {
                outage.over();
                if let Some(done) = done {
                    young = young.filter(|young| begun < young.until);
                    if done.other {
                        // What was pushed last is lost too, and was too young for this round.
                        young = Some(Young::at(begun_at, young, settings.min_age));
                    }
                    if done.full {
                        next_round = Instant::now() + jittered(settings.interval);
                        instance = Some(done.present);
                    }
                }
                settings.tick
            }
            Err(error) => outage.failed(&error).min(settings.tick),
        };
        next_look = Instant::now() + pause;
    }
}

/// A round that came to its end.
struct Done {
    present: BTreeMap<QueueName, String>,
    /// The queues are not the ones they were.
    other: bool,
    /// It walked all rows.
    full: bool,
}
