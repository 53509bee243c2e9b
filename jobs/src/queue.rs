//! The queue on Redis: what the API and the worker may ask of it. Every call is one bounded script or command, and is
//! in the file of its subject as a method of [`Queues`].
//! Only this module and its children know keys, scripts and the Redis client.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::error::Error;
use crate::job::QueueName;

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
mod list;
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
