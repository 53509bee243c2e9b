//! On a cluster: which node has which queue. A queue is one slot, so its place is learnt from the nodes themselves,
//! by a command on that slot that changes nothing: the node that has it answers, the others name it.
//!
//! This is not the `redis` crate's own client for clusters, because that sends a command again when its answer was
//! lost (an attempt that was recorded would look late), loads a script on all nodes or none, stops every queue while it
//! looks for one node, and does not say where a blocking reader should connect to.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use apalis_redis::RedisError;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};
use rand::seq::SliceRandom;
use redis::aio::ConnectionLike;
use redis::{ConnectionInfo, ErrorKind, Value, pipe};

use super::error_class::{Fault, server_error, with_address};
use super::node::Node;
use super::tls;

/// Nodes that are asked at the same time: one that is away must not keep the others from answering.
const ASKED_AT_ONCE: usize = 4;

pub(super) struct Cluster {
    seeds: Vec<String>,
    /// What every node is reached with, but for its address.
    login: ConnectionInfo,
    timeout: Duration,
    map: Mutex<Map>,
}

#[derive(Default)]
struct Map {
    /// By hash tag, every one that was ever asked for.
    places: HashMap<String, Place>,
    /// Address -> the node there, with its connection.
    nodes: HashMap<String, Node>,
    /// The addresses of all nodes, by the answer of one of them.
    peers: Vec<String>,
}

/// Where a slot is.
struct Place {
    /// A key of this slot that we may touch.
    key: String,
    /// When that is known.
    node: Option<Node>,
}

impl Place {
    fn is_at(&self, node: &Node) -> bool {
        self.node.as_ref().is_some_and(|place| place.is(node))
    }
}

impl Cluster {
    pub(super) fn new(seeds: &[ConnectionInfo], timeout: Duration) -> Result<Self, RedisError> {
        let Some(first) = seeds.first() else {
            return Err((ErrorKind::InvalidClientConfig, "a cluster without nodes").into());
        };
        Ok(Self {
            seeds: seeds.iter().map(|seed| seed.addr().to_string()).collect(),
            login: first.clone(),
            timeout,
            map: Mutex::default(),
        })
    }

    /// The node that has the slot of this key.
    pub(super) async fn node(&self, key: &str) -> Result<Node, RedisError> {
        let known = self.lock().place(key).node.clone();
        match known {
            Some(node) => Ok(node),
            None => self.find(key).await,
        }
    }

    pub(super) fn is_at(&self, key: &str, node: &Node) -> bool {
        self.lock().place(key).is_at(node)
    }

    /// A key of each slot that was ever asked for.
    pub(super) fn keys(&self) -> Vec<String> {
        self.lock()
            .places
            .values()
            .map(|place| place.key.clone())
            .collect()
    }

    /// `from` says that the slot is at `to`.
    pub(super) fn moved(&self, key: &str, from: &Node, to: &str) -> Result<(), RedisError> {
        let node = self.at(&full_address(to, &from.to_string()))?;
        tracing::debug!(key, %from, to = %node, "the queue is on another node");
        self.lock().place(key).node = Some(node);
        Ok(())
    }

    /// The node that `from` names, for one call.
    pub(super) fn named(&self, from: &Node, address: &str) -> Result<Node, RedisError> {
        self.at(&full_address(address, &from.to_string()))
    }

    /// The node answers, but does not serve the slot: ask anew where it is.
    pub(super) fn doubtful(&self, key: &str, node: &Node) {
        let mut map = self.lock();
        let place = map.place(key);
        if place.is_at(node) {
            place.node = None;
        }
    }

    /// The node does not answer: everything that was there may be elsewhere.
    pub(super) fn lost(&self, node: &Node) {
        let mut map = self.lock();
        for place in map.places.values_mut().filter(|place| place.is_at(node)) {
            place.node = None;
        }
        map.nodes.retain(|_, known| !known.is(node));
    }

    async fn find(&self, key: &str) -> Result<Node, RedisError> {
        // In an order of chance, so that a next try does not begin with the node that failed this one.
        let mut addresses = self.addresses();
        addresses.shuffle(&mut rand::rng());
        let asked: Vec<BoxFuture<'_, _>> = addresses
            .into_iter()
            .map(|address| self.ask(address, key).boxed())
            .collect();
        let mut answers = stream::iter(asked).buffer_unordered(ASKED_AT_ONCE);
        let mut failed = None;
        while let Some(answer) = answers.next().await {
            match answer {
                Ok((node, peers)) => {
                    let mut map = self.lock();
                    map.place(key).node = Some(node.clone());
                    if !peers.is_empty() {
                        map.peers = peers;
                    }
                    return Ok(node);
                }
                Err(error) => failed = Some(error),
            }
        }
        Err(failed.unwrap_or_else(|| (ErrorKind::Io, "no node of the cluster is known").into()))
    }

