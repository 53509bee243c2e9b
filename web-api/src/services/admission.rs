//! How many jobs wait in each queue, how fast they go, and whether one more may come: kept counts, looked at every second.
//!
//! Approximate by a second and by what other processes took in meanwhile; nothing that was taken in is ever refused later.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use jobs::clock;
use jobs::job::{JobState, QueueName};

use crate::db::stats::{StatFilter, Step};
use crate::db::{Store, StoreError};

/// What is recent.
pub(crate) const RECENT: TimeDelta = TimeDelta::minutes(5);
/// Between these, whatever the throughput says.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(5);
/// What is told when nothing has ended lately.
const UNKNOWN: Duration = Duration::from_mins(1);

/// What is known of a queue.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Line {
    /// Jobs that wait for a worker, at the last look and since.
    pub waiting: u64,
    /// Jobs that run, as far as they were told to have begun.
    pub running: u64,
    /// Jobs that ended in a second, lately; 0 when none did.
    pub ended_per_second: f64,
    /// How many may wait; any number when it is `None`.
    pub limit: Option<u64>,
}

/// So many wait that no more are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BacklogFull {
    pub queue: QueueName,
    pub limit: u64,
    /// When there is likely room.
    pub retry_after: Duration,
}

/// The queues. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Backlogs {
    lines: Arc<Mutex<HashMap<String, Line>>>,
    /// Jobs that died lately.
    dead: Arc<AtomicU64>,
    /// For queues of which nothing else is said.
    limit: Option<u64>,
}

impl Backlogs {
    pub fn new(limit: Option<u64>) -> Self {
        Self {
            limit,
            ..Self::default()
        }
    }

    /// Looks how many wait, how fast they go and how many may wait.
    pub async fn look(&self, store: &Store) -> Result<(), StoreError> {
        let limits = store.queue_backlog_limits().await?;
        let counts = store.job_counts().await?;
        let now = clock::now();
        let recent = StatFilter {
            step: Step::Minute,
            from: now - RECENT,
            until: now,
            queue: None,
            function: None,
        };
        let seconds = (now - Step::Minute.of(recent.from)).as_seconds_f64();
        let ended = store.stat_list(&recent).await?;
        let mut lines: HashMap<String, Line> = HashMap::new();
        for count in &counts {
            let line = lines.entry(count.queue.to_string()).or_default();
            if count.state == JobState::Queued {
                line.waiting += count.jobs;
            } else if count.state == JobState::Running {
                line.running += count.jobs;
            }
        }
        let dead = ended.iter().map(|stat| stat.counters.dead).sum();
        self.dead.store(dead, Ordering::Relaxed);
        for stat in ended {
            #[expect(clippy::cast_precision_loss, reason = "jobs of some minutes")]
            let jobs = (stat.counters.completed + stat.counters.dead) as f64;
            lines.entry(stat.queue).or_default().ended_per_second += jobs / seconds;
        }
        for (queue, limit) in limits {
            lines.entry(queue).or_default().limit = Some(limit);
        }
        *self.lines.lock().unwrap_or_else(PoisonError::into_inner) = lines;
        Ok(())
    }

    /// What is known of a queue.
    pub fn line(&self, queue: &QueueName) -> Line {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let line = lines.get(queue.as_str()).copied().unwrap_or_default();
        Line {
            limit: line.limit.or(self.limit),
            ..line
        }
    }

    /// Jobs that gave up in the last minutes.
    pub fn dead_lately(&self) -> u64 {
        self.dead.load(Ordering::Relaxed)
    }

    /// The limit of a queue was set, and counts from now on.
    pub fn set_limit(&self, queue: &QueueName, limit: Option<u64>) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.entry(queue.to_string()).or_default().limit = limit;
    }

    /// Takes in so many jobs while fewer wait than may. All of them or none: what arrives in time is taken whole.
    pub fn admit(&self, queue: &QueueName, jobs: u64) -> Result<(), BacklogFull> {
        self.admit_all(&BTreeMap::from([(queue, jobs)]))
    }

    /// The same for jobs of several queues: while one of these is full, none of the jobs is taken.
    pub fn admit_all(&self, jobs: &BTreeMap<&QueueName, u64>) -> Result<(), BacklogFull> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        for queue in jobs.keys() {
            let line = lines.get(queue.as_str()).copied().unwrap_or_default();
            if let Some(limit) = line.limit.or(self.limit).filter(|limit| line.waiting >= *limit) {
                return Err(BacklogFull {
                    queue: (*queue).clone(),
                    limit,
                    retry_after: retry_after(line.waiting - limit + 1, line.ended_per_second),
                });
            }
        }
        for (queue, jobs) in jobs {
            lines.entry(queue.to_string()).or_default().waiting += jobs;
        }
        Ok(())
    }
}

/// When so many too many have gone.
fn retry_after(over: u64, per_second: f64) -> Duration {
    if per_second <= 0.0 {
        return UNKNOWN;
    }
    #[expect(clippy::cast_precision_loss, reason = "no queue has 2^53 jobs")]
    let seconds = (over as f64 / per_second).ceil();
    Duration::try_from_secs_f64(seconds)
        .unwrap_or(LONGEST)
        .clamp(SHORTEST, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_is_what_the_throughput_says_within_bounds() {
        let seconds = |over, per_second| retry_after(over, per_second).as_secs();
        assert_eq!(seconds(100, 10.0), 10);
        assert_eq!(seconds(101, 10.0), 11);
        assert_eq!(seconds(1, 1_000.0), 1);
        assert_eq!(seconds(1_000_000, 0.1), 300);
        assert_eq!(seconds(5, 0.0), 60);
        assert_eq!(seconds(u64::MAX, f64::MIN_POSITIVE), 300);
    }

    #[test]
    fn what_comes_below_the_limit_is_taken_whole_and_what_comes_at_it_is_not() {
        let queue = QueueName::standard();
        let backlogs = Backlogs::new(Some(3));
        assert_eq!(backlogs.admit(&queue, 2), Ok(()));
        assert_eq!(backlogs.admit(&queue, 10), Ok(()));
        let full = backlogs.admit(&queue, 1).unwrap_err();
        assert_eq!((full.limit, full.queue.clone()), (3, queue.clone()));
        backlogs.set_limit(&queue, Some(100));
        assert_eq!(backlogs.admit(&queue, 1), Ok(()));
        assert_eq!(backlogs.line(&queue).waiting, 13);
        assert_eq!(Backlogs::new(None).admit(&queue, 1_000_000), Ok(()));

        let other: QueueName = "other".parse().unwrap();
        backlogs.set_limit(&queue, Some(13));
        let full = backlogs
            .admit_all(&BTreeMap::from([(&other, 5), (&queue, 1)]))
            .unwrap_err();
        assert_eq!(full.queue, queue);
        assert_eq!(backlogs.line(&other).waiting, 0, "nothing was taken in");
    }
}
