//! One Redis server: a connection that all callers share, and more for those that block.
//!
//! The shared one is replaced as soon as it looks dead: when it broke, when an answer did not come in time (a flow that
//! a firewall forgot looks like that, and stays like that), and when the server says that it does not serve (after a
//! failover the name may lead to another one). A call that failed is not sent again: it may have been carried out.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use apalis_redis::{Client, RedisError};
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::io::tcp::TcpSettings;
use redis::io::tcp::socket2::TcpKeepalive;
use redis::{AsyncConnectionConfig, Cmd, ConnectionInfo, Pipeline, RedisFuture, Value};

use super::error_class::{Fault, server_error};
use super::tls;

/// A server that answers, but says that it does not serve, is not connected to more often than this.
const RECONNECT_EVERY: Duration = Duration::from_millis(500);

/// How long nothing comes before the system asks whether the other side is still there, and how often it asks.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(10);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(3);
/// How long what was sent may stay without acknowledgement before the system gives a connection up.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(20);

/// Cheap to clone; clones are the same node.
#[derive(Clone)]
pub(super) struct Node(Arc<Inner>);

struct Inner {
    client: Client,
    line: Mutex<Line>,
    timeout: Duration,
}

type Connecting = Shared<BoxFuture<'static, Result<MultiplexedConnection, RedisError>>>;

/// The shared connection of the moment.
struct Line {
    /// Counts the connections: who comes back with an error of an earlier one changes nothing.
    number: u64,
    since: Instant,
    /// From the first call on.
    connection: Option<Connecting>,
}

impl Node {
    /// Makes ready to connect; does not wait for the server.
    pub(super) fn new(info: ConnectionInfo, timeout: Duration) -> Result<Self, RedisError> {
        let keepalive = TcpKeepalive::new()
            .with_time(KEEPALIVE_AFTER)
            .with_interval(KEEPALIVE_EVERY)
            .with_retries(3);
        let tcp = TcpSettings::default()
            .set_nodelay(true)
            .set_keepalive(keepalive)
            .set_user_timeout(UNACKNOWLEDGED_MAX.max(timeout * 2));
        Ok(Self(Arc::new(Inner {
            client: Client::open(info.set_tcp_settings(tcp))?,
            line: Mutex::new(Line {
                number: 0,
                since: Instant::now(),
                connection: None,
            }),
            timeout,
        })))
    }

    pub(super) fn shared(&self) -> SharedConnection {
        SharedConnection { node: self.clone() }
    }

    /// A connection of its own, whose answers may take as long as they like.
    pub(super) async fn own(&self) -> Result<MultiplexedConnection, RedisError> {
        connect(&self.0.client, self.0.timeout, None).await
    }

    /// True for the very same node, false for another handle on the same address.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.0.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection of the moment, or the way to it.
    fn connection(&self) -> (u64, Connecting) {
        let mut line = self.line();
        let number = line.number;
        if let Some(connection) = &line.connection {
            return (number, connection.clone());
        }
        let client = self.0.client.clone();
        let timeout = self.0.timeout;
        // On its own, so that it goes on when the caller that began it is given up.
        let connecting = tokio::spawn(async move { connect(&client, timeout, Some(timeout)).await });
        let connection = async move {
            connecting
                .await
                .unwrap_or_else(|ended| Err(io::Error::other(ended.to_string()).into()))
        };
        let connection = connection.boxed().shared();
        line.connection = Some(connection.clone());
        line.since = Instant::now();
        (number, connection)
    }

    /// The next call connects anew, unless another call has done that already. Calls that are under way on the old
    /// connection may still be answered there.
    fn replace(&self, number: u64, at_most_every: Duration) {
        let mut line = self.line();
        if line.number == number && line.since.elapsed() >= at_most_every {
            line.number += 1;
            line.connection = None;
        }
    }

    /// Replaces the connection that an error came from, if the error means that.
    fn learn(&self, number: u64, error: &RedisError) {
        match Fault::of(error) {
            Fault::Lost => self.replace(number, Duration::ZERO),
            Fault::Unknown => self.replace(number, RECONNECT_EVERY),
            Fault::Elsewhere(_) | Fault::Asked(_) | Fault::Unstable | Fault::None => {}
        }
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.client.get_connection_info().addr().fmt(f)
    }
}

async fn connect(
    client: &Client,
    timeout: Duration,
    answers_within: Option<Duration>,
) -> Result<MultiplexedConnection, RedisError> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(timeout))
        .set_response_timeout(answers_within);
    client
        .get_multiplexed_async_connection_with_config(&config)
        .await
        .map_err(tls::explained)
}

/// The connection to a node that all its callers share, whichever it is when a call is made.
#[derive(Clone)]
pub(super) struct SharedConnection {
    node: Node,
}

impl SharedConnection {
    async fn connection(&self) -> Result<(u64, MultiplexedConnection), RedisError> {
        let (number, connecting) = self.node.connection();
        match connecting.await {
            Ok(connection) => Ok((number, connection)),
            Err(error) => {
                // Whatever it was: the next call tries again.
                self.node.replace(number, Duration::ZERO);
                Err(error)
            }
        }
    }
}

impl ConnectionLike for SharedConnection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        async move {
            let (number, mut connection) = self.connection().await?;
            let result = connection.req_packed_command(command).await;
            let failed = match &result {
                Ok(answer) => server_error(answer),
                Err(error) => Some(error.clone()),
            };
            if let Some(error) = failed {
                self.node.learn(number, &error);
            }
            result.map_err(tls::explained)
        }
        .boxed()
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        async move {
            let (number, mut connection) = self.connection().await?;
            let result = connection.req_packed_commands(pipeline, offset, count).await;
            let failed = match &result {
                Ok(answers) => answers.iter().find_map(server_error),
                Err(error) => Some(error.clone()),
            };
            if let Some(error) = failed {
                self.node.learn(number, &error);
            }
            result.map_err(tls::explained)
        }
        .boxed()
    }

    fn get_db(&self) -> i64 {
        self.node.0.client.get_connection_info().redis_settings().db()
    }
}