    /// Asks one node where a slot is, and for the other nodes.
    async fn ask(&self, address: String, key: &str) -> Result<(Node, Vec<String>), RedisError> {
        let node = self.at(&address)?;
        let mut questions = pipe();
        questions.exists(key);
        questions.cmd("CLUSTER").arg("SLOTS");
        let answers = node.shared().req_packed_commands(&questions, 0, 2).await;
        let answers = answers.map_err(|error| {
            self.lost(&node);
            with_address(&node, error)
        })?;
        let mut answers = answers.into_iter();
        let here = answers.next().unwrap_or(Value::Nil);
        let peers = answers.next().map(|slots| addresses(&slots, &address));
        let place = match server_error(&here) {
            None => node,
            Some(error) => match Fault::of(&error) {
                Fault::Elsewhere(there) => self.at(&full_address(&there, &address))?,
                // The slot is here still, and on its way elsewhere.
                Fault::Asked(_) | Fault::Unstable => node,
                Fault::Unknown | Fault::Lost | Fault::None => return Err(error),
            },
        };
        Ok((place, peers.unwrap_or_default()))
    }

    fn addresses(&self) -> Vec<String> {
        let map = self.lock();
        let mut addresses: Vec<String> = self.seeds.iter().chain(&map.peers).cloned().collect();
        addresses.sort();
        addresses.dedup();
        addresses
    }

    /// The node at an address, with the connection that is there already.
    fn at(&self, address: &str) -> Result<Node, RedisError> {
        let mut map = self.lock();
        if let Some(node) = map.nodes.get(address) {
            return Ok(node.clone());
        }
        let (host, port) = split(address).ok_or((ErrorKind::Parse, "the cluster named no address"))?;
        let info = self
            .login
            .clone()
            .set_addr(tls::at(self.login.addr(), host, port));
        let node = Node::new(info, self.timeout)?;
        map.nodes.insert(address.to_owned(), node.clone());
        Ok(node)
    }

    fn lock(&self) -> MutexGuard<'_, Map> {
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Map {
    fn place(&mut self, key: &str) -> &mut Place {
        let tag = hash_tag(key.as_bytes()).unwrap_or(key);
        self.places.entry(tag.to_owned()).or_insert_with(|| Place {
            key: key.to_owned(),
            node: None,
        })
    }
}

/// The part of a key that decides on its slot, and in this crate names the queue.
pub(super) fn hash_tag(key: &[u8]) -> Option<&str> {
    let open = key.iter().position(|byte| *byte == b'{')? + 1;
    let length = key[open..].iter().position(|byte| *byte == b'}')?;
    std::str::from_utf8(&key[open..open + length]).ok()
}

fn split(address: &str) -> Option<(&str, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    Some((host.trim_matches(['[', ']']), port.parse().ok()?))
}

/// A node that does not know its own name leaves it out.
fn full_address(named: &str, by: &str) -> String {
    let Some((host, port)) = split(named) else {
        return named.to_owned();
    };
    let host = match split(by) {
        Some((asked, _)) if host.is_empty() => asked,
        Some(_) | None => host,
    };
    format!("{host}:{port}")
}

/// The addresses in an answer to CLUSTER SLOTS: first slot, last slot, then a list for each node.
fn addresses(slots: &Value, by: &str) -> Vec<String> {
    let mut found = Vec::new();
    for range in items(slots) {
        for node in items(range).iter().skip(2).map(items) {
            let host = node.first().and_then(text).unwrap_or_default();
            let port = node.get(1).and_then(text);
            if let Some(port) = port.filter(|_| host != "?") {
                found.push(full_address(&format!("{host}:{port}"), by));
            }
        }
    }
    found.sort();
    found.dedup();
    found
}

fn items(value: &Value) -> &[Value] {
    value.as_sequence().unwrap_or_default()
}

fn text(value: &Value) -> Option<String> {
    redis::from_redis_value_ref(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_is_what_stands_in_the_first_braces() {
        assert_eq!(hash_tag(b"spiral:{mail}:memo:{x}"), Some("mail"));
        assert_eq!(hash_tag(b"spiral:mail}{"), None);
        assert_eq!(hash_tag(b"3"), None);
    }

    #[test]
    fn a_node_without_a_name_is_where_it_was_asked() {
        assert_eq!(full_address("10.0.0.7:7000", "a:7001"), "10.0.0.7:7000");
        assert_eq!(full_address(":7000", "a:7001"), "a:7000");
        assert_eq!(split("fe80::1:7000"), Some(("fe80::1", 7000)));
    }

    #[test]
    fn all_nodes_are_in_the_list_of_slots_each_once() {
        let node = |host: Value, port| Value::Array(vec![host, Value::Int(port)]);
        let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let slots = Value::Array(vec![
            Value::Array(vec![
                Value::Int(0),
                Value::Int(5460),
                node(text("10.0.0.1"), 7000),
                node(text("10.0.0.2"), 7001),
            ]),
            Value::Array(vec![
                Value::Int(5461),
                Value::Int(5461),
                node(text("10.0.0.1"), 7000),
                node(Value::Nil, 7002),
                node(text("?"), 7003),
            ]),
        ]);
        assert_eq!(
            addresses(&slots, "a:7002"),
            ["10.0.0.1:7000", "10.0.0.2:7001", "a:7002"]
        );
    }
}
