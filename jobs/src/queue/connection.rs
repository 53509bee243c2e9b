//! The connection to Redis: shared by all callers of a process, reconnecting by itself, every call bounded in time.
//! One server, a cluster, or a master behind Sentinel, by the address. Only this module and its children know which.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use apalis_redis::RedisError;
use futures::future::try_join_all;
use redis::{FromRedisValue, InfoDict, cmd};

use super::scripts::Call;
use crate::error::Error;

use address::Address;
use cluster::Cluster;
use dedicated::Place;
use node::Node;
use router::{Route, Routed};
use sentinel::Sentinel;
use tls::BadFile;

mod address;
mod cluster;
mod dedicated;
mod error_class;
mod node;
mod router;
mod sentinel;
mod settings;
mod tls;

pub(crate) use dedicated::OwnConnection;
pub use settings::RedisSettings;
pub use tls::RedisTlsSettings;

#[derive(Clone)]
pub(crate) struct Connection {
    servers: Servers,
    timeout: Duration,
}

#[derive(Clone)]
enum Servers {
    One(Node),
    Many(Route),
}

impl Connection {
    /// Makes ready to connect; does not wait for Redis.
    pub(crate) fn new(settings: &RedisSettings) -> Result<Self, Error> {
        let timeout = settings.timeout;
        let refused = |error: RedisError| Error::Address(error.category().to_owned());
        let mut address = Address::parse(&settings.url).map_err(Error::Address)?;
        let mut tls = None;
        if address.is_tls() {
            let bad = |file: BadFile| Error::Address(format!("{}: {}", file.setting, file.message));
            let loaded = settings.tls.load().map_err(bad)?;
            address = address.with_tls(&loaded.like);
            tls = Some(loaded.certificates);
        }
        let servers = match address {
            Address::One(info) => Servers::One(Node::new(info, timeout).map_err(refused)?),
            Address::Cluster(seeds) => {
                let cluster = Cluster::new(&seeds, timeout).map_err(refused)?;
                Servers::Many(Route::Cluster(Arc::new(cluster)))
            }
            Address::Sentinel {
                sentinels,
                master,
                login,
            } => {
                let sentinel = Sentinel::new(&sentinels, &master, &login, tls, timeout).map_err(refused)?;
                Servers::Many(Route::Sentinel(Arc::new(sentinel)))
            }
        };
        Ok(Self { servers, timeout })
    }

    /// True when queues may lie on different nodes, so that no command can touch two of them.
    pub(crate) fn is_apart(&self) -> bool {
        matches!(self.servers, Servers::Many(Route::Cluster(_)))
    }

    /// Runs a script.
    pub(crate) async fn script<T: FromRedisValue>(&self, call: &Call<'_>) -> Result<T, Error> {
        let invocation = call.invocation();
        match &self.servers {
            Servers::One(node) => self.bounded(invocation.invoke_async(&mut node.shared())).await,
            Servers::Many(route) => {
                self.bounded(invocation.invoke_async(&mut Routed::new(route)))
                    .await
            }
        }
    }

    /// Runs a script that may run twice: the first call may find a dead connection.
    pub(crate) async fn script_twice<T: FromRedisValue>(&self, call: &Call<'_>) -> Result<T, Error> {
        match self.script(call).await {
            Err(Error::Unavailable(error)) if error.is_connection_dropped() => self.script(call).await,
            result => result,
        }
    }

    /// Runs a single command that may run twice: after a restart of Redis the first call finds a dead connection.
    pub(crate) async fn command<T: FromRedisValue>(&self, command: &redis::Cmd) -> Result<T, Error> {
        match self.send_command(command).await {
            Err(Error::Unavailable(error)) if error.is_connection_dropped() => {
                self.send_command(command).await
            }
            result => result,
        }
    }

    async fn send_command<T: FromRedisValue>(&self, command: &redis::Cmd) -> Result<T, Error> {
        match &self.servers {
            Servers::One(node) => self.bounded(command.query_async(&mut node.shared())).await,
            Servers::Many(route) => self.bounded(command.query_async(&mut Routed::new(route))).await,
        }
    }

    /// Runs commands on one queue that go out together and may run twice.
    pub(crate) async fn pipeline<T: FromRedisValue>(&self, pipeline: &redis::Pipeline) -> Result<T, Error> {
        match self.send_pipeline(pipeline).await {
            Err(Error::Unavailable(error)) if error.is_connection_dropped() => {
                self.send_pipeline(pipeline).await
            }
            result => result,
        }
    }

    async fn send_pipeline<T: FromRedisValue>(&self, pipeline: &redis::Pipeline) -> Result<T, Error> {
        match &self.servers {
            Servers::One(node) => self.bounded(pipeline.query_async(&mut node.shared())).await,
            Servers::Many(route) => self.bounded(pipeline.query_async(&mut Routed::new(route))).await,
        }
    }

    /// Asks whether every queue that was used so far is served; if there was none, the one of this key.
    pub(crate) async fn ping(&self, key: &str) -> Result<(), Error> {
        let Servers::Many(Route::Cluster(cluster)) = &self.servers else {
            return self.command(&cmd("PING")).await;
        };
        let mut keys = cluster.keys();
        if keys.is_empty() {
            keys.push(key.to_owned());
        }
        // A node of a cluster that is down answers PING as always.
        let asked = keys.iter().map(|key| async move {
            let mut exists = cmd("EXISTS");
            exists.arg(key);
            self.command::<u64>(&exists).await
        });
        try_join_all(asked).await.map(drop)
    }

    /// Each server that was used so far: its address, and its answer to `INFO`. If none was used,
    /// the one of this key.
    pub(crate) async fn info(&self, key: &str) -> Result<Vec<(String, InfoDict)>, Error> {
        let nodes = self.bounded(self.nodes(key)).await?;
        let asked = nodes.into_iter().map(|node| async move {
            let info = self.bounded(cmd("INFO").query_async(&mut node.shared())).await?;
            Ok::<_, Error>((node.to_string(), info))
        });
        try_join_all(asked).await
    }

    async fn nodes(&self, key: &str) -> Result<Vec<Node>, RedisError> {
        let route = match &self.servers {
            Servers::One(node) => return Ok(vec![node.clone()]),
            Servers::Many(route) => route,
        };
        let mut keys = match route {
            Route::Cluster(cluster) => cluster.keys(),
            Route::Sentinel(_) => Vec::new(),
        };
        if keys.is_empty() {
            keys.push(key.to_owned());
        }
        let mut nodes: Vec<Node> = Vec::new();
        for key in keys {
            let node = route.node(&key).await?;
            if !nodes.iter().any(|known| known.is(&node)) {
                nodes.push(node);
            }
        }
        Ok(nodes)
    }

    /// A connection for one reader that blocks on the queue of this key: answers may take as long as they like.
    pub(crate) async fn own(&self, key: &str) -> Result<OwnConnection, Error> {
        let place = match &self.servers {
            Servers::One(node) => Place::fixed(node),
            Servers::Many(route) => Place::found(route, key, self.bounded(route.node(key)).await?),
        };
        self.bounded(OwnConnection::open(place)).await
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
