//! Keeps each queue's window in Redis filled from the backlog that SQL holds, and brings parked jobs back before their
//! time.
//!
//! Redis holds about as many jobs as the window has places, however long the backlog is. Lanes (one priority, one
//! fairness key) share what is free; one that has hardly any jobs in Redis gets some even when the window is full, so
//! that neither an urgent job nor the only one of its key waits behind a backlog of others.
//!
//! Every API process runs this; each row is dispatched by exactly one. What is dispatched and does not arrive is found
//! by `reconcile`.

mod lane_share;
mod marks;
pub mod window;

use std::time::Duration;

use futures::future::join_all;
use jobs::clock;
use jobs::{
    job::{Envelope, JobId, QueueName},
    queue::{Pushed, Queues},
};
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::db::jobs::Job;
use crate::db::jobs::dispatch::Lane;
use crate::db::{Store, StoreError};
use crate::services::dispatcher::window::{WindowSettings, Windows};
use crate::services::retry_loop::{Outage, PartError};
use lane_share::{Share, shares};
use marks::Marks;

/// Between two looks at a queue when nobody calls. With many queues less often: what lines up in this process is called
/// out, and other processes look after what lines up there.
const TICK: Duration = Duration::from_secs(1);
const TICK_FOR_EACH: Duration = Duration::from_millis(50);
/// After a look that moved something, and between two questions whether a full window has room again: others need the
/// database and Redis too.
const BREATH: Duration = Duration::from_millis(20);
/// Rows in one statement.
const BATCH: u64 = 500;
/// Bytes of inputs that are read for one statement, about.
const BATCH_BYTES: u64 = 16 << 20;
/// What a job is taken for before the first ones of its queue have been seen.
const FIRST_BYTES: u64 = 512 << 10;
/// Lanes served in one look; the next look goes on behind them.
const LANES: usize = 64;
/// Parked rows that one look brings back.
const UNPARKED: u64 = 2_000;
/// How long a push may be on its way. Rows dispatched longer ago that Redis does not know are lost.
pub const PUSH_WITHIN: Duration = Duration::from_secs(5);

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
        let mut outage = Outage::new("dispatcher");
        let mut lines: Vec<Line> = names.into_iter().map(Line::new).collect();
        let mut pause = Duration::ZERO;
        let mut last_look = Instant::now();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                // While a window is full, each job that lines up behind it says that there is work.
                () = work(&mut called, last_look + BREATH), if pause > BREATH => {}
                () = room(&queues, &windows, &lines), if pause > BREATH => {}
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
                    outage.over();
                    if moved { BREATH } else { TICK }
                }
                Err(error) => outage.failed(&error),
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

/// A queue, and the lane behind which the next look begins.
struct Line {
    queue: QueueName,
    behind: Option<Lane>,
    marks: Marks,
    /// The last look left jobs in the backlog, because the window was full.
    waits_for_room: bool,
    /// Bytes of a job, as far as is known: by it the next rows are counted before they are read.
    job_bytes: u64,
    /// Until then nobody needs to look, unless somebody calls.
    rests_until: Option<Instant>,
}

impl Line {
    fn new(queue: QueueName) -> Self {
        Self {
            queue,
            behind: None,
            marks: Marks::new(),
            waits_for_room: false,
            job_bytes: FIRST_BYTES,
            rests_until: None,
        }
    }

    /// How many of the next rows to take, when the window has room for so many bytes.
    fn fitting(&self, bytes: u64) -> u64 {
        (bytes.min(BATCH_BYTES) / self.job_bytes).clamp(1, BATCH)
    }

    /// Learns from the rows that were taken. Larger ones are believed at once.
    fn saw(&mut self, jobs: u64, bytes: u64) {
        if let Some(mean) = bytes.checked_div(jobs) {
            self.job_bytes = mean.max(u64::midpoint(self.job_bytes, mean)).max(1);
        }
    }

    fn rests(&self, windows: &Windows) -> bool {
        let rests = self.rests_until.is_some_and(|until| until > Instant::now());
        rests && !self.waits_for_room && !windows.has_news(&self.queue)
    }

