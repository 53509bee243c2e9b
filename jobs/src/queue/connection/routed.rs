//! One call on its way to the node that serves it, with several nodes to choose from.

use std::future::Future;
use std::sync::Arc;

use apalis_redis::{ConnectionManager, RedisError};
use futures::FutureExt;
use redis::aio::ConnectionLike;
use redis::{Arg, Cmd, Pipeline, RedisFuture, Value};

use super::cluster::{Cluster, hash_tag};
use super::fault::{Fault, server_error, told_by};
use super::node::Node;
use super::sentinel::Sentinel;

/// How often a call follows a slot that has moved: once, and again while a slot is on its way.
const MOST_MOVES: usize = 4;

/// How to find the node for a queue.
#[derive(Clone)]
pub(super) enum Route {
    Sentinel(Arc<Sentinel>),
    Cluster(Arc<Cluster>),
}

impl Route {
    pub(super) async fn node(&self, key: &str) -> Result<Node, RedisError> {
        match self {
            Self::Sentinel(sentinel) => sentinel.master().await,
            Self::Cluster(cluster) => cluster.node(key).await,
        }
    }

    /// Whether the node is still the one for this queue.
    pub(super) fn is_at(&self, key: &str, node: &Node) -> bool {
        match self {
            Self::Sentinel(sentinel) => sentinel.is_master(node),
            Self::Cluster(cluster) => cluster.is_at(key, node),
        }
    }

    /// Learns from an error that a node gave. True when another node should be tried at once.
    pub(super) fn learn(&self, key: &str, node: &Node, error: &RedisError) -> bool {
        match (Fault::of(error), self) {
            (Fault::None, _) => false,
            (Fault::Elsewhere(address), Self::Cluster(cluster)) => cluster.moved(key, node, &address).is_ok(),
            (Fault::Doubtful, Self::Cluster(cluster)) => {
                cluster.doubtful(key, node);
                false
            }
            (Fault::Lost, Self::Cluster(cluster)) => {
                cluster.lost(node);
                false
            }
            (Fault::Elsewhere(_) | Fault::Doubtful | Fault::Lost, Self::Sentinel(sentinel)) => {
                sentinel.lost(node);
                false
            }
        }
    }
}

/// A connection for one call. A command without a key goes where the one before it went: so a script is loaded by
/// the node that lacks it.
pub(super) struct Routed<'a> {
    route: &'a Route,
    key: String,
}

impl<'a> Routed<'a> {
    pub(super) fn new(route: &'a Route) -> Self {
        Self {
            route,
            key: String::new(),
        }
    }

    /// All keys carry their queue as hash tag, and no argument that comes before the first key looks like one, but for
    /// the text of a script.
    fn aim(&mut self, command: Option<&Cmd>) {
        let mut arguments = command.into_iter().flat_map(Cmd::args_iter);
        if arguments.next() == Some(Arg::Simple(b"SCRIPT".as_slice())) {
            return;
        }
        let key = arguments.find_map(|argument| match argument {
            Arg::Simple(bytes) => hash_tag(bytes).and(std::str::from_utf8(bytes).ok()),
            Arg::Cursor | _ => None,
        });
        if let Some(key) = key {
            key.clone_into(&mut self.key);
        }
    }

    /// Sends, and follows the slot. Nothing is sent again that a node may have carried out.
    async fn send<T, F: Future<Output = Result<T, RedisError>>>(
        &self,
        send: impl Fn(ConnectionManager) -> F,
        refused: impl Fn(&T) -> Option<RedisError>,
    ) -> Result<T, RedisError> {
        let mut moves = 0;
        loop {
            let node = self.route.node(&self.key).await?;
            let result = send(node.shared()).await;
            let error = match &result {
                Ok(answer) => refused(answer),
                Err(error) => Some(error.clone()),
            };
            let Some(error) = error else { return result };
            moves += 1;
            if !self.route.learn(&self.key, &node, &error) || moves > MOST_MOVES {
                return result.map_err(|error| told_by(&node, error));
            }
        }
    }
}

impl ConnectionLike for Routed<'_> {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        async move {
            self.aim(Some(command));
            let send = |mut node: ConnectionManager| async move { node.req_packed_command(command).await };
            self.send(send, server_error).await
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
            self.aim(pipeline.cmd_iter().next());
            let send = |mut node: ConnectionManager| async move {
                node.req_packed_commands(pipeline, offset, count).await
            };
            self.send(send, |answers| answers.iter().find_map(server_error))
                .await
        }
        .boxed()
    }

    fn get_db(&self) -> i64 {
        0
    }
}
