//! Keeps each queue's window in Redis filled from the backlog that SQL holds, and brings parked jobs back before their
//! time.
//!
//! Redis holds about as many jobs as the window has places, however long the backlog is. Lanes (one priority, one
//! fairness key) share what is free; one that has hardly any jobs in Redis gets some even when the window is full, so
//! that neither an urgent job nor the only one of its key waits behind a backlog of others.
//!
//! Every API process runs this; each row is dispatched by exactly one. What is dispatched and does not arrive is found
//! by `reconcile`.

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

/// Between two looks at a queue when nobody calls. With many queues less often: what lines up in this process is called
/// out, and other processes look after what lines up there.
const TICK: Duration = Duration::from_secs(1);
const TICK_FOR_EACH: Duration = Duration::from_millis(50);
/// After a look that moved something, and between two questions whether a full window has room again: others need the
/// database and Redis too.
const MIN_PAUSE: Duration = Duration::from_millis(20);
/// Rows in one statement.
const BATCH: u64 = 500;
/// Parked rows that one look brings back.
const UNPARKED: u64 = 2_000;
/// Dispatches until `shutdown`. Never ends of an error. On a cluster each queue is looked after by itself: one may lie on a
/// node that does not answer.
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

/// What dispatches for some queues.
struct Dispatcher {
    store: Store,
    queues: Queues,
    windows: Windows,
    /// Between two looks at a queue when nobody calls.
    tick: Duration,
    /// Parked jobs are those of all queues: one brings them back.
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
                // While a window is full, each job that lines up behind it says that there is work.
                () = work(&mut called, last_look + MIN_PAUSE), if pause > MIN_PAUSE => {}
                () = room(&queues, &windows, &lines), if pause > MIN_PAUSE => {}
                () = tokio::time::sleep(pause) => {}
            }
            last_look = Instant::now();
            // A look may take seconds; rows that it has dispatched and not pushed when it is cut off are found again.
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

/// Waits until somebody says that there is work, and at least until `not_before`.
async fn work(called: &mut watch::Receiver<()>, not_before: Instant) {
    // The sender is in what the dispatcher holds.
    called.changed().await.ok();
    tokio::time::sleep_until(not_before).await;
}

/// Waits until a window that was full has room again, so that it is filled up long before it runs dry. Asks Redis alone,
/// and gives up when that is away.
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

/// Looks at every queue that does not rest. True when something moved and there may be more to do at once.
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
                // One that moved something, or has more, is looked at again at once.
                let is_idle = !some && line.behind.is_none() && !line.waits_for_room;
                line.rests_until = is_idle.then(|| Instant::now() + tick);
                moved |= some;
            }
            // The other queues may be on nodes that are there.
            Err(error @ PartError::Queue(_)) => away = Some(error),
            Err(error @ PartError::Store(_)) => return Err(error),
        }
    }
    match away {
        Some(error) if !moved => Err(error),
        Some(_) | None => Ok(moved),
    }
}

/// Parked jobs whose time comes within the horizon line up.
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
