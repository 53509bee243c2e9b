//! Keeps each queue's window in Redis filled from the backlog in SQL, and brings parked jobs back before they
//! are due.
//!
//! Redis holds about as many jobs as the window has places, however long the backlog is. Lanes (one priority,
//! one fairness key) share what is free. A lane that has hardly any jobs in Redis gets some even when the
//! window is full, so that neither an urgent job nor the only one of its key waits behind a backlog of
//! others.
//!
//! Every API process runs this; each row is dispatched by exactly one. `reconcile` finds jobs that were
//! dispatched and did not arrive.

mod fill;
pub(crate) mod hand_over;
mod lane_share;
mod line;
mod marks;
pub mod window;

use std::time::Duration;

use futures::future::join_all;
use jobs::clock;
use jobs::{job::QueueName, queue::Queues};
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use self::fill::fill;
use self::line::Line;
use crate::db::Store;
use crate::services::dispatcher::window::{WindowSettings, Windows};
use crate::services::retry_loop::{PartError, RetryLoop};

/// Time between two polls of a queue without a notification. With many queues it is longer: this process is
/// notified of jobs that it adds to the backlog itself, and other processes poll for theirs.
const TICK: Duration = Duration::from_secs(1);
const TICK_FOR_EACH: Duration = Duration::from_millis(50);
/// Pause after a pass that moved jobs, and between two checks whether a full window has room again, so that
/// others get their share of the database and Redis.
const MIN_PAUSE: Duration = Duration::from_millis(20);
/// Rows in one statement.
const BATCH: u64 = 500;
/// Parked rows that one pass brings back.
const UNPARKED: u64 = 2_000;
/// Dispatches until `shutdown`. Errors do not end it. On a cluster each queue has a loop of its own, because
/// one may lie on a node that does not answer.
pub async fn run(
    store: Store,
    queues: Queues,
    names: Vec<QueueName>,
    windows: Windows,
    shutdown: CancellationToken,
) {
    let tick = TICK.max(TICK_FOR_EACH.saturating_mul(u32::try_from(names.len()).unwrap_or(u32::MAX)));
    let groups: Vec<Vec<QueueName>> = if queues.are_apart() {
        names.into_iter().map(|name| vec![name]).collect()
    } else {
        vec![names]
    };
    let running = groups.into_iter().enumerate().map(|(number, names)| {
        let dispatcher = Dispatcher {
            store: store.clone(),
            queues: queues.clone(),
            windows: windows.clone(),
            tick,
            unparks: number == 0,
        };
        dispatcher.run(names, shutdown.clone())
    });
    join_all(running).await;
}

/// The dispatcher of some of the queues.
struct Dispatcher {
    store: Store,
    queues: Queues,
    windows: Windows,
    /// Time between two polls of a queue without a notification.
    tick: Duration,
    /// Parked jobs of all queues are brought back by one of the loops.
    unparks: bool,
}

impl Dispatcher {
    async fn run(self, names: Vec<QueueName>, shutdown: CancellationToken) {
        let Self {
            store,
            queues,
            windows,
            tick,
            unparks,
        } = self;
        let mut called = windows.listen();
        let mut retries = RetryLoop::new("dispatcher");
        let mut lines: Vec<Line> = names.into_iter().map(Line::new).collect();
        let mut pause = Duration::ZERO;
        let mut last_look = Instant::now();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                // While a window is full, each job that is added to the backlog sends a notification.
                () = work(&mut called, last_look + MIN_PAUSE), if pause > MIN_PAUSE => {}
                () = room(&queues, &windows, &lines), if pause > MIN_PAUSE => {}
                () = tokio::time::sleep(pause) => {}
            }
            last_look = Instant::now();
            // A pass may take seconds; rows that it has dispatched but not pushed when it is cancelled are
            // found by `reconcile`.
            let look = look(&store, &queues, &windows, &mut lines, tick, unparks);
            let looked = tokio::select! {
                () = shutdown.cancelled() => return,
                looked = look => looked,
            };
            pause = match looked {
                Ok(moved) => {
                    retries.over();
                    if moved { MIN_PAUSE } else { TICK }
                }
                Err(error) => retries.failed(&error),
            };
        }
    }
}

/// Waits for a notification that there is work, and at least until `not_before`.
async fn work(called: &mut watch::Receiver<()>, not_before: Instant) {
    // The sender is part of `self`.
    called.changed().await.ok();
    tokio::time::sleep_until(not_before).await;
}

/// Waits until a window that was full has room again, so that it is refilled long before it is empty. Asks
/// only Redis, and returns when that is away.
async fn room(queues: &Queues, windows: &Windows, lines: &[Line]) {
    let WindowSettings { size, bytes, .. } = windows.settings();
    let worth_a_look = size - lane_share::allowance(size);
    let light = bytes - lane_share::allowance(bytes);
    while lines.iter().any(|line| line.waits_for_room) {
        tokio::time::sleep(MIN_PAUSE).await;
        for line in lines.iter().filter(|line| line.waits_for_room) {
            match queues.waiting(&line.queue, &[]).await {
                Ok((held, _)) if held <= worth_a_look => match queues.bytes(&line.queue).await {
                    Ok(bytes) if bytes.unwrap_or_default() <= light => return,
                    Ok(_) => {}
                    Err(_away) => std::future::pending::<()>().await,
                },
                Ok(_) => {}
                Err(_away) => std::future::pending::<()>().await,
            }
        }
    }
    std::future::pending::<()>().await;
}

/// Makes a pass over every queue that is due. True when something moved and there may be more to do at once.
async fn look(
    store: &Store,
    queues: &Queues,
    windows: &Windows,
    lines: &mut [Line],
    tick: Duration,
    unparks: bool,
) -> Result<bool, PartError> {
    let mut moved = unparks && unpark(store, windows).await?;
    let mut away = None;
    for line in lines {
        if line.rests(windows) {
            continue;
        }
        match fill(store, queues, windows, line).await {
            Ok(some) => {
                // A queue in which something moved, or that has more, is polled again at once.
                let is_idle = !some && line.behind.is_none() && !line.waits_for_room;
                line.rests_until = is_idle.then(|| Instant::now() + tick);
                moved |= some;
            }
            // Go on: the other queues may be on nodes that are up.
            Err(error @ PartError::Queue(_)) => away = Some(error),
            Err(error @ PartError::Store(_)) => return Err(error),
        }
    }
    match away {
        Some(error) if !moved => Err(error),
        Some(_) | None => Ok(moved),
    }
}

/// Moves parked jobs whose time comes within the horizon to the backlog.
async fn unpark(store: &Store, windows: &Windows) -> Result<bool, PartError> {
    let until = clock::now() + windows.settings().horizon;
    let mut unparked = 0;
    while unparked < UNPARKED {
        let of = store.job_unpark(until, BATCH).await?;
        unparked += of.len() as u64;
        for queue in &of {
            windows.enqueued(queue);
        }
        if (of.len() as u64) < BATCH {
            return Ok(unparked > 0);
        }
    }
    Ok(true)
}
