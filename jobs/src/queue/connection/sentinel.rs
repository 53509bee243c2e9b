//! Behind Sentinel: who is master is asked when it is not known, and again after it was lost.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use apalis_redis::RedisError;
use redis::sentinel::{SentinelClient, SentinelNodeConnectionInfo, SentinelServerType};
use redis::{ConnectionInfo, RedisConnectionInfo};

use super::node::Node;

pub(super) struct Sentinel {
    /// Locked while somebody asks; the others then find the answer.
    sentinels: tokio::sync::Mutex<SentinelClient>,
    master: Mutex<Option<Node>>,
    timeout: Duration,
}

impl Sentinel {
    pub(super) fn new(
        sentinels: Vec<ConnectionInfo>,
        master: String,
        login: RedisConnectionInfo,
        timeout: Duration,
    ) -> Result<Self, RedisError> {
        let login = SentinelNodeConnectionInfo::default().set_redis_connection_info(login);
        let client = SentinelClient::build(sentinels, master, Some(login), SentinelServerType::Master)?;
        Ok(Self {
            sentinels: tokio::sync::Mutex::new(client),
            master: Mutex::default(),
            timeout,
        })
    }

    pub(super) async fn master(&self) -> Result<Node, RedisError> {
        if let Some(master) = self.known() {
            return Ok(master);
        }
        let mut sentinels = self.sentinels.lock().await;
        if let Some(master) = self.known() {
            return Ok(master);
        }
        let master = Node::of(sentinels.async_get_client().await?, self.timeout)?;
        tracing::debug!(%master, "the sentinels named the master");
        *self.lock() = Some(master.clone());
        Ok(master)
    }

    pub(super) fn is_master(&self, node: &Node) -> bool {
        self.known().is_some_and(|master| master.is(node))
    }

    /// The node does not serve any more, or not as master.
    pub(super) fn lost(&self, node: &Node) {
        let mut master = self.lock();
        if master.as_ref().is_some_and(|master| master.is(node)) {
            *master = None;
        }
    }

    fn known(&self) -> Option<Node> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Node>> {
        self.master.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
