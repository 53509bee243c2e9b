//! Changes jobs that wait: another input, or their time is now.

use redis::cmd;

use super::{BATCH, Queues, json, scripts};
use crate::error::Error;
use crate::job::{Envelope, JobId, QueueName};

/// What an edit did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edited {
    /// Redis does not hold the job.
    NotHere,
    /// It has the new envelope.
    Done,
    /// A worker has it: nothing was changed.
    Runs,
}

/// Workers may come while their list is on its way; more often than this they do not.
const MOST_TRIES: usize = 10;

impl Queues {
    /// Makes jobs that wait for their time due now. For each: whether it did, which one that waits for a worker, runs or
    /// is not here does not.
    ///
    /// # Errors
    /// When Redis fails.
    pub async fn run_now(&self, queue: &QueueName, ids: &[JobId]) -> Result<Vec<bool>, Error> {
        let keys = self.keys(queue);
        let mut due = Vec::with_capacity(ids.len());
        for batch in ids.chunks(BATCH) {
            let mut call = scripts::RUN_NOW.call(&keys.of_queue());
            for id in batch {
                call.arg("id", id.to_string());
            }
            let reply: Vec<u64> = self.connection.script(&call).await?;
            due.extend(reply.into_iter().map(|code| code == 1));
        }
        Ok(due)
    }

    /// Gives a job that waits another envelope of the same lane and time.
    ///
    /// # Errors
    /// When Redis fails.
    pub async fn edit(&self, queue: &QueueName, job: &Envelope) -> Result<Edited, Error> {
        let keys = self.keys(queue);
        for _ in 0..MOST_TRIES {
            let mut range = cmd("ZRANGE");
            range.arg(keys.workers()).arg(0).arg(-1);
            let workers: Vec<String> = self.connection.command(&range).await?;
            let mut call = scripts::EDIT.call(&keys.of_queue());
            for worker in &workers {
                call.each_key(keys.running(worker));
            }
            call.arg("worker_names", json(&workers)?)
                .arg("id", job.id.to_string())
                .arg("envelope", json(job)?);
            match self.connection.script::<i64>(&call).await? {
                0 => return Ok(Edited::NotHere),
                1 => return Ok(Edited::Done),
                2 => return Ok(Edited::Runs),
                _ => {}
            }
        }
        Err(Error::Protocol(
            "workers come faster than their list can be read".to_owned(),
        ))
    }
}
