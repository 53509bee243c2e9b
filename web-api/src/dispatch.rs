//! Keeps each queue's window in Redis filled from the backlog that SQL holds, and brings parked jobs back before their
//! time.
//!
//! Redis holds about as many jobs as the window has places, however long the backlog is. Lanes (one priority, one
//! fairness key) share what is free; one that has hardly any jobs in Redis gets some even when the window is full, so
//! that neither an urgent job nor the only one of its key waits behind a backlog of others.
//!
//! Every API process runs this; each row is dispatched by exactly one. What is dispatched and does not arrive is found
//! by `reconcile`.

mod share;

use std::time::Duration;

use jobs::clock;
use jobs::{
    job::{Envelope, QueueName},
    queue::Queues,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    outage::{Outage, PartError},
    store::{
        Store, StoreError,
        job::{Job, dispatch::Lane},
    },
    windows::Windows,
};
use share::{Share, shares};

/// Between two looks when nobody calls.
const TICK: Duration = Duration::from_secs(1);
/// After a look that moved something, and between two questions whether a full window has room again: others need the
/// database and Redis too.
const BREATH: Duration = Duration::from_millis(20);
/// Rows in one statement.
const BATCH: u64 = 500;
/// Lanes served in one look; the next look goes on behind them.
const LANES: usize = 64;
/// Parked rows that one look brings back.
const UNPARKED: u64 = 2_000;
/// How long a push may be on its way. Rows dispatched longer ago that Redis does not know are lost.
pub const PUSH_WITHIN: Duration = Duration::from_secs(5);

/// Dispatches until `shutdown`. Never ends of an error.
pub async fn run(
    store: Store,
    queues: Queues,
    names: Vec<QueueName>,
    windows: Windows,
    shutdown: CancellationToken,
) {
    let mut outage = Outage::new("dispatcher");
    let mut lines: Vec<Line> = names.into_iter().map(Line::new).collect();
    let mut pause = Duration::ZERO;
    let mut last_look = Instant::now();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            // While a window is full, each job that lines up behind it says that there is work.
            () = work(&windows, last_look + BREATH), if pause > BREATH => {}
            () = room(&queues, &windows, &lines), if pause > BREATH => {}
            () = tokio::time::sleep(pause) => {}
        }
        last_look = Instant::now();
        // A look may take seconds; rows that it has dispatched and not pushed when it is cut off are found again.
        let look = look(&store, &queues, &windows, &mut lines);
        let looked = tokio::select! {
            () = shutdown.cancelled() => return,
            looked = look => looked,
        };
        pause = match looked {
            Ok(moved) => {
                outage.over();
                if moved { BREATH } else { TICK }
            }
            Err(error) => outage.failed(&error),
        };
    }
}

/// Waits until somebody says that there is work, and at least until `not_before`.
async fn work(windows: &Windows, not_before: Instant) {
    windows.work().await;
    tokio::time::sleep_until(not_before).await;
}

/// A queue, and the lane behind which the next look begins.
struct Line {
    queue: QueueName,
    behind: Option<Lane>,
    /// The last look left jobs in the backlog, because the window was full.
    waits_for_room: bool,
}

impl Line {
    fn new(queue: QueueName) -> Self {
        Self {
            queue,
            behind: None,
            waits_for_room: false,
        }
    }

    /// Lanes with jobs in the backlog, going on where the last look ended, and whether those are all.
    async fn lanes(&mut self, store: &Store) -> Result<(Vec<Lane>, bool), StoreError> {
        let mut lanes = Vec::new();
        let from_start = self.behind.is_none();
        let mut after = self.behind.take();
        while lanes.len() < LANES {
            match store.job_next_lane(&self.queue, after.as_ref()).await? {
                Some(lane) => {
                    after = Some(lane.clone());
                    lanes.push(lane);
                }
                None => return Ok((lanes, from_start)),
            }
        }
        self.behind = after;
        Ok((lanes, false))
    }
}

