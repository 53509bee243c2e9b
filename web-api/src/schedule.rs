//! Calls functions by the clock: every process looks about once a second which schedules are due and makes their jobs.
//!
//! The database is the arbiter, not the clocks of the processes: each due time is claimed once, together with the row of
//! its job ([`fire`]). What [`timing`] and [`plan`] decide is pure. This module knows no SQL and no HTTP.

pub mod fire;
pub mod plan;
pub mod timing;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use jobs::{catalog::Catalog, queue::Queues};
use tokio_util::sync::CancellationToken;

use crate::{
    enqueue::{self, push},
    outage::Outage,
    reconcile::Wake,
    store::{Store, StoreError},
};

/// The longest time between two looks: a schedule that another process made is seen within it.
const TICK: Duration = Duration::from_secs(1);
/// The shortest.
const BREATH: Duration = Duration::from_millis(50);

/// Fires due schedules until `shutdown`. Never ends of an error: what is due meanwhile was missed, and each schedule's
/// policy says what becomes of that.
pub async fn run(
    store: Store,
    catalog: Arc<Catalog>,
    queues: Queues,
    wake: Wake,
    shutdown: CancellationToken,
) {
    let (pusher, pushing) = push::pusher(queues, wake.clone());
    let firing = async move {
        let mut outage = Outage::new("scheduler");
        loop {
            let pause = match look(&store, &catalog, &pusher, &shutdown).await {
                Ok(pause) => {
                    outage.over();
                    pause
                }
                Err(error) => {
                    // The commit may have gone through all the same.
                    wake.wake();
                    outage.failed(&error)
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    };
    tokio::join!(firing, pushing);
}

/// Fires what is due, and says how long until the next look.
async fn look(
    store: &Store,
    catalog: &Catalog,
    pusher: &push::Pusher,
    shutdown: &CancellationToken,
) -> Result<Duration, StoreError> {
    let mut from = None;
    let mut fired = false;
    loop {
        let now = Utc::now();
        let page = fire::fire_page(store, catalog, now, now + TICK, from).await?;
        fired |= page.tried;
        page.jobs.iter().for_each(enqueue::count);
        pusher.push(push::envelopes(&page.jobs).collect()).await;
        from = page.next;
        if from.is_none() || shutdown.is_cancelled() {
            return Ok(if fired { BREATH } else { pause(now, page.earliest) });
        }
    }
}

/// Until the earliest due time, within the bounds.
fn pause(now: DateTime<Utc>, earliest: Option<DateTime<Utc>>) -> Duration {
    earliest.map_or(TICK, |at| (at - now).to_std().unwrap_or(TICK).clamp(BREATH, TICK))
}
