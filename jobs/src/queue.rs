//! The queue on Redis: what the API and the worker may ask of it. Every call is one bounded script or command.
//! Only this module and its children know keys, scripts and the Redis client.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use redis::cmd;
use serde_json::value::RawValue;

use crate::error::Error;
use crate::job::{Envelope, JobId, Priority, QueueName};

mod blocking;
mod cancel;
mod clock;
mod connection;
mod depth;
mod edit;
pub mod events;
mod generation;
mod keys;
pub(crate) mod leases;
mod limits;
pub(crate) mod memo;
pub(crate) mod notify;
mod outputs;
mod push;
mod scripts;
mod server;
mod workers;

pub use cancel::Cancelled;
pub use clock::Deadline;
pub use connection::{RedisSettings, RedisTlsSettings};
pub use depth::Depth;
pub use edit::Edited;
pub use limits::{Limits, RateLimit};
pub use push::Pushed;
pub use server::{ServerMemory, ServerWarning, ServerWarningKind};
pub use workers::{About, Worker};

use clock::Clocks;
use connection::Connection;
use events::{Position, Recorder, Tail};
use keys::Keys;
use scripts::BATCH;

/// A handle on all queues in one Redis: cheap to clone, shared by a process, reconnecting by itself.
#[derive(Clone)]
pub struct Queues {
    connection: Connection,
    settings: Arc<RedisSettings>,
    clocks: Clocks,
}

