//! Which workers serve a queue, and what they report of themselves.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use redis::{cmd, pipe};
use serde::{Deserialize, Serialize};

use super::Queues;
use crate::error::Error;
use crate::job::QueueName;

/// Workers of one queue that are listed at most.
const MOST: isize = 1_000;

/// What a worker reports of itself with each heartbeat. Old ones report less: a new field needs a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    pub pid: u32,
    pub version: String,
    pub started_at: DateTime<Utc>,
    /// When it reported this, by its own clock.
    #[serde(default)]
    pub at: Option<DateTime<Utc>>,
    /// Jobs that it runs at the same time, of all its queues.
    pub concurrency: usize,
    /// Jobs that it holds, of all its queues.
    pub held: usize,
    /// Percent of one core that it has used since its last report: 200 for two cores.
    #[serde(default)]
    pub cpu_percent: Option<u32>,
    /// The memory that it takes up now.
    #[serde(default)]
    pub memory_bytes: Option<u64>,
}

/// A worker, as one queue sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    pub name: String,
    /// `None` when it has reported nothing that this version can read.
    pub about: Option<About>,
    /// False when its lease is over: its jobs are taken over by others.
    pub alive: bool,
    /// Jobs of this queue that it runs.
    pub running: u64,
}

impl Queues {
    /// The names of the workers whose lease holds, of 10,000 at most.
    ///
    /// # Errors
    /// When Redis fails.
    pub(crate) async fn worker_names(&self, queue: &QueueName) -> Result<Vec<String>, Error> {
        let now = self.now(queue).await?.timestamp_millis();
        let mut range = cmd("ZRANGEBYSCORE");
        range.arg(self.keys(queue).workers()).arg(now).arg("+inf");
        range.arg("LIMIT").arg(0).arg(10_000);
        self.connection.command(&range).await
    }

    /// The workers that serve a queue, alive or not.
    ///
    /// # Errors
    /// When Redis fails.
    pub async fn workers(&self, queue: &QueueName) -> Result<Vec<Worker>, Error> {
        let keys = self.keys(queue);
        let now = self.now(queue).await?.timestamp_millis();
        let mut look = pipe();
        look.zrange_withscores(keys.workers(), 0, MOST - 1)
            .hgetall(keys.worker_info());
        let (leases, about): (Vec<(String, f64)>, HashMap<String, String>) =
            self.connection.pipeline(&look).await?;
        if leases.is_empty() {
            return Ok(Vec::new());
        }
        let mut look = pipe();
        for (name, _) in &leases {
            look.hlen(keys.running(name));
        }
        let running: Vec<u64> = self.connection.pipeline(&look).await?;
        let workers = leases
            .into_iter()
            .zip(running)
            .map(|((name, lease), running)| Worker {
                about: about.get(&name).and_then(|text| serde_json::from_str(text).ok()),
                #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are exact")]
                alive: lease > now as f64,
                running,
                name,
            });
        Ok(workers.collect())
    }
}
