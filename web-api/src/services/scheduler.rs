//! Calls functions by the clock: every process looks about once a second which schedules are due and makes their jobs.
//!
//! The database is the arbiter, not the clocks of the processes: each due time is claimed once, together with the row of
//! its job ([`fire`]). What [`timing`] and [`plan`] decide is pure. This module knows no SQL and no HTTP.

pub mod fire;
pub mod plan;
pub mod repair;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use jobs::catalog::Catalog;
use jobs::clock;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::db::jobs::Inserted;
use crate::db::{Store, StoreError};
use crate::services::dispatcher::window::Windows;
use crate::services::enqueuer;
use crate::services::retry_loop::RetryLoop;

/// The longest time between two looks: a schedule that another process made is seen within it.
const TICK: Duration = Duration::from_secs(1);
/// Between two looks at the database's clock.
const FOLLOW: Duration = Duration::from_secs(10);
/// Between two looks for schedules that a wrong clock has moved ahead.
const REPAIR: Duration = Duration::from_secs(20);
/// The shortest time between two looks.
const MIN_PAUSE: Duration = Duration::from_millis(50);

/// Fires due schedules until `shutdown`. Never ends of an error: what is due meanwhile was missed, and each schedule's
/// policy says what becomes of that.
pub async fn run(store: Store, catalog: Arc<Catalog>, windows: Windows, shutdown: CancellationToken) {
    let mut retries = RetryLoop::new("scheduler");
    let (mut follow_at, mut repair_at) = (Instant::now(), Instant::now());
    loop {
        let looking = async {
            if Instant::now() >= follow_at {
                store.follow_clock().await?;
                follow_at = Instant::now() + FOLLOW;
            }
            if Instant::now() >= repair_at {
                repair::repair(&store, clock::now()).await?;
                repair_at = Instant::now() + REPAIR;
            }
            look(&store, &catalog, &windows, &shutdown).await
        };
        let pause = match looking.await {
            Ok(pause) => {
                retries.over();
                pause
            }
            Err(error) => retries.failed(&error),
        };
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Fires what is due, and says how long until the next look.
async fn look(
    store: &Store,
    catalog: &Catalog,
    windows: &Windows,
    shutdown: &CancellationToken,
) -> Result<Duration, StoreError> {
    let mut from = None;
    let mut fired = false;
    loop {
        let now = clock::now();
        let page = fire::fire_page(store, catalog, now, now + TICK, from).await?;
        fired |= page.tried;
        for inserted in &page.jobs {
            enqueuer::count(inserted);
            if let Inserted::Created(job) = inserted {
                windows.enqueued(&job.queue);
            }
        }
        from = page.next;
        if from.is_none() || shutdown.is_cancelled() {
            return Ok(if fired {
                MIN_PAUSE
            } else {
                pause(now, page.earliest)
            });
        }
    }
}

/// Until the earliest due time, within the bounds.
fn pause(now: DateTime<Utc>, earliest: Option<DateTime<Utc>>) -> Duration {
    earliest.map_or(TICK, |at| {
        (at - now).to_std().unwrap_or(TICK).clamp(MIN_PAUSE, TICK)
    })
}
