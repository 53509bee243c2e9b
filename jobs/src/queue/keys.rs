//! Every Redis key that Spiral uses, and the name by which a script's header asks for it. No other file builds one.
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

    /// Hash of ids whose cancellation was requested while they ran.
    pub(crate) fn cancel_requested(&self) -> String {
        self.key("cancelling")
    }

    /// Sorted set: worker -> time in ms at which its lease ends.
    pub(crate) fn workers(&self) -> String {
        self.key("workers")
    }

    /// Hash: worker -> what it reports of itself (JSON).
    pub(crate) fn worker_info(&self) -> String {
        self.key("worker-info")
    }

    /// Hash of one worker: id -> the attempt that it runs.
    pub(crate) fn running(&self, worker: &str) -> String {
        self.key(&format!("running:{worker}"))
    }

    /// Hash of one worker: id -> the attempt of it that has begun, as far as the worker has reported it.
    pub(crate) fn begun(&self, worker: &str) -> String {
        self.key(&format!("begun:{worker}"))
    }

    /// Hash of jobs whose worker vanished: id -> how often before it had begun, and the lane that the job came from.
    pub(crate) fn suspects(&self) -> String {
        self.key("suspects")
    }

    /// List of at most one token: a worker should fetch.
    pub(crate) fn wake(&self) -> String {
        self.key("wake")
    }

    /// Stream of what happened to jobs.
    pub(crate) fn events(&self) -> String {
        self.key("events")
    }

    /// Hash of counters: jobs that run, ids in lanes whose job was cancelled, results that ever came too late.
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

    /// Hash: id -> output, of the jobs that finished in one time bucket. It expires as a whole.
    pub(crate) fn outputs(&self, time_bucket: u64) -> String {
        self.key(&format!("outputs:{time_bucket}"))
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

    /// The keys that a script may name, when none of them is one worker's or one function's.
    pub(crate) fn of_queue(&self) -> ScopedKeys<'_> {
        ScopedKeys {
            keys: self,
            worker: "",
            function: "",
            time_bucket: 0,
        }
    }

    /// With those of one worker.
    pub(crate) fn of_worker<'a>(&'a self, worker: &'a str) -> ScopedKeys<'a> {
        ScopedKeys {
            worker,
            ..self.of_queue()
        }
    }

    /// With those of one worker, and with the outputs of one time bucket.
    pub(crate) fn of_outputs<'a>(&'a self, worker: &'a str, time_bucket: u64) -> ScopedKeys<'a> {
        ScopedKeys {
            time_bucket,
            ..self.of_worker(worker)
        }
    }

    /// With those of one function's memo.
    pub(crate) fn of_function<'a>(&'a self, function: &'a str) -> ScopedKeys<'a> {
        ScopedKeys {
            function,
            ..self.of_queue()
        }
    }
}

/// The keys of one queue, and whose they are where a queue has several of a kind.
pub(crate) struct ScopedKeys<'a> {
    keys: &'a Keys,
    worker: &'a str,
    function: &'a str,
    time_bucket: u64,
}

/// A key as the header of a script names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    Jobs,
    Waiting,
    Lanes,
    LaneOf,
    Scheduled,
    Attempts,
    CancelRequested,
    Workers,
    WorkerInfo,
    Running,
    Begun,
    Suspects,
    Wake,
    Events,
    Counts,
    Limits,
    Bucket,
    Outputs,
    Memo,
    MemoLarge,
    MemoWritten,
    MemoBytes,
    Instance,
}

impl Key {
    /// In parentheses it only says on which node of a cluster the script runs.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name.trim_matches(['(', ')']) {
            "jobs" => Self::Jobs,
            "waiting" => Self::Waiting,
            "lanes" => Self::Lanes,
            "lane_of" => Self::LaneOf,
            "scheduled" => Self::Scheduled,
            "attempts" => Self::Attempts,
            "cancel_requested" => Self::CancelRequested,
            "workers" => Self::Workers,
            "worker_info" => Self::WorkerInfo,
            "running" => Self::Running,
            "begun" => Self::Begun,
            "suspects" => Self::Suspects,
            "wake" => Self::Wake,
            "events" => Self::Events,
            "counts" => Self::Counts,
            "limits" => Self::Limits,
            "bucket" => Self::Bucket,
            "outputs" => Self::Outputs,
            "memo" => Self::Memo,
            "memo_large" => Self::MemoLarge,
            "memo_written" => Self::MemoWritten,
            "memo_bytes" => Self::MemoBytes,
            "instance" => Self::Instance,
            _ => return None,
        })
    }
}

impl ScopedKeys<'_> {
    pub(crate) fn get(&self, key: Key) -> String {
        let keys = self.keys;
        match key {
            Key::Jobs => keys.jobs(),
            Key::Waiting => keys.waiting(),
            Key::Lanes => keys.lanes(),
            Key::LaneOf => keys.lane_of(),
            Key::Scheduled => keys.scheduled(),
            Key::Attempts => keys.attempts(),
            Key::CancelRequested => keys.cancel_requested(),
            Key::Workers => keys.workers(),
            Key::WorkerInfo => keys.worker_info(),
            Key::Running => keys.running(self.worker),
            Key::Begun => keys.begun(self.worker),
            Key::Suspects => keys.suspects(),
            Key::Wake => keys.wake(),
            Key::Events => keys.events(),
            Key::Counts => keys.counts(),
            Key::Limits => keys.limits(),
            Key::Bucket => keys.bucket(),
            Key::Outputs => keys.outputs(self.time_bucket),
            Key::Memo => keys.memo(self.function),
            Key::MemoLarge => keys.memo_large(self.function),
            Key::MemoWritten => keys.memo_written(self.function),
            Key::MemoBytes => keys.memo_bytes(self.function),
            Key::Instance => keys.instance(),
        }
    }
}
