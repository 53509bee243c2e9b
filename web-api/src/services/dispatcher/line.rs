//! What the dispatcher remembers of a queue between two looks.

use jobs::job::QueueName;
use tokio::time::Instant;

use super::marks::Marks;
use crate::db::jobs::dispatch::Lane;
use crate::db::{Store, StoreError};
use crate::services::dispatcher::window::Windows;

/// Rows in one statement.
const BATCH: u64 = 500;
/// Bytes of inputs that are read for one statement, about.
const BATCH_BYTES: u64 = 16 << 20;
/// What a job is taken for before the first ones of its queue have been seen.
const FIRST_BYTES: u64 = 512 << 10;
/// Lanes served in one look; the next look goes on behind them.
const LANES: usize = 64;

/// A queue, and the lane behind which the next look begins.
pub(super) struct Line {
    pub(super) queue: QueueName,
    pub(super) behind: Option<Lane>,
    pub(super) marks: Marks,
    /// The last look left jobs in the backlog, because the window was full.
    pub(super) waits_for_room: bool,
    /// Bytes of a job, as far as is known: by it the next rows are counted before they are read.
    pub(super) job_bytes: u64,
    /// Until then nobody needs to look, unless somebody calls.
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

    /// How many of the next rows to take, when the window has room for so many bytes.
    pub(super) fn fitting(&self, bytes: u64) -> u64 {
        (bytes.min(BATCH_BYTES) / self.job_bytes).clamp(1, BATCH)
    }

    /// Learns from the rows that were taken. Larger ones are believed at once.
    pub(super) fn saw(&mut self, jobs: u64, bytes: u64) {
        if let Some(mean) = bytes.checked_div(jobs) {
            self.job_bytes = mean.max(u64::midpoint(self.job_bytes, mean)).max(1);
        }
    }

    pub(super) fn rests(&self, windows: &Windows) -> bool {
        let rests = self.rests_until.is_some_and(|until| until > Instant::now());
        rests && !self.waits_for_room && !windows.has_news(&self.queue)
    }

    /// Lanes with jobs in the backlog, going on where the last look ended, and whether those are all.
    pub(super) async fn lanes(&mut self, store: &Store) -> Result<(Vec<Lane>, bool), StoreError> {
        let mut lanes = Vec::new();
        let from_start = self.behind.is_none();
        let mut after = self.behind.take();
        // Between two marks as in a queue without any; at a mark only what is behind it.
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

    /// Adds the lanes after one and before another, and returns the last one that it has come to.
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
