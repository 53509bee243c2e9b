//! Behind Sentinel: the sentinels are asked for the master when it is not known, and again after it was lost.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use apalis_redis::RedisError;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{ConnectionInfo, RedisConnectionInfo, TlsCertificates, TlsMode};

use super::node::Node;
use super::tls;

pub(super) struct Sentinel {
    /// Locked while one caller asks; the others then find the answer.
    sentinels: tokio::sync::Mutex<SentinelClient>,
    master: Mutex<Option<Node>>,
    timeout: Duration,
}

impl Sentinel {
    pub(super) fn new(
        sentinels: &[ConnectionInfo],
        master: &str,
        login: &RedisConnectionInfo,
        tls: Option<TlsCertificates>,
        timeout: Duration,
    ) -> Result<Self, RedisError> {
        let addresses = sentinels.iter().map(|sentinel| sentinel.addr().clone());
        let mut client = SentinelClientBuilder::new(addresses, master, SentinelServerType::Master)?
            .set_client_to_redis_db(login.db());
        if let Some(user) = login.username() {
            client = client.set_client_to_redis_username(user);
        }
        if let Some(password) = login.password() {
            client = client.set_client_to_redis_password(password);
        }
        // One login for all sentinels.
        let to_sentinels = sentinels.first().map(ConnectionInfo::redis_settings);
        if let Some(user) = to_sentinels.and_then(RedisConnectionInfo::username) {
            client = client.set_client_to_sentinel_username(user);
        }
        if let Some(password) = to_sentinels.and_then(RedisConnectionInfo::password) {
            client = client.set_client_to_sentinel_password(password);
        }
        if let Some(certificates) = tls {
            client = client
                .set_client_to_redis_tls_mode(TlsMode::Secure)
                .set_client_to_redis_certificates(certificates);
        }
        Ok(Self {
            sentinels: tokio::sync::Mutex::new(client.build()?),
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
        let client = sentinels.async_get_client().await.map_err(tls::explained)?;
        let master = Node::new(client.get_connection_info().clone(), self.timeout)?;
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
