//! A connection of one reader that blocks.

use std::time::Duration;

use apalis_redis::RedisError;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue};

use super::error_class::with_address;
use super::node::Node;
use super::router::Route;
use super::tls;
use crate::error::Error;

/// The node on which a reader blocks, and how it was found.
#[derive(Clone)]
pub(super) struct Place {
    node: Node,
    /// With a key of the queue; `None` when there is but one node.
    route: Option<(Route, String)>,
}

pub(crate) struct OwnConnection {
    connection: MultiplexedConnection,
    place: Place,
}

impl Place {
    pub(super) fn fixed(node: &Node) -> Self {
        Self {
            node: node.clone(),
            route: None,
        }
    }

    pub(super) fn found(route: &Route, key: &str, node: Node) -> Self {
        Self {
            node,
            route: Some((route.clone(), key.to_owned())),
        }
    }

    fn learn(&self, error: RedisError) -> RedisError {
        match &self.route {
            Some((route, key)) => {
                route.learn(key, &self.node, &error);
                with_address(&self.node, error)
            }
            None => tls::explained(error),
        }
    }
}

impl OwnConnection {
    pub(super) async fn open(place: Place) -> Result<Self, RedisError> {
        let connection = place.node.own().await.map_err(|error| place.learn(error))?;
        Ok(Self { connection, place })
    }

    /// False when the queue is on another node by now: open another one.
    pub(crate) fn is_current(&self) -> bool {
        let Place { node, route } = &self.place;
        route.as_ref().is_none_or(|(route, key)| route.is_at(key, node))
    }

    /// Sends a command that the server answers within `limit`; past that it does not answer at all. After an error
    /// the connection is of no use.
    pub(crate) async fn query<T: FromRedisValue>(
        &mut self,
        command: &Cmd,
        limit: Duration,
    ) -> Result<T, Error> {
        let call = command.query_async(&mut self.connection);
        match tokio::time::timeout(limit, call).await {
            Ok(result) => Ok(result.map_err(|error| self.place.learn(error))?),
            Err(_elapsed) => {
                self.place
                    .learn(std::io::Error::from(std::io::ErrorKind::TimedOut).into());
                Err(Error::Timeout(limit))
            }
        }
    }
}
