//! One Redis server: a connection that all callers share, and more for those that block.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use apalis_redis::{Client, ConnectionManager, RedisError};
use redis::aio::{ConnectionManagerConfig, MultiplexedConnection};
use redis::{AsyncConnectionConfig, IntoConnectionInfo};

/// Cheap to clone; clones are the same node.
#[derive(Clone)]
pub(super) struct Node(Arc<Inner>);

struct Inner {
    client: Client,
    shared: ConnectionManager,
    timeout: Duration,
}

impl Node {
    /// Makes ready to connect; does not wait for the server.
    pub(super) fn new(address: impl IntoConnectionInfo, timeout: Duration) -> Result<Self, RedisError> {
        Self::of(Client::open(address)?, timeout)
    }

    pub(super) fn of(client: Client, timeout: Duration) -> Result<Self, RedisError> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(timeout))
            .set_response_timeout(Some(timeout))
            // The next call tries again: callers bring their own patience.
            .set_number_of_retries(0)
            .set_max_delay(Duration::from_millis(500));
        let shared = ConnectionManager::new_lazy_with_config(client.clone(), config)?;
        Ok(Self(Arc::new(Inner {
            client,
            shared,
            timeout,
        })))
    }

    pub(super) fn shared(&self) -> ConnectionManager {
        self.0.shared.clone()
    }

    /// A connection of its own, whose answers may take as long as they like.
    pub(super) async fn own(&self) -> Result<MultiplexedConnection, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.0.timeout))
            .set_response_timeout(None);
        self.0
            .client
            .get_multiplexed_async_connection_with_config(&config)
            .await
    }

    /// True for the very same node, false for another handle on the same address.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.client.get_connection_info().addr().fmt(f)
    }
}