impl Queues {
    /// Makes ready to talk to Redis; whether it is there shows with the first call.
    ///
    /// # Errors
    /// [`Error::Address`] when the URL cannot be used.
    #[expect(
        clippy::unused_async,
        reason = "the connection is bound to the runtime that it is made in"
    )]
    pub async fn connect(settings: &RedisSettings) -> Result<Self, Error> {
        Ok(Self {
            connection: Connection::new(settings)?,
            settings: Arc::new(settings.clone()),
            clocks: Clocks::default(),
        })
    }

    /// True when one queue may be away while another is there: on a cluster.
    pub fn are_apart(&self) -> bool {
        self.connection.is_apart()
    }

    /// Asks Redis whether it is there; on a cluster, whether it serves every queue that was used so far.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Timeout`] when it is not.
    pub async fn ping(&self) -> Result<(), Error> {
        self.connection
            .ping(&self.keys(&QueueName::standard()).jobs())
            .await
    }

    /// Asks the servers that were used so far (or the one of the standard queue) how they are set up, and tells what of
    /// that will cost jobs one day.
    ///
    /// # Errors
    /// When Redis fails.
    pub async fn server_warnings(&self) -> Result<Vec<ServerWarning>, Error> {
        server::warnings(self).await
    }

    /// How much memory those servers use, and how much they may.
    ///
    /// # Errors
    /// When Redis fails.
    pub async fn memory_of_servers(&self) -> Result<Vec<ServerMemory>, Error> {
        server::memory(self).await
    }

    /// Puts jobs into a queue, any number of them, in bounded calls. Doing it twice changes nothing.
    ///
    /// # Errors
    /// Some of the jobs may have been put in when Redis fails on the way; push them all again.
    pub async fn push(&self, queue: &QueueName, jobs: &[Envelope]) -> Result<Pushed, Error> {
        push::push(self, queue, jobs, None).await
    }

    /// The same, but not after `deadline`: however long this process is held up, jobs that it took from SQL do not
    /// come into Redis when another process may have pushed them, and they may have ended, meanwhile.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub async fn push_before(
        &self,
        deadline: Deadline,
        queue: &QueueName,
        jobs: &[Envelope],
    ) -> Result<Pushed, Error> {
        push::push(self, queue, jobs, Some(deadline)).await
    }

    /// Tells who follows the events of these new jobs, which SQL keeps for the time being.
    ///
    /// # Errors
    /// When Redis fails.
    pub async fn announce(&self, queue: &QueueName, jobs: &[Envelope]) -> Result<(), Error> {
        push::announce(self, queue, jobs).await
    }

    /// Tells who follows the events that these jobs (with their attempts and functions), which SQL kept, are called off.
    ///
    /// # Errors
    /// When Redis fails.
    pub async fn announce_cancelled(
        &self,
        queue: &QueueName,
        jobs: &[(JobId, u32, &str)],
    ) -> Result<(), Error> {
        push::announce_cancelled(self, queue, jobs).await
    }

    /// Ends a job that Redis refuses (see [`Pushed::refused`]): tells the events that it is dead, and why.
    ///
    /// # Errors
    /// When Redis fails.
    pub async fn announce_refused(
        &self,
        queue: &QueueName,
        job: &Envelope,
        reason: &str,
    ) -> Result<(), Error> {
        push::announce_refused(self, queue, job, reason).await
    }

    /// Tells who follows the events that these jobs (with their attempts and functions), which had ended, are to be run
    /// again; of very many, only how many they are.
    ///
    /// # Errors
    /// When Redis fails.
    pub async fn announce_again(&self, queue: &QueueName, jobs: &[(JobId, u32, &str)]) -> Result<(), Error> {
        push::announce_again(self, queue, jobs).await
    }

    /// Tells who follows the events that so many jobs have changed in SQL, in a way that is worth another look.
    ///
    /// # Errors
    /// When Redis fails.
    pub async fn announce_many(&self, queue: &QueueName, count: usize) -> Result<(), Error> {
        push::announce_many(self, queue, count).await
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
        depth::waiting(self, queue, lanes).await
    }

    /// Bytes that the jobs of a queue take in Redis, about; `None` where it may not be asked.
    ///
    /// # Errors
    /// When Redis fails.
    pub async fn bytes(&self, queue: &QueueName) -> Result<Option<u64>, Error> {
        depth::bytes(self, queue).await
    }

    /// Whether Redis has room for more jobs of a queue.
    ///
    /// # Errors
    /// When Redis fails.
    pub async fn has_room(&self, queue: &QueueName) -> Result<bool, Error> {
        depth::has_room(self, queue).await
    }

    /// The moment in the queue's time that is `within` from now.
    ///
    /// # Errors
    /// When Redis fails.
    pub async fn deadline(&self, queue: &QueueName, within: Duration) -> Result<Deadline, Error> {
        clock::deadline(self, queue, within).await
    }

    /// The time by the clock that the queue's events go by.
    ///
    /// # Errors
    /// When Redis fails.
    pub async fn now(&self, queue: &QueueName) -> Result<DateTime<Utc>, Error> {
        clock::ask(self, queue).await
    }

    /// What the queue allows.
    ///
    /// # Errors
    /// When Redis fails.
    pub async fn limits(&self, queue: &QueueName) -> Result<Limits, Error> {
        limits::get(self, queue).await
    }

    /// The same; `None` when nobody has set it since the queue came into being, or came back empty. What is pushed with
    /// a deadline until then is handed out when it is set.
    ///
    /// # Errors
    /// When Redis fails.
    pub async fn limits_if_set(&self, queue: &QueueName) -> Result<Option<Limits>, Error> {
        limits::get_if_set(self, queue).await
    }

    /// Sets what the queue allows, for all workers and from now on.
    ///
    /// # Errors
    /// When Redis fails.
    pub async fn set_limits(&self, queue: &QueueName, limits: &Limits) -> Result<(), Error> {
        limits::set(self, queue, limits).await
    }

    /// Lets go of those of these jobs that were called off while they waited: until a fetch comes to one it counts as
    /// known, and a push of it changes nothing. For jobs that are to run again. Returns how many there were.
    ///
    /// # Errors
    /// When Redis fails; some may have been let go.
    pub async fn forget(&self, queue: &QueueName, ids: &[JobId]) -> Result<u64, Error> {
        cancel::forget(self, queue, ids).await
    }

    /// Calls jobs off. For each: whether it has ended with this, was marked for its worker, or is not here.
    ///
    /// # Errors
    /// When Redis fails.
    pub async fn cancel(&self, queue: &QueueName, ids: &[JobId]) -> Result<Vec<Cancelled>, Error> {
        cancel::cancel(self, queue, ids).await
    }

    /// Makes jobs that wait for their time due now. For each: whether it did, which one that waits for a worker, runs or
    /// is not here does not.
    ///
    /// # Errors
    /// When Redis fails.
    pub async fn run_now(&self, queue: &QueueName, ids: &[JobId]) -> Result<Vec<bool>, Error> {
        edit::run_now(self, queue, ids).await
    }

    /// Gives a job that waits another envelope of the same lane and time.
    ///
    /// # Errors
    /// When Redis fails.
    pub async fn edit(&self, queue: &QueueName, job: &Envelope) -> Result<Edited, Error> {
        edit::edit(self, queue, job).await
    }

    /// Which of these jobs Redis does not hold: neither waiting, nor scheduled, nor running.
    ///
    /// # Errors
    /// When Redis fails.
    pub async fn unknown(&self, queue: &QueueName, ids: &[JobId]) -> Result<Vec<JobId>, Error> {
        depth::unknown(self, queue, ids).await
    }

    /// The JSON text of a finished job's output. `None` when it has expired, or was `null`, or is in the memo.
    ///
    /// # Errors
    /// When Redis fails or the bytes there are damaged.
    pub async fn output(&self, queue: &QueueName, id: JobId) -> Result<Option<Bytes>, Error> {
        outputs::get(self, queue, id).await
    }

    /// The whole output that a pure function gave for `key` (see `Function::memo_key`), as JSON text.
    ///
    /// # Errors
    /// When Redis fails or the bytes there are damaged.
    pub async fn memo(&self, queue: &QueueName, function: &str, key: &str) -> Result<Option<Bytes>, Error> {
        memo::get(self, queue, function, key).await
    }

    /// Up to `limit` memo keys of a function with their outputs, long ones shortened in the middle.
    /// For `fibonacci` this is the hash of index -> value.
    ///
    /// # Errors
    /// When Redis fails or holds something else there.
    pub async fn memo_list(
        &self,
        queue: &QueueName,
        function: &str,
        limit: usize,
    ) -> Result<Vec<(String, Box<RawValue>)>, Error> {
        memo::list(self, queue, function, limit).await
    }

    /// How much there is in a queue.
    ///
    /// # Errors
    /// When Redis fails.
    pub async fn depth(&self, queue: &QueueName) -> Result<Depth, Error> {
        depth::depth(self, queue).await
    }

    /// The names of the workers whose lease holds, of 10,000 at most.
    ///
    /// # Errors
    /// When Redis fails.
    pub(crate) async fn worker_names(&self, queue: &QueueName) -> Result<Vec<String>, Error> {
        let now = clock::ask(self, queue).await?.timestamp_millis();
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
        workers::workers(self, queue).await
    }

    /// For each of these queues a random text that stays the same as long as Redis keeps its data. Another one means
    /// that Redis came back empty, and that everything unfinished has to be pushed again. A queue whose node of a
    /// cluster is away is left out.
    ///
    /// # Errors
    /// When Redis fails for all of them.
    pub async fn instance(&self, queues: &[QueueName]) -> Result<BTreeMap<QueueName, String>, Error> {
        generation::of_all(self, queues).await
    }

    /// Reads the events of these queues as one of a group: each entry is given to one reader and comes again until
    /// it is acknowledged. `consumer` is the name of this process.
    pub fn recorder(&self, queues: &[QueueName], consumer: &str) -> Recorder {
        Recorder::new(self.clone(), queues, consumer)
    }

    /// Follows the events of these queues after `position`, or from now on.
    pub fn tail(&self, queues: &[QueueName], position: Option<Position>) -> Tail {
        Tail::new(self.clone(), queues, position)
    }

    fn keys(&self, queue: &QueueName) -> Keys {
        Keys::new(&self.settings.key_prefix, queue)
    }

    fn ttl_ms(&self) -> u64 {
        millis(self.settings.result_ttl).max(1)
    }
}

fn json(value: &impl serde::Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| Error::Protocol(format!("what should go to Redis: {error}")))
}

fn now_ms() -> u64 {
    u64::try_from(crate::clock::now().timestamp_millis()).unwrap_or_default()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The fields of a stream entry by name.
type Fields = HashMap<String, String>;