/// Waits until a window that was full has room again, so that it is filled up long before it runs dry. Asks Redis alone,
/// and gives up when that is away.
async fn room(queues: &Queues, windows: &Windows, lines: &[Line]) {
    let size = windows.settings().size;
    let worth_a_look = size - share::allowance(size);
    while lines.iter().any(|line| line.waits_for_room) {
        tokio::time::sleep(BREATH).await;
        for line in lines.iter().filter(|line| line.waits_for_room) {
            match queues.waiting(&line.queue, &[]).await {
                Ok((held, _)) if held <= worth_a_look => return,
                Ok(_) => {}
                Err(_away) => std::future::pending::<()>().await,
            }
        }
    }
    std::future::pending::<()>().await;
}

/// Looks at every queue once. True when something moved and there may be more to do at once.
async fn look(
    store: &Store,
    queues: &Queues,
    windows: &Windows,
    lines: &mut [Line],
) -> Result<bool, PartError> {
    let mut moved = unpark(store, windows).await?;
    let mut away = None;
    for line in lines {
        match fill(store, queues, windows, line).await {
            Ok(some) => moved |= some,
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
            windows.lined_up(queue);
        }
        if (of.len() as u64) < BATCH {
            return Ok(unparked > 0);
        }
    }
    Ok(true)
}

async fn fill(store: &Store, queues: &Queues, windows: &Windows, line: &mut Line) -> Result<bool, PartError> {
    let queue = line.queue.clone();
    windows.begin_look(&queue);
    let result = fill_window(store, queues, windows, line).await;
    // Only a look that saw the end of the backlog may say that nobody waits.
    let emptied = matches!(result, Ok(Filled { emptied: true, .. }));
    windows.end_look(&queue, emptied);
    line.waits_for_room = !emptied && result.is_ok();
    result.map(|filled| filled.moved)
}

struct Filled {
    moved: bool,
    /// The backlog is empty.
    emptied: bool,
}

async fn fill_window(
    store: &Store,
    queues: &Queues,
    windows: &Windows,
    line: &mut Line,
) -> Result<Filled, PartError> {
    let (lanes, all) = line.lanes(store).await?;
    if lanes.is_empty() {
        let (held, _) = queues.waiting(&line.queue, &[]).await?;
        windows.held(&line.queue, held);
        return Ok(Filled {
            moved: !all,
            emptied: all,
        });
    }
    let names: Vec<_> = lanes
        .iter()
        .map(|lane| (lane.priority, lane.fairness_key.as_str()))
        .collect();
    let (held, waiting) = queues.waiting(&line.queue, &names).await?;
    windows.held(&line.queue, held);
    let size = windows.settings().size;
    // This process may be about to push some more.
    let held = held + windows.on_their_way(&line.queue);
    let mut moved = false;
    let mut emptied = all;
    for (lane, Share(share)) in lanes.iter().zip(shares(size, held, &waiting)) {
        let mut left = share;
        loop {
            let most = left.min(BATCH);
            if most == 0 {
                emptied = false;
                break;
            }
            let taken = hand_over(store, queues, windows, &line.queue, lane, most).await?;
            moved |= taken > 0;
            if taken < most {
                break;
            }
            left -= most;
        }
    }
    Ok(Filled { moved, emptied })
}

/// Moves jobs of one lane from the backlog into Redis. Returns how many there were, up to `most`.
async fn hand_over(
    store: &Store,
    queues: &Queues,
    windows: &Windows,
    queue: &QueueName,
    lane: &Lane,
    most: u64,
) -> Result<u64, PartError> {
    // Before the rows are taken: whoever finds them dispatched and unknown later on knows that this push is over.
    let deadline = queues.deadline(queue, PUSH_WITHIN).await?;
    let jobs = store.job_dispatch(queue, lane, most).await?;
    let envelopes = envelopes(&jobs);
    if !envelopes.is_empty() {
        let pushed = queues.push_before(deadline, queue, &envelopes).await?;
        windows.held(queue, pushed.held);
    }
    Ok(jobs.len() as u64)
}

/// What a worker needs of each job.
pub(crate) fn envelopes(jobs: &[Job]) -> Vec<Envelope> {
    let envelope = |job: &Job| {
        job.envelope()
            .inspect_err(|error| tracing::error!(job = %job.id, %error, "the job cannot be written as JSON"))
            .ok()
    };
    jobs.iter().filter_map(envelope).collect()
}
