//! How much there is in a queue, and what is not.

use redis::{cmd, pipe};

use super::keys::Keys;
use super::{BATCH, Queues, scripts};
use crate::error::Error;
use crate::job::{JobId, Priority, QueueName, lane_name};

/// How much there is in a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Depth {
    pub queued: u64,
    /// Waiting for a time: `run_at` or the next attempt.
    pub scheduled: u64,
    /// Held by workers.
    pub running: u64,
    /// Workers whose lease holds.
    pub workers: u64,
    /// Results that came too late and were dropped, ever.
    pub stale_results: u64,
}

impl Queues {
    /// How much there is in a queue.
    ///
    /// # Errors
    /// When Redis fails.
    pub async fn depth(&self, queue: &QueueName) -> Result<Depth, Error> {
        let keys = self.keys(queue);
        let call = scripts::DEPTH.call(&keys.of_queue());
        let reply: (u64, u64, u64, u64, u64, u64) = self.connection.script(&call).await?;
        let (held, scheduled, running, cancelled_in_lanes, stale_results, workers) = reply;
        Ok(Depth {
            queued: held.saturating_sub(scheduled + running + cancelled_in_lanes),
            scheduled,
            running,
            workers,
            stale_results,
        })
    }

    /// How many jobs Redis holds, and how many of each of these lanes (priority and fairness key, empty for none) wait.
    ///
    /// # Errors
    /// When Redis fails.
    pub async fn waiting(
        &self,
        queue: &QueueName,
        lanes: &[(Priority, &str)],
    ) -> Result<(u64, Vec<u64>), Error> {
        let keys = self.keys(queue);
        let mut calls = pipe();
        calls.hlen(keys.jobs());
        for (priority, fairness_key) in lanes {
            calls.llen(keys.lane(&lane_name(*priority, fairness_key)));
        }
        match self.connection.pipeline::<Vec<u64>>(&calls).await {
            Ok(mut counts) => {
                let held = counts.remove(0);
                Ok((held, counts))
            }
            // The key of one lane holds something else: the push of its jobs fails with that, and the others are counted.
            Err(Error::Command(_)) => self.waiting_one_by_one(&keys, lanes).await,
            Err(error) => Err(error),
        }
    }

    async fn waiting_one_by_one(
        &self,
        keys: &Keys,
        lanes: &[(Priority, &str)],
    ) -> Result<(u64, Vec<u64>), Error> {
        let mut length = cmd("HLEN");
        length.arg(keys.jobs());
        let held = self.connection.command(&length).await?;
        let mut counts = Vec::with_capacity(lanes.len());
        for (priority, fairness_key) in lanes {
            let mut length = cmd("LLEN");
            length.arg(keys.lane(&lane_name(*priority, fairness_key)));
            counts.push(match self.connection.command(&length).await {
                Err(Error::Command(_)) => 0,
                length => length?,
            });
        }
        Ok((held, counts))
    }

    /// Bytes that the jobs of a queue take in Redis, about; `None` where it may not be asked.
    ///
    /// # Errors
    /// When Redis fails.
    pub async fn bytes(&self, queue: &QueueName) -> Result<Option<u64>, Error> {
        let mut usage = cmd("MEMORY");
        usage.arg("USAGE").arg(self.keys(queue).jobs());
        usage.arg("SAMPLES").arg(SAMPLES);
        match self.connection.command::<Option<u64>>(&usage).await {
            Ok(bytes) => Ok(Some(bytes.unwrap_or_default())),
            // Some providers forbid the command.
            Err(Error::Command(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether Redis has room for more jobs of a queue.
    ///
    /// # Errors
    /// When Redis fails.
    pub async fn has_room(&self, queue: &QueueName) -> Result<bool, Error> {
        let call = scripts::ROOM.call(&self.keys(queue).of_queue());
        match self.connection.script::<u64>(&call).await {
            Ok(_) => Ok(true),
            Err(Error::Full(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Which of these jobs Redis does not hold: neither waiting, nor scheduled, nor running.
    ///
    /// # Errors
    /// When Redis fails.
    pub async fn unknown(&self, queue: &QueueName, ids: &[JobId]) -> Result<Vec<JobId>, Error> {
        let jobs = self.keys(queue).jobs();
        let mut unknown = Vec::new();
        for batch in ids.chunks(BATCH) {
            let mut calls = pipe();
            for id in batch {
                calls.hexists(&jobs, id.to_string());
            }
            let held: Vec<bool> = self.connection.pipeline(&calls).await?;
            unknown.extend(
                batch
                    .iter()
                    .zip(held)
                    .filter(|(_, held)| !held)
                    .map(|(id, _)| *id),
            );
        }
        Ok(unknown)
    }
}

/// Of so many jobs the size is looked at.
const SAMPLES: usize = 500;