    /// Lanes with jobs in the backlog, going on where the last look ended, and whether those are all.
    async fn lanes(&mut self, store: &Store) -> Result<(Vec<Lane>, bool), StoreError> {
        let mut lanes = Vec::new();
        let from_start = self.behind.is_none();
        let mut after = self.behind.take();
        // Between two marks as in a queue without any; at a mark only what is behind it.
        for (marked, last) in self.marks.used() {
            if after.as_ref().is_some_and(|after| *after >= marked) {
                continue;
            }
            after = self.stretch(store, after, Some(&marked), &mut lanes).await?;
            if lanes.len() >= LANES {
                self.behind = after;
                return Ok((lanes, false));
            }
            if store.job_has_next(&self.queue, &marked, last).await? {
                lanes.push(marked.clone());
            }
            after = Some(marked);
        }
        after = self.stretch(store, after, None, &mut lanes).await?;
        if lanes.len() >= LANES {
            self.behind = after;
            return Ok((lanes, false));
        }
        if from_start {
            self.marks.emptied(&lanes);
        }
        Ok((lanes, from_start))
    }

    /// Adds the lanes after one and before another, and returns the last one that it has come to.
    async fn stretch(
        &self,
        store: &Store,
        mut after: Option<Lane>,
        before: Option<&Lane>,
        lanes: &mut Vec<Lane>,
    ) -> Result<Option<Lane>, StoreError> {
        while lanes.len() < LANES {
            let Some(lane) = store.job_next_lane(&self.queue, after.as_ref(), before).await? else {
                break;
            };
            after = Some(lane.clone());
            lanes.push(lane);
        }
        Ok(after)
    }
}

