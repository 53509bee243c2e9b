//! What the dispatcher remembers of a queue between two passes.

use jobs::job::QueueName;
use tokio::time::Instant;

use super::marks::Marks;
use crate::db::jobs::dispatch::Lane;
use crate::db::{Store, StoreError};
use crate::services::dispatcher::window::Windows;

/// Rows in one statement.
const BATCH: u64 = 500;
/// Bytes of inputs that are read for one statement, approximately.
const BATCH_BYTES: u64 = 16 << 20;
/// The assumed size of a job before the first ones of its queue have been read.
const FIRST_BYTES: u64 = 512 << 10;
/// Lanes served in one pass; the next pass goes on after them.
const LANES: usize = 64;

/// A queue, and the lane after which the next pass begins.
pub(super) struct Line {
    pub(super) queue: QueueName,
    pub(super) behind: Option<Lane>,
    pub(super) marks: Marks,
    /// The last pass left jobs in the backlog, because the window was full.
    pub(super) waits_for_room: bool,
    /// The estimated bytes of a job, from which the number of rows to read is computed.
    pub(super) job_bytes: u64,
    /// Without a notification, the queue is not polled before this time.
    pub(super) rests_until: Option<Instant>,
}

impl Line {
    pub(super) fn new(queue: QueueName) -> Self {
        Self {
            queue,
            behind: None,
            marks: Marks::new(),
            waits_for_room: false,
            job_bytes: FIRST_BYTES,
            rests_until: None,
        }
    }

    /// How many rows to take next, when the window has room for this many bytes.
    pub(super) fn fitting(&self, bytes: u64) -> u64 {
        (bytes.min(BATCH_BYTES) / self.job_bytes).clamp(1, BATCH)
    }

    /// Updates the estimate from the rows that were taken. A larger size is adopted at once.
    pub(super) fn saw(&mut self, jobs: u64, bytes: u64) {
        if let Some(mean) = bytes.checked_div(jobs) {
            self.job_bytes = mean.max(u64::midpoint(self.job_bytes, mean)).max(1);
        }
    }

    pub(super) fn rests(&self, windows: &Windows) -> bool {
        let rests = self.rests_until.is_some_and(|until| until > Instant::now());
        rests && !self.waits_for_room && !windows.has_news(&self.queue)
    }

    /// Lanes with jobs in the backlog, going on where the last pass ended, and whether these are all of them.
    pub(super) async fn lanes(&mut self, store: &Store) -> Result<(Vec<Lane>, bool), StoreError> {
        let mut lanes = Vec::new();
        let from_start = self.behind.is_none();
        let mut after = self.behind.take();
        // Between two marks, lanes are found as without marks; at a mark, only what comes after it counts.
        for (marked, last) in self.marks.used() {
            if after.as_ref().is_some_and(|after| *after >= marked) {
                continue;
            }
            after = self
                .lanes_between(store, after, Some(&marked), &mut lanes)
                .await?;
            if lanes.len() >= LANES {
                self.behind = after;
                return Ok((lanes, false));
            }
            if store.job_has_next(&self.queue, &marked, last).await? {
                lanes.push(marked.clone());
            }
            after = Some(marked);
        }
        after = self.lanes_between(store, after, None, &mut lanes).await?;
        if lanes.len() >= LANES {
            self.behind = after;
            return Ok((lanes, false));
        }
        if from_start {
            self.marks.emptied(&lanes);
        }
        Ok((lanes, from_start))
    }

    /// Adds the lanes between two given ones, and returns the last one that was found.
    async fn lanes_between(
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
