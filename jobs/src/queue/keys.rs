//! Every Redis key that Spiral uses. No other file builds one.
//!
//! The keys of one queue share the hash tag `{queue}`, so that a script may touch them all on a Redis Cluster and
//! queues spread over its nodes.

use crate::job::QueueName;

/// The names of one queue's keys.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    base: String,
}

impl Keys {
    pub(crate) fn new(prefix: &str, queue: &QueueName) -> Self {
        Self {
            base: format!("{prefix}:{{{queue}}}"),
        }
    }

    fn key(&self, name: &str) -> String {
        format!("{}:{name}", self.base)
    }

    /// Hash: id -> envelope, for every job that is not finished.
    pub(crate) fn jobs(&self) -> String {
        self.key("jobs")
    }

    /// What the keys of the lanes begin with: each is a list of ids that wait for a worker, the next one on the left.
    pub(crate) fn waiting(&self) -> String {
        self.key("waiting:")
    }

    /// List of the ids that wait in one lane.
    pub(crate) fn lane(&self, lane: &str) -> String {
        self.waiting() + lane
    }

    /// Sorted set: lane -> when it is its turn, for every lane that is not empty.
    pub(crate) fn lanes(&self) -> String {
        self.key("lanes")
    }

    /// Hash: id -> lane, for jobs that are not in the standard one.
    pub(crate) fn lane_of(&self) -> String {
        self.key("lane-of")
    }

    /// Sorted set: id -> time in ms at which it is due. Callers' `run_at` and retries alike.
    pub(crate) fn scheduled(&self) -> String {
        self.key("scheduled")
    }

    /// Hash: id -> attempts made. Only jobs that have failed or been orphaned are in it.
    pub(crate) fn attempts(&self) -> String {
        self.key("attempts")
    }

    /// Hash of ids that were called off while they ran.
    pub(crate) fn cancelling(&self) -> String {
        self.key("cancelling")
    }

    /// Sorted set: worker -> time in ms at which its lease ends.
    pub(crate) fn workers(&self) -> String {
        self.key("workers")
    }

    /// Hash: worker -> what it says of itself (JSON).
    pub(crate) fn worker_info(&self) -> String {
        self.key("worker-info")
    }

    /// Hash of one worker: id -> the attempt that it runs.
    pub(crate) fn running(&self, worker: &str) -> String {
        self.key(&format!("running:{worker}"))
    }

    /// Hash of one worker: id -> the attempt of it that has begun, as far as the worker has said so.
    pub(crate) fn begun(&self, worker: &str) -> String {
        self.key(&format!("begun:{worker}"))
    }

    /// Hash of jobs whose worker vanished: id -> how often before it had begun, and the lane that the job came from.
    pub(crate) fn suspects(&self) -> String {
        self.key("suspects")
    }

    /// List of at most one token: somebody should fetch.
    pub(crate) fn wake(&self) -> String {
        self.key("wake")
    }

    /// Stream of what happened to jobs.
    pub(crate) fn events(&self) -> String {
        self.key("events")
    }

    /// Hash of counters: jobs that run, ids in lanes that were called off, results that ever came too late.
    pub(crate) fn counts(&self) -> String {
        self.key("counts")
    }

    /// Hash of the queue's limits: paused, concurrency, rate.
    pub(crate) fn limits(&self) -> String {
        self.key("limits")
    }

    /// Hash of the token bucket behind the rate limit: what it held, and when.
    pub(crate) fn bucket(&self) -> String {
        self.key("bucket")
    }

    /// Hash: id -> output, of the jobs that finished in one stretch of time. It expires as a whole.
    pub(crate) fn outputs(&self, stretch: u64) -> String {
        self.key(&format!("outputs:{stretch}"))
    }

    /// Hash: memo key -> output as it is shown (long values shortened). For `fibonacci` this is index -> value.
    pub(crate) fn memo(&self, function: &str) -> String {
        self.key(&format!("memo:{function}"))
    }

    /// Hash: memo key -> whole output, compressed, of those that are too long to be shown.
    pub(crate) fn memo_large(&self, function: &str) -> String {
        self.key(&format!("memo:{function}:large"))
    }

    /// Sorted set: memo key -> time in ms at which it was last written.
    pub(crate) fn memo_written(&self, function: &str) -> String {
        self.key(&format!("memo:{function}:written"))
    }

    /// Counter: bytes that the memo of a function holds.
    pub(crate) fn memo_bytes(&self, function: &str) -> String {
        self.key(&format!("memo:{function}:bytes"))
    }

    /// A random text that lives as long as the queue's data does: another one means that Redis came back empty.
    pub(crate) fn instance(&self) -> String {
        self.key("instance")
    }
}
