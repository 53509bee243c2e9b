//! The jobs that this process holds: which, with what attempt, how to stop them, and how many more it may take.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::job::{JobId, QueueName};
use crate::queue::claims::Claim;

/// Jobs that run for less than this are fetched ahead: the way to Redis would be longer than the work.
const FETCH_AHEAD_BELOW: Duration = Duration::from_millis(5);

/// The weight of the newest run in the running mean of run times.
const NEWEST_WEIGHT: f64 = 0.1;

pub(crate) struct Held {
    concurrency: usize,
    table: Mutex<Table>,
    /// Rings when a job leaves.
    left: Notify,
}

#[derive(Default)]
struct Table {
    jobs: HashMap<JobId, HeldJob>,
    /// Running mean of run times in seconds.
    mean_run: f64,
}

#[derive(Debug, Clone)]
pub(crate) struct HeldJob {
    pub(crate) queue: QueueName,
    pub(crate) attempt: u32,
    pub(crate) stop: CancellationToken,
    /// Stopped because somebody called the job off, which is an outcome.
    called_off: Arc<AtomicBool>,
}

/// The way from those who stop an attempt to the attempt.
#[derive(Debug, Clone)]
pub(crate) struct StopSign {
    pub(crate) stop: CancellationToken,
    called_off: Arc<AtomicBool>,
}

impl StopSign {
    /// The job was called off; without this a stopped attempt has no outcome.
    pub(crate) fn is_called_off(&self) -> bool {
        self.called_off.load(Ordering::SeqCst)
    }
}

impl Held {
    pub(crate) fn new(concurrency: usize) -> Self {
        // Until it knows better it takes jobs for long ones.
        let table = Table {
            jobs: HashMap::new(),
            mean_run: 1.0,
        };
        Self {
            concurrency,
            table: Mutex::new(table),
            left: Notify::new(),
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many more jobs this process may take now.
    pub(crate) fn room(&self) -> usize {
        let table = self.table();
        let ahead = if table.mean_run < FETCH_AHEAD_BELOW.as_secs_f64() {
            self.concurrency
        } else {
            0
        };
        (self.concurrency + ahead).saturating_sub(table.jobs.len())
    }

    /// Waits until there is room.
    pub(crate) async fn wait_for_room(&self) {
        loop {
            let left = self.left.notified();
            if self.room() > 0 {
                return;
            }
            left.await;
        }
    }

    /// Notes a claim. When the job is here already, with an attempt that was taken over in the meantime, that one is
    /// stopped and the new one takes its place.
    pub(crate) fn add(&self, claim: &Claim) -> StopSign {
        let stop = CancellationToken::new();
        let called_off = Arc::<AtomicBool>::default();
        let job = HeldJob {
            queue: claim.queue.clone(),
            attempt: claim.attempt,
            stop: stop.clone(),
            called_off: Arc::clone(&called_off),
        };
        if let Some(before) = self.table().jobs.insert(claim.id, job) {
            before.stop.cancel();
        }
        StopSign { stop, called_off }
    }

    /// Calls a job off, if it is here.
    pub(crate) fn call_off(&self, id: JobId) {
        if let Some(job) = self.table().jobs.get(&id) {
            job.called_off.store(true, Ordering::SeqCst);
            job.stop.cancel();
        }
    }

    /// Forgets a job, if it is still here with this attempt.
    pub(crate) fn remove(&self, id: JobId, attempt: u32) -> Option<HeldJob> {
        let removed = match self.table().jobs.entry(id) {
            Entry::Occupied(entry) if entry.get().attempt == attempt => Some(entry.remove()),
            Entry::Occupied(_) | Entry::Vacant(_) => None,
        };
        if removed.is_some() {
            self.left.notify_waiters();
            self.left.notify_one();
        }
        removed
    }

    pub(crate) fn snapshot(&self) -> HashMap<JobId, HeldJob> {
        self.table().jobs.clone()
    }

    pub(crate) fn len(&self) -> usize {
        self.table().jobs.len()
    }

    /// Learns how long a job ran.
    pub(crate) fn ran(&self, time: Duration) {
        let mut table = self.table();
        table.mean_run += (time.as_secs_f64() - table.mean_run) * NEWEST_WEIGHT;
    }

    /// Calls off everything.
    pub(crate) fn stop_all(&self) {
        for job in self.table().jobs.values() {
            job.stop.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(id: JobId, attempt: u32) -> Claim {
        Claim {
            queue: QueueName::standard(),
            id,
            attempt,
            envelope: Err(String::new()),
        }
    }

    #[test]
    fn short_jobs_are_fetched_ahead_and_long_ones_are_not() {
        let held = Held::new(10);
        assert_eq!(held.room(), 10);
        for _ in 0..100 {
            held.ran(Duration::from_micros(50));
        }
        assert_eq!(held.room(), 20);
        held.ran(Duration::from_secs(5));
        assert_eq!(held.room(), 10);
    }

    #[test]
    fn a_newer_attempt_stops_the_older_one_and_keeps_its_place() {
        let held = Held::new(10);
        let id = JobId::new();
        let first = held.add(&claim(id, 1));
        let second = held.add(&claim(id, 2));
        assert!(first.stop.is_cancelled() && !second.stop.is_cancelled());
        assert!(held.remove(id, 1).is_none());
        assert_eq!(held.len(), 1);
        assert!(held.remove(id, 2).is_some());
        assert_eq!(held.room(), 10);
    }

    #[tokio::test]
    async fn who_waits_for_room_is_woken_when_a_job_leaves() {
        let held = Arc::new(Held::new(1));
        let id = JobId::new();
        held.add(&claim(id, 1));
        let waiting = tokio::spawn({
            let held = Arc::clone(&held);
            async move { held.wait_for_room().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        held.remove(id, 1);
        tokio::time::timeout(Duration::from_secs(5), waiting)
            .await
            .unwrap()
            .unwrap();
    }
}