/// Waits until a window that was full has room again, so that it is filled up long before it runs dry. Asks Redis alone,
/// and gives up when that is away.
async fn room(queues: &Queues, windows: &Windows, lines: &[Line]) {
    let WindowSettings { size, bytes, .. } = windows.settings();
    let worth_a_look = size - lane_share::allowance(size);
    let light = bytes - lane_share::allowance(bytes);
    while lines.iter().any(|line| line.waits_for_room) {
        tokio::time::sleep(BREATH).await;
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
    line.marks.begin_look(&windows.begin_look(&queue));
    let result = fill_window(store, queues, windows, line).await;
    // Only a look that saw the end of the backlog may say that nobody waits.
    let emptied = matches!(result, Ok(Filled { emptied: true, .. }));
    windows.end_look(&queue, emptied);
    // A Redis that is full is asked again at the next tick.
    line.waits_for_room = !emptied && result.is_ok() && !windows.is_full(&queue);
    result.map(|filled| filled.moved)
}

struct Filled {
    moved: bool,
    /// The backlog is empty.
    emptied: bool,
}

impl Filled {
    const NOTHING: Self = Self {
        moved: false,
        emptied: false,
    };
}

async fn fill_window(
    store: &Store,
    queues: &Queues,
    windows: &Windows,
    line: &mut Line,
) -> Result<Filled, PartError> {
    if windows.is_full(&line.queue) && !has_room(queues, windows, &line.queue).await? {
        return Ok(Filled::NOTHING);
    }
    let (lanes, all) = line.lanes(store).await?;
    if lanes.is_empty() {
        let (held, _) = queues.waiting(&line.queue, &[]).await?;
        weigh(queues, windows, &line.queue, held).await?;
        return Ok(Filled {
            moved: !all,
            emptied: all,
        });
    }
    let names: Vec<_> = lanes
        .iter()
        .map(|lane| (lane.priority, lane.fairness_key.as_str()))
        .collect();
    // Before rows are taken: they would be on their way to a Redis that takes none.
    if !has_room(queues, windows, &line.queue).await? {
        return Ok(Filled::NOTHING);
    }
    let (held, waiting) = queues.waiting(&line.queue, &names).await?;
    weigh(queues, windows, &line.queue, held).await?;
    let WindowSettings {
        size,
        bytes: most_bytes,
        ..
    } = windows.settings();
    // This process may be about to push some more.
    let held = held + windows.on_their_way(&line.queue);
    let mut moved = false;
    let mut emptied = all;
    for ((lane, waiting), Share(share)) in lanes.iter().zip(&waiting).zip(shares(size, held, &waiting)) {
        let mut left = share;
        loop {
            let bytes_left = most_bytes.saturating_sub(windows.bytes(&line.queue));
            let fitting = match bytes_left {
                // One of a lane that has nobody in Redis, however large the jobs of others are.
                0 => u64::from(*waiting == 0 && left == share),
                bytes => line.fitting(bytes),
            };
            let most = left.min(BATCH).min(fitting);
            if most == 0 {
                emptied = false;
                break;
            }
            let behind = line.marks.of(lane);
            let (taken, bytes) = hand_over(store, queues, windows, &line.queue, lane, behind, most).await?;
            let (count, last) = (taken.len() as u64, taken.last().copied());
            line.saw(count, bytes);
            line.marks.taken(lane, count, last, count < most);
            moved |= count > 0;
            if count < most {
                break;
            }
            left -= most;
        }
    }
    Ok(Filled { moved, emptied })
}

/// Whether Redis takes more jobs of a queue. New ones line up while it does not.
async fn has_room(queues: &Queues, windows: &Windows, queue: &QueueName) -> Result<bool, PartError> {
    let has_room = queues.has_room(queue).await?;
    if windows.is_full(queue) == has_room {
        windows.set_full(queue, !has_room);
        if has_room {
            tracing::info!(%queue, "Redis has room again");
        } else {
            tracing::warn!(%queue, "Redis is full; new jobs wait in the database");
        }
    }
    Ok(has_room)
}

/// Notes how much of a queue Redis holds.
async fn weigh(queues: &Queues, windows: &Windows, queue: &QueueName, held: u64) -> Result<(), PartError> {
    windows.held(queue, held);
    let bytes = if held == 0 {
        None
    } else {
        queues.bytes(queue).await?
    };
    windows.weighs(queue, bytes.unwrap_or_default());
    Ok(())
}

/// Moves jobs of one lane, behind one of them, from the backlog into Redis. Returns up to `most`, in their order, and their
/// bytes.
async fn hand_over(
    store: &Store,
    queues: &Queues,
    windows: &Windows,
    queue: &QueueName,
    lane: &Lane,
    behind: Option<JobId>,
    most: u64,
) -> Result<(Vec<JobId>, u64), PartError> {
    // Before the rows are taken: whoever finds them dispatched and unknown later on knows that this push is over.
    let deadline = queues.deadline(queue, PUSH_WITHIN).await?;
    let jobs = store.job_dispatch(queue, lane, behind, most).await?;
    let envelopes = envelopes(&jobs);
    let bytes = envelopes.iter().map(bytes_of).sum();
    if !envelopes.is_empty() {
        match queues.push_before(deadline, queue, &envelopes).await {
            Ok(pushed) => {
                windows.held(queue, pushed.held);
                windows.came_in(queue, bytes);
                end_refused(queues, queue, &envelopes, &pushed).await?;
            }
            Err(error) => {
                // `reconcile` brings them back.
                if error.is_full() {
                    windows.set_full(queue, true);
                }
                return Err(error.into());
            }
        }
    }
    Ok((jobs.iter().map(|job| job.id).collect(), bytes))
}

/// Ends the jobs of a push that Redis refuses.
pub(crate) async fn end_refused(
    queues: &Queues,
    queue: &QueueName,
    jobs: &[Envelope],
    pushed: &Pushed,
) -> Result<(), jobs::error::Error> {
    for (id, reason) in &pushed.refused {
        tracing::error!(%queue, job = %id, reason, "Redis refuses this job; it is dead");
        for job in jobs.iter().filter(|job| job.id == *id) {
            queues.announce_refused(queue, job, reason).await?;
        }
    }
    Ok(())
}

/// Bytes of a job in Redis, about.
pub(crate) fn bytes_of(job: &Envelope) -> u64 {
    job.input.get().len() as u64 + 256
}

/// What a worker needs of each job.
pub(crate) fn envelopes(jobs: &[Job]) -> Vec<Envelope> {
    jobs.iter().map(Job::envelope).collect()
}
