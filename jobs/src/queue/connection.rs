//! The connection to Redis: shared by all callers of a process, reconnecting by itself, every call bounded in time.

use std::future::Future;
use std::time::Duration;

use apalis_redis::{Client, ConnectionManager, RedisError};
use redis::aio::{ConnectionManagerConfig, MultiplexedConnection};
use redis::{AsyncConnectionConfig, FromRedisValue, ScriptInvocation};

use crate::error::Error;
use crate::settings::{Lookup, Problem, Reader};

/// Where Redis is and how long to wait for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisSettings {
    /// `redis://[:password@]host:port/db` or `unix:///path`.
    pub url: String,
    /// The longest wait for one answer.
    pub timeout: Duration,
    /// What every key begins with.
    pub key_prefix: String,
    /// How long an output is kept after its job finished.
    pub result_ttl: Duration,
    /// Bytes that the memo of one function may hold.
    pub memo_max_bytes: u64,
    /// Jobs that wait longer than this for their time are kept by SQL alone, and come back into Redis in time.
    pub horizon: Duration,
}

impl Default for RedisSettings {
    fn default() -> Self {
        Self {
            url: "redis://127.0.0.1:6379".to_owned(),
            timeout: Duration::from_secs(3),
            key_prefix: "spiral".to_owned(),
            result_ttl: Duration::from_hours(24),
            memo_max_bytes: 256 << 20,
            horizon: Duration::from_mins(1),
        }
    }
}

impl RedisSettings {
    /// # Errors
    /// Every setting that cannot be used.
    pub fn from_lookup(lookup: Lookup<'_>) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader::new(lookup);
        let default = Self::default();
        let url = reader
            .optional("SPIRAL_REDIS_URL")
            .or_else(|| reader.optional("REDIS_URL"));
        let settings = Self {
            url: url.unwrap_or(default.url),
            timeout: reader.duration("SPIRAL_REDIS_TIMEOUT", default.timeout),
            key_prefix: reader.text("SPIRAL_REDIS_PREFIX", &default.key_prefix),
            result_ttl: reader.duration("SPIRAL_RESULT_TTL", default.result_ttl),
            memo_max_bytes: reader.number("SPIRAL_MEMO_MAX_BYTES", default.memo_max_bytes, 0..=1 << 40),
            horizon: reader.duration("SPIRAL_DISPATCH_HORIZON", default.horizon),
        };
        if let Err(error) = Client::open(settings.url.as_str()) {
            // The address may hold a password: the message must not repeat it.
            reader.problem(
                "SPIRAL_REDIS_URL",
                format!("is no Redis address ({})", error.category()),
            );
        }
        if settings.timeout.is_zero() {
            reader.problem("SPIRAL_REDIS_TIMEOUT", "must be longer than nothing".to_owned());
        }
        if settings.horizon < Duration::from_secs(10) {
            let message = "must be at least 10s, or a job may come back into Redis after its time";
            reader.problem("SPIRAL_DISPATCH_HORIZON", message.to_owned());
        }
        reader.finish(settings)
    }
}

#[derive(Clone)]
pub(crate) struct Connection {
    client: Client,
    shared: ConnectionManager,
    timeout: Duration,
}

impl Connection {
    /// Makes ready to connect; does not wait for Redis.
    pub(crate) fn new(settings: &RedisSettings) -> Result<Self, Error> {
        let address = |error: RedisError| Error::Address(error.category().to_owned());
        let client = Client::open(settings.url.as_str()).map_err(address)?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(settings.timeout))
            .set_response_timeout(Some(settings.timeout))
            // The next call tries again: callers bring their own patience.
            .set_number_of_retries(0)
            .set_max_delay(Duration::from_millis(500));
        let shared = ConnectionManager::new_lazy_with_config(client.clone(), config).map_err(address)?;
        Ok(Self {
            client,
            shared,
            timeout: settings.timeout,
        })
    }

    /// A connection of its own for one reader that blocks: answers may take as long as they like.
    pub(crate) async fn blocking(&self) -> Result<MultiplexedConnection, Error> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeout))
            .set_response_timeout(None);
        self.bounded(self.client.get_multiplexed_async_connection_with_config(&config))
            .await
    }

    /// Runs a script.
    pub(crate) async fn script<T: FromRedisValue>(
        &self,
        invocation: &ScriptInvocation<'_>,
    ) -> Result<T, Error> {
        let mut connection = self.shared.clone();
        self.bounded(invocation.invoke_async(&mut connection)).await
    }

    /// Runs a single command that may run twice: after a restart of Redis the first call finds a dead connection.
    pub(crate) async fn command<T: FromRedisValue>(&self, command: &redis::Cmd) -> Result<T, Error> {
        let mut connection = self.shared.clone();
        match self.bounded(command.query_async(&mut connection)).await {
            Err(Error::Unavailable(error)) if error.is_connection_dropped() => {
                self.bounded(command.query_async(&mut connection)).await
            }
            result => result,
        }
    }

    /// Runs commands that go out together and may run twice.
    pub(crate) async fn pipeline<T: FromRedisValue>(&self, pipeline: &redis::Pipeline) -> Result<T, Error> {
        let mut connection = self.shared.clone();
        match self.bounded(pipeline.query_async(&mut connection)).await {
            Err(Error::Unavailable(error)) if error.is_connection_dropped() => {
                self.bounded(pipeline.query_async(&mut connection)).await
            }
            result => result,
        }
    }

    async fn bounded<T>(&self, call: impl Future<Output = Result<T, RedisError>>) -> Result<T, Error> {
        // Twice the time: a call may have to connect first.
        match tokio::time::timeout(self.timeout * 2, call).await {
            Ok(Err(error)) if error.is_timeout() => Err(Error::Timeout(self.timeout)),
            Ok(result) => Ok(result?),
            Err(_elapsed) => Err(Error::Timeout(self.timeout * 2)),
        }
    }
}
