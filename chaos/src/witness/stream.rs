//! The follower of the event streams. It reads them directly from Redis, keeps what it needs to judge, and notes the rest
//! for a history.
//!
//! Entries that were recorded are dropped from the streams, so a follower that was held up may miss some: it says for
//! how many jobs it saw the end, and the database's trigger, which misses nothing, has the last word.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use chrono::{DateTime, Utc};
use jobs::catalog::{Catalog, FunctionSettings};
use jobs::error::Error;
use jobs::job::{JobId, QueueName};
use jobs::queue::events::{EventBatch, EventId, JobEvent, Outcome, Position, ReturnReason};
use jobs::queue::{Queues, RedisSettings};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::notes::Notes;
use crate::stack::redis::Redis;

/// One read waits so long for news.
const BLOCK: Duration = Duration::from_millis(500);
/// How long it may take to see what has happened already.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Stream {
    seen: Arc<Mutex<Seen>>,
    notes: Notes,
    /// Beats with every read that found nothing new.
    caught_up: watch::Receiver<u64>,
    following: JoinHandle<()>,
}

/// What the follower saw.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) jobs: HashMap<JobId, Story>,
    /// Jobs that were taken from a worker whose lease had lapsed.
    pub(crate) orphaned: u64,
    /// Jobs that a worker gave back when it stopped.
    pub(crate) given_back: u64,
    /// Attempts that failed and were followed by another one.
    pub(crate) retried: u64,
    /// When more jobs were put in at once than events name.
    many_pushed: Vec<DateTime<Utc>>,
}

/// One job, as far as events tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Story {
    /// When it came to an end. More than once is a question of what Redis forgot in between.
    pub(crate) ends: Vec<DateTime<Utc>>,
    /// How it went on after each end, as far as it did.
    pub(crate) again: Vec<Again>,
    /// When it was put in last, if it was named then.
    pushed: Option<DateTime<Utc>>,
}

/// A job that had ended and began once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Again {
    /// When it was put in again, as far as that is known.
    pub(crate) pushed: DateTime<Utc>,
    pub(crate) started: DateTime<Utc>,
}

impl Stream {
    pub(crate) async fn start(redis_url: String, folder: &Path) -> Result<Self> {
        let settings = RedisSettings {
            url: redis_url,
            ..RedisSettings::default()
        };
        let queues = Queues::connect(&settings).await?;
        let names = queue_names()?;
        let seen = Arc::new(Mutex::new(Seen::default()));
        let notes = Notes::create(folder, "events.log")?;
        let (beat, caught_up) = watch::channel(0);
        let following = tokio::spawn(follow(queues, names, Arc::clone(&seen), notes.clone(), beat));
        Ok(Self {
            seen,
            notes,
            caught_up,
            following,
        })
    }

