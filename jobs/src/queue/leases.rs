//! The worker's side of a queue: take jobs under a lease, end their attempts, give them back, rescue those of workers
//! that vanished.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use redis::{FromRedisValue, Value, cmd};
use tokio::time::Instant;

use super::events::Finished;
use super::events::codec::EncodedReport;
use super::memo::MemoEntry;
use super::notify::Wakes;
use super::outputs;
use super::{Queues, json, millis, now_ms, scripts};
use crate::error::Error;
use crate::job::{Envelope, JobId, QueueName};
use crate::output::shorten;

mod begin;
mod ended;

pub(crate) use super::scripts::BATCH;
pub(crate) use begin::{MayBegin, Room};
pub(crate) use ended::{Disposition, Ended, Keep};

use ended::events_of;

/// Workers whose jobs are taken over in one round.
const LAPSED_AT_ONCE: usize = 10;

/// A job that this worker holds.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) queue: QueueName,
    pub(crate) id: JobId,
    pub(crate) attempt: u32,
    /// `Err` when what lies in Redis is no envelope that this version can read.
    pub(crate) envelope: Result<Envelope, String>,
    /// The length of the envelope as it lies in Redis.
    pub(crate) bytes: usize,
    /// It was held by a worker that vanished, and may have been the reason.
    pub(crate) suspect: bool,
    /// Before Redis was asked for it: until a lease after that the job is this worker's for certain.
    pub(crate) asked_at: Instant,
}

#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) claims: Vec<Claim>,
    /// How long until the next scheduled job is due.
    pub(crate) next_due: Option<Duration>,
    /// The queue has limits: it gives no jobs that would have to wait for a place.
    pub(crate) limited: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rescued {
    /// Their attempt counts.
    pub(crate) queued_again: u64,
    pub(crate) dead: u64,
    pub(crate) more: bool,
    /// They had not begun: their attempt does not count.
    pub(crate) not_begun: u64,
}

/// One worker's link to its queues.
#[derive(Clone)]
pub(crate) struct Claims {
    pub(crate) queues: Queues,
    worker: Arc<str>,
    lease: Duration,
}

impl Claims {
    pub(crate) fn new(queues: Queues, worker: &str, lease: Duration) -> Self {
        Self {
            queues,
            worker: Arc::from(worker),
            lease,
        }
    }

    pub(crate) fn worker(&self) -> &str {
        &self.worker
    }

    /// Takes jobs. When this fails the jobs may be taken all the same: [`Self::heartbeat`] shows them.
    pub(crate) async fn fetch(&self, queue: &QueueName, room: Room) -> Result<Fetched, Error> {
        let asked_at = Instant::now();
        let keys = self.queues.keys(queue);
        let mut call = scripts::FETCH.call(&keys.of_worker(&self.worker));
        call.arg("worker", &*self.worker)
            .arg("most_jobs", room.most.min(BATCH))
            .arg("lease_ms", millis(self.lease))
            .arg("most_bytes", self.queues.settings.call_bytes)
            .arg("free_places", room.places)
            .arg("may_take_suspect", u8::from(room.suspect));
        let reply: Vec<Value> = self.queues.connection.script(&call).await?;

        let mut reply = reply.into_iter();
        let next_due: i64 = read(reply.next())?;
        let limited = read(reply.next())?;
        let mut suspect = read(reply.next())?;
        let mut claims = Vec::with_capacity(reply.len() / 3);
        let mut unreadable = Vec::new();
        while let Some(id) = reply.next() {
            let id: Vec<u8> = read(Some(id))?;
            let attempt: Vec<u8> = read(reply.next())?;
            let envelope: Vec<u8> = read(reply.next())?;
            // One that cannot be read must not keep the others from being run.
            let Some((id, attempt)) = number_of(&id, &attempt) else {
                unreadable.push(id);
                continue;
            };
            let bytes = envelope.len();
            let envelope = Envelope::read(id, &envelope)
                .map_err(|error| format!("the job in Redis cannot be read: {error}"));
            claims.push(Claim {
                queue: queue.clone(),
                id,
                attempt,
                envelope,
                bytes,
                suspect: std::mem::take(&mut suspect),
                asked_at,
            });
        }
        self.discard(queue, unreadable).await;
        Ok(Fetched {
            claims,
            next_due: u64::try_from(next_due).ok().map(Duration::from_millis),
            limited,
        })
    }

