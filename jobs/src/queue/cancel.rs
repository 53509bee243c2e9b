//! Cancels jobs.

use redis::cmd;

use super::{BATCH, Queues, json, scripts};
use crate::error::Error;
use crate::job::{JobId, QueueName};

/// What cancelling a job did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelled {
    /// Redis does not hold the job.
    NotHere,
    /// It waited, and has ended.
    Now,
    /// A worker holds it and sees the mark within a second: it stops the job, or does not begin it.
    Marked,
}

/// Workers may come while their list is on its way; more often than this they do not.
const MOST_TRIES: usize = 10;

/// Ids that one call takes out of their lanes, which are searched for each.
const FORGOTTEN_AT_ONCE: u64 = 20;

impl Queues {
    /// Cancels jobs. For each: whether it has ended with this, was marked for its worker, or is not here.
    ///
    /// # Errors
    /// When Redis fails.
    pub async fn cancel(&self, queue: &QueueName, ids: &[JobId]) -> Result<Vec<Cancelled>, Error> {
        let mut done = Vec::with_capacity(ids.len());
        for batch in ids.chunks(BATCH) {
            done.extend(self.cancel_batch(queue, batch).await?);
        }
        Ok(done)
    }

    async fn cancel_batch(&self, queue: &QueueName, ids: &[JobId]) -> Result<Vec<Cancelled>, Error> {
        let keys = self.keys(queue);
        for _ in 0..MOST_TRIES {
            let mut range = cmd("ZRANGE");
            range.arg(keys.workers()).arg(0).arg(-1);
            let workers: Vec<String> = self.connection.command(&range).await?;
            let mut call = scripts::CANCEL.call(&keys.of_queue());
            for worker in &workers {
                call.each_key(keys.running(worker));
            }
            call.arg("worker_names", json(&workers)?);
            for id in ids {
                call.arg("id", id.to_string());
            }
            let reply: Vec<u64> = self.connection.script(&call).await?;
            if reply.len() == ids.len() {
                return Ok(reply.into_iter().map(Cancelled::from_code).collect());
            }
        }
        Err(Error::Protocol(
            "workers come faster than their list can be read".to_owned(),
        ))
    }

    /// Forgets those of these jobs that were cancelled while they waited: until a fetch comes to one it counts as known,
    /// and a push of it changes nothing. For jobs that are to be retried. Returns how many there were.
    ///
    /// # Errors
    /// When Redis fails; some may have been forgotten.
    pub async fn forget(&self, queue: &QueueName, ids: &[JobId]) -> Result<u64, Error> {
        let keys = self.keys(queue);
        let mut forgotten = 0;
        for batch in ids.chunks(BATCH) {
            let mut call = scripts::FORGET.call(&keys.of_queue());
            call.arg("most_taken", FORGOTTEN_AT_ONCE);
            for id in batch {
                call.arg("id", id.to_string());
            }
            loop {
                let some: u64 = self.connection.script(&call).await?;
                forgotten += some;
                if some < FORGOTTEN_AT_ONCE {
                    break;
                }
            }
        }
        Ok(forgotten)
    }
}

impl Cancelled {
    fn from_code(code: u64) -> Self {
        match code {
            1 => Self::Now,
            2 => Self::Marked,
            _ => Self::NotHere,
        }
    }
}