    /// Waits until it has seen what there is, and tells what that was.
    pub(crate) async fn end(mut self, redis: &Redis) -> Result<Seen> {
        drop(redis.connect().context("Redis is away at the end")?);
        let begin = Instant::now();
        self.caught_up.mark_unchanged();
        // The read that is under way may have begun before the last event; the next one has not.
        for _ in 0..2 {
            let left = PATIENCE.saturating_sub(begin.elapsed());
            let beat = tokio::time::timeout(left, self.caught_up.changed()).await;
            ensure!(
                matches!(beat, Ok(Ok(()))),
                "the follower of the events did not come to their end"
            );
        }
        self.following.abort();
        self.notes.flush();
        Ok(self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

/// The queues of the functions that there are.
pub(crate) fn queue_names() -> Result<Vec<QueueName>> {
    let catalog = Catalog::new(&FunctionSettings::default()).context("the catalog of functions")?;
    Ok(catalog.queues())
}

async fn follow(
    queues: Queues,
    names: Vec<QueueName>,
    seen: Arc<Mutex<Seen>>,
    notes: Notes,
    beat: watch::Sender<u64>,
) {
    let mut last: HashMap<QueueName, EventId> = HashMap::new();
    let mut tail = queues.tail(&names, Some(beginning(&names)));
    loop {
        match tail.next(BLOCK).await {
            Ok(batches) if batches.is_empty() => beat.send_modify(|beat| *beat += 1),
            Ok(batches) => {
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                for batch in batches {
                    let last = last.entry(batch.queue.clone()).or_default();
                    // After it has begun anew it is given what it has seen: ids rise with the time.
                    if batch.id > *last {
                        *last = batch.id;
                        seen.take(&batch, &notes);
                    }
                }
            }
            Err(Error::Expired) => {
                notes.note("the follower of the events lost its place");
                tail = queues.tail(&names, Some(beginning(&names)));
            }
            // Redis is away. Quicker than everybody else, so that nothing is dropped before it was seen.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

/// Before the first entry of every stream.
fn beginning(names: &[QueueName]) -> Position {
    let mut position = Position::default();
    for name in names {
        position.advance(name, EventId::default());
    }
    position
}

impl Seen {
    fn take(&mut self, batch: &EventBatch, notes: &Notes) {
        for event in &batch.events {
            notes.note_at(batch.at, &format!("event {} {event:?}", batch.id));
            self.take_event(event, batch.at);
        }
    }

    fn take_event(&mut self, event: &JobEvent, at: DateTime<Utc>) {
        match event {
            JobEvent::Queued { id, .. } => self.jobs.entry(*id).or_default().pushed = Some(at),
            JobEvent::QueuedMany { .. } => self.many_pushed.push(at),
            JobEvent::Started { id, .. } => self.begun(*id, at),
            JobEvent::Returned { reason, .. } => match reason {
                ReturnReason::Orphaned => self.orphaned += 1,
                ReturnReason::Stopped => self.given_back += 1,
            },
            JobEvent::Finished(finished) => {
                // A short attempt is not announced: that it began is known from its end.
                self.begun(finished.id, finished.started_at);
                match finished.outcome {
                    Outcome::Retrying { .. } => self.retried += 1,
                    Outcome::Completed { .. } | Outcome::Dead { .. } | Outcome::Cancelled => {
                        self.ended(finished.id, at);
                    }
                }
            }
            JobEvent::Cancelled { id, .. } => self.ended(*id, at),
            JobEvent::Promoted { .. } | JobEvent::Noted { .. } | JobEvent::Again { .. } => {}
        }
    }

    fn ended(&mut self, id: JobId, at: DateTime<Utc>) {
        self.jobs.entry(id).or_default().ends.push(at);
    }

    fn begun(&mut self, id: JobId, at: DateTime<Utc>) {
        let story = self.jobs.entry(id).or_default();
        let Some(end) = story.ends.last().copied() else {
            return;
        };
        if story.again.len() < story.ends.len() {
            let named = story.pushed.filter(|pushed| *pushed >= end);
            let unnamed = || self.many_pushed.iter().copied().find(|pushed| *pushed >= end);
            let again = Again {
                pushed: named.or_else(unnamed).unwrap_or(at),
                started: at,
            };
            // Ends that followed each other without a beginning between them had none.
            story.again.resize(story.ends.len(), again);
        }
    }
}

#[cfg(test)]
mod tests {
    use jobs::job::Priority;

    use super::*;

    #[test]
    fn a_job_that_ends_twice_has_two_ends() {
        let id = JobId::new();
        let mut seen = Seen::default();
        let now = Utc::now();
        let cancelled = JobEvent::Cancelled {
            id,
            attempt: 0,
            function: "echo".to_owned(),
        };
        seen.take_event(&cancelled, now);
        seen.take_event(&cancelled, now);
        assert_eq!(seen.jobs[&id].ends, [now, now]);
    }

    #[test]
    fn what_began_once_more_was_put_in_again_before_that() {
        let id = JobId::new();
        let at = |second| DateTime::from_timestamp(second, 0).unwrap();
        let started = |attempt| JobEvent::Started {
            id,
            attempt,
            worker: "w".to_owned(),
            started_at: at(0),
        };
        let cancelled = JobEvent::Cancelled {
            id,
            attempt: 1,
            function: "echo".to_owned(),
        };
        let queued = JobEvent::Queued {
            id,
            function: "echo".to_owned(),
            input: None,
            run_at: None,
            max_attempts: 1,
            priority: Priority::STANDARD,
            fairness_key: None,
            tags: Vec::new(),
        };
        let mut seen = Seen::default();
        seen.take_event(&queued, at(1));
        seen.take_event(&started(1), at(2));
        assert!(seen.jobs[&id].again.is_empty());
        seen.take_event(&cancelled, at(3));
        seen.take_event(&queued, at(4));
        seen.take_event(&started(1), at(5));
        seen.take_event(&started(2), at(6));
        let again = |pushed, started| Again {
            pushed: at(pushed),
            started: at(started),
        };
        assert_eq!(seen.jobs[&id].again, [again(4, 5)]);
        seen.take_event(&cancelled, at(7));
        seen.take_event(&JobEvent::QueuedMany { count: 60 }, at(8));
        seen.take_event(&started(1), at(9));
        seen.take_event(&cancelled, at(10));
        seen.take_event(&started(1), at(11));
        let expected = [again(4, 5), again(8, 9), again(11, 11)];
        assert_eq!(seen.jobs[&id].again, expected);
    }
}