    /// Records how attempts of one queue ended, at most [`BATCH`] of them. For each: whether it counted, or came too
    /// late. May be called again when it failed: what counted the first time is then "too late".
    ///
    /// # Errors
    /// [`Error::Full`] when one of them needs room; nothing has happened then.
    pub(crate) async fn finish(&self, queue: &QueueName, ended: &[Ended]) -> Result<Vec<bool>, Error> {
        let keys = self.queues.keys(queue);
        let script = if ended.iter().any(Ended::needs_room) {
            &scripts::FINISH_WITH_ROOM
        } else {
            &scripts::FINISH
        };
        let time_bucket = self.queues.time_bucket(queue).await?;
        let mut call = script.call(&keys.of_outputs(&self.worker, time_bucket));
        let ttl = self.queues.ttl_ms();
        let (events, ends) = events_of(ended)?;
        call.arg("worker", &*self.worker)
            .arg("outputs_ttl_ms", ttl + ttl / outputs::BUCKETS_PER_TTL)
            .arg("events_json", events);
        for (ended, end) in ended.iter().zip(ends) {
            let Finished { id, attempt, .. } = ended.finished;
            call.arg("id", id.to_string()).arg("attempt", attempt);
            match ended.disposition {
                Disposition::Forget => call.arg("disposition", "end"),
                Disposition::Retry(wait) => call.arg("disposition", millis(wait)),
                Disposition::Park => call.arg("disposition", "park"),
            };
            call.arg("event_end", end);
            match &ended.keep {
                Keep::Output(bytes) => call.arg("output", bytes),
                Keep::Nothing | Keep::Memo(_) => call.arg("output", ""),
            };
        }
        let counted: Vec<u64> = self.queues.connection.script(&call).await?;
        Ok(counted.into_iter().map(|counted| counted == 1).collect())
    }

    /// Keeps values for later jobs of the same input.
    pub(crate) async fn memo_put(
        &self,
        queue: &QueueName,
        function: &str,
        entries: &[MemoEntry],
    ) -> Result<(), Error> {
        self.queues.memo_put(queue, function, entries).await
    }

    /// Gives jobs back unfinished, to be fetched again after a wait; their attempts do not count. Those without a wait go
    /// to the front in the order in which they are named; those that were cancelled meanwhile end. Returns how many this
    /// worker still held.
    pub(crate) async fn give_back(
        &self,
        queue: &QueueName,
        jobs: &[(JobId, u32)],
        wait: Duration,
    ) -> Result<u64, Error> {
        let keys = self.queues.keys(queue);
        let mut given = 0;
        // Each batch goes before the one that was given back before it.
        for batch in jobs.chunks(BATCH).rev() {
            let mut call = scripts::GIVE_BACK.call(&keys.of_worker(&self.worker));
            call.arg("worker", &*self.worker).arg("wait_ms", millis(wait));
            for (id, attempt) in batch {
                call.arg("id", id.to_string()).arg("attempt", attempt);
            }
            given += self.queues.connection.script::<u64>(&call).await?;
        }
        Ok(given)
    }

    /// Reports progress and log lines of running attempts of one queue. Those of attempts that this worker has lost are
    /// dropped.
    pub(crate) async fn report(&self, queue: &QueueName, reports: &[EncodedReport]) -> Result<(), Error> {
        let keys = self.queues.keys(queue);
        let mut reports = reports.iter().peekable();
        while reports.peek().is_some() {
            let mut call = scripts::REPORT.call(&keys.of_worker(&self.worker));
            call.arg("worker", &*self.worker);
            let mut bytes = 0;
            for report in reports.by_ref().take(BATCH) {
                let text = json(report)?;
                bytes += text.len();
                call.arg("id", report.0.to_string())
                    .arg("attempt", report.1)
                    .arg("report", text);
                if bytes >= self.queues.settings.call_bytes {
                    break;
                }
            }
            self.queues.connection.script::<u64>(&call).await?;
        }
        Ok(())
    }

    /// Renews the lease and returns what Redis counts as held by this worker.
    pub(crate) async fn heartbeat(&self, queue: &QueueName, info: &str) -> Result<Vec<(JobId, u32)>, Error> {
        let keys = self.queues.keys(queue);
        let mut call = scripts::HEARTBEAT.call(&keys.of_worker(&self.worker));
        call.arg("worker", &*self.worker)
            .arg("lease_ms", millis(self.lease))
            .arg("info", info);
        let reply: Vec<(Vec<u8>, Vec<u8>)> = self.queues.connection.script_twice(&call).await?;
        let mut held = Vec::with_capacity(reply.len());
        let mut unreadable = Vec::new();
        for (id, attempt) in reply {
            match number_of(&id, &attempt) {
                Some(job) => held.push(job),
                None => unreadable.push(id),
            }
        }
        self.discard(queue, unreadable).await;
        Ok(held)
    }

