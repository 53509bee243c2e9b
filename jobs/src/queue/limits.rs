//! What a queue allows: whether its jobs run at all, how many at the same time, and how many in a time, over all workers.

use std::time::Duration;

use redis::{cmd, pipe};

use super::{Queues, millis, scripts};
use crate::error::Error;
use crate::job::QueueName;

/// The limits of one queue, the same for all workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Nothing is handed to workers; what runs goes on.
    pub paused: bool,
    /// Jobs that run at the same time.
    pub concurrency: Option<u32>,
    pub rate: Option<RateLimit>,
}

/// So many jobs in a time, by a token bucket: it fills evenly, and holds what is saved up for a burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Jobs in each `period`; at least 1.
    pub jobs: u32,
    /// At least a millisecond.
    pub period: Duration,
    /// Jobs that may start at once after a quiet time; at least 1.
    pub burst: u32,
}

const NAMES: [&str; 5] = ["paused", "concurrency", "rate", "rate_ms", "burst"];

/// As they lie in Redis: paused, concurrency, and the rate's jobs, period in ms, burst.
type Fields = (Option<u8>, Option<u32>, Option<u32>, Option<u64>, Option<u32>);

impl Queues {
    /// What the queue allows.
    ///
    /// # Errors
    /// When Redis fails.
    pub async fn limits(&self, queue: &QueueName) -> Result<Limits, Error> {
        let mut get = cmd("HMGET");
        get.arg(self.keys(queue).limits()).arg(&NAMES);
        self.connection.command(&get).await.map(limits_of)
    }

    /// The same; `None` when nobody has set it since the queue came into being, or came back empty. What is pushed with
    /// a deadline until then is handed out when it is set.
    ///
    /// # Errors
    /// When Redis fails.
    pub async fn limits_if_set(&self, queue: &QueueName) -> Result<Option<Limits>, Error> {
        let keys = self.keys(queue);
        let mut look = pipe();
        look.hexists(keys.counts(), "limits_known").exists(keys.limits());
        look.cmd("HMGET").arg(keys.limits()).arg(&NAMES);
        let (known, some, fields): (bool, bool, Fields) = self.connection.pipeline(&look).await?;
        Ok((known || some).then(|| limits_of(fields)))
    }

    /// Sets what the queue allows, for all workers and from now on.
    ///
    /// # Errors
    /// When Redis fails.
    pub async fn set_limits(&self, queue: &QueueName, limits: &Limits) -> Result<(), Error> {
        let keys = self.keys(queue);
        let mut call = scripts::LIMIT.call(&keys.of_queue());
        if limits.paused {
            call.arg("name", "paused").arg("value", 1);
        }
        if let Some(concurrency) = limits.concurrency {
            call.arg("name", "concurrency").arg("value", concurrency);
        }
        if let Some(rate) = limits.rate {
            let period = millis(rate.period);
            call.arg("name", "rate").arg("value", rate.jobs);
            call.arg("name", "rate_ms").arg("value", period.max(1));
            call.arg("name", "burst").arg("value", rate.burst.max(1));
        }
        self.connection.script_twice::<u64>(&call).await?;
        Ok(())
    }
}

fn limits_of((paused, concurrency, jobs, period, burst): Fields) -> Limits {
    let rate = jobs
        .zip(period)
        .zip(burst)
        .map(|((jobs, period), burst)| RateLimit {
            jobs,
            period: Duration::from_millis(period),
            burst,
        });
    Limits {
        paused: paused.is_some(),
        concurrency,
        rate,
    }
}
