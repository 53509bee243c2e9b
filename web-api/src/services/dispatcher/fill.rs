//! Fills the window of one queue: moves jobs from the backlog into Redis.

use jobs::{job::QueueName, queue::Queues};

use super::hand_over::hand_over;
use super::lane_share::{Share, shares};
use super::line::Line;
use crate::db::Store;
use crate::services::dispatcher::window::{WindowSettings, Windows};
use crate::services::retry_loop::PartError;

/// Rows in one statement.
const BATCH: u64 = 500;

pub(super) async fn fill(
    store: &Store,
    queues: &Queues,
    windows: &Windows,
    line: &mut Line,
) -> Result<bool, PartError> {
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