    /// Removes ids that cannot be read from the queue: no worker could run or end them, and each fetch and heartbeat would
    /// return them again. Only the log names them.
    async fn discard(&self, queue: &QueueName, ids: Vec<Vec<u8>>) {
        let keys = self.queues.keys(queue);
        for ids in ids.chunks(BATCH) {
            for id in ids {
                let id = shorten(&String::from_utf8_lossy(id), 100, 40);
                tracing::error!(%queue, id, "removed an entry of the queue that is no job: its id or attempt cannot be read");
            }
            let mut call = scripts::DISCARD.call(&keys.of_worker(&self.worker));
            for id in ids {
                call.arg("id", id);
            }
            if let Err(error) = self.queues.connection.script::<u64>(&call).await {
                // The next heartbeat returns them again.
                tracing::debug!(%queue, %error, "could not remove entries that are no jobs");
            }
        }
    }

    /// The jobs of a queue whose cancellation was requested while they ran.
    pub(crate) async fn cancel_requested(&self, queue: &QueueName) -> Result<Vec<JobId>, Error> {
        let mut keys = cmd("HKEYS");
        keys.arg(self.queues.keys(queue).cancel_requested());
        let ids: Vec<Vec<u8>> = self.queues.connection.command(&keys).await?;
        // Of what is no id there is no job to stop.
        Ok(ids
            .iter()
            .filter_map(|id| std::str::from_utf8(id).ok()?.parse().ok())
            .collect())
    }

    /// Removes this worker from the list. False when Redis counts jobs as held by it.
    pub(crate) async fn leave(&self, queue: &QueueName) -> Result<bool, Error> {
        let keys = self.queues.keys(queue);
        let mut call = scripts::LEAVE.call(&keys.of_worker(&self.worker));
        call.arg("worker", &*self.worker);
        self.queues.connection.script(&call).await
    }

    /// Workers whose lease has lapsed, this one never.
    pub(crate) async fn lapsed(&self, queue: &QueueName) -> Result<Vec<String>, Error> {
        let mut call = scripts::LAPSED.call(&self.queues.keys(queue).of_queue());
        call.arg("most_names", LAPSED_AT_ONCE);
        let mut lapsed: Vec<String> = self.queues.connection.script(&call).await?;
        lapsed.retain(|worker| **worker != *self.worker);
        Ok(lapsed)
    }

    /// Puts jobs of a worker whose lease has lapsed back into the queue; `None` when it has not.
    pub(crate) async fn rescue(&self, queue: &QueueName, worker: &str) -> Result<Option<Rescued>, Error> {
        let keys = self.queues.keys(queue);
        let mut call = scripts::RESCUE.call(&keys.of_worker(worker));
        call.arg("worker", worker).arg("most_jobs", BATCH);
        let reply: Vec<u64> = self.queues.connection.script(&call).await?;
        Ok(match *reply {
            [queued_again, dead, more, not_begun] => Some(Rescued {
                queued_again,
                dead,
                more: more == 1,
                not_begun,
            }),
            _ => None,
        })
    }

    /// Bytes that one call carries, about.
    pub(crate) fn call_bytes(&self) -> usize {
        self.queues.settings.call_bytes
    }

    /// True when one queue may be away while another is there.
    pub(crate) fn queues_are_apart(&self) -> bool {
        self.queues.connection.is_apart()
    }

    /// Listens to the wake lists of these queues.
    pub(crate) fn wakes(&self, queues: &[QueueName]) -> Wakes {
        Wakes::new(&self.queues, queues)
    }
}

/// The id and the attempt of a job as they lie in Redis.
fn number_of(id: &[u8], attempt: &[u8]) -> Option<(JobId, u32)> {
    let id = std::str::from_utf8(id).ok()?.parse().ok()?;
    let attempt = std::str::from_utf8(attempt).ok()?.parse().ok()?;
    Some((id, attempt))
}

fn read<T: FromRedisValue>(value: Option<Value>) -> Result<T, Error> {
    let value = value.ok_or_else(|| Error::Protocol("a reply that is too short".to_owned()))?;
    redis::from_redis_value(value).map_err(|error| Error::Protocol(error.to_string()))
}

/// Now, to the millisecond that events and rows keep.
pub(crate) fn now() -> DateTime<Utc> {
    DateTime::from_timestamp_millis(i64::try_from(now_ms()).unwrap_or_default()).unwrap_or_default()
}
