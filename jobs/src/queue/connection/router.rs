//! One call on its way to the node that serves it, with several nodes to choose from.

use std::sync::Arc;
use std::time::{Duration, Instant};

use apalis_redis::RedisError;
use futures::FutureExt;
use redis::aio::ConnectionLike;
use redis::{Arg, Cmd, Pipeline, RedisFuture, Value};

use super::cluster::{Cluster, hash_tag};
use super::error_class::{Fault, server_error, with_address};
use super::node::Node;
use super::sentinel::Sentinel;

/// How often a call follows a slot that has moved: once, and again while a slot is on its way.
const MOST_MOVES: usize = 4;
/// How long a call waits for a slot of which some keys are on the way, and between two tries. An empty queue moves in
/// less; while a full one does, whoever called waits for the next try of its own.
const UNSTABLE_FOR: Duration = Duration::from_secs(1);
const UNSTABLE_PAUSE: Duration = Duration::from_millis(25);

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
            (Fault::None | Fault::Asked(_) | Fault::Unstable, _) => false,
            (Fault::Elsewhere(address), Self::Cluster(cluster)) => cluster.moved(key, node, &address).is_ok(),
            (Fault::Unknown, Self::Cluster(cluster)) => {
                cluster.doubtful(key, node);
                false
            }
            (Fault::Lost, Self::Cluster(cluster)) => {
                cluster.lost(node);
                false
            }
            (Fault::Elsewhere(_) | Fault::Unknown | Fault::Lost, Self::Sentinel(sentinel)) => {
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
    /// The node that a slot is on its way to, which was asked last.
    asked: Option<Node>,
}

/// What is sent: one command or several.
#[derive(Clone, Copy)]
enum Sent<'a> {
    Command(&'a Cmd),
    Pipeline(&'a Pipeline, usize, usize),
}

impl Sent<'_> {
    async fn to(self, node: &Node) -> Result<Vec<Value>, RedisError> {
        let mut connection = node.shared();
        match self {
            Self::Command(command) => Ok(vec![connection.req_packed_command(command).await?]),
            Self::Pipeline(pipeline, offset, count) => {
                connection.req_packed_commands(pipeline, offset, count).await
            }
        }
    }

    /// As a node takes it that is about to get the slot.
    async fn asking(self, node: &Node) -> Result<Vec<Value>, RedisError> {
        let commands: Vec<&Cmd> = match self {
            Self::Command(command) => vec![command],
            Self::Pipeline(pipeline, _, _) => pipeline.cmd_iter().collect(),
        };
        let mut asking = Pipeline::with_capacity(commands.len() * 2);
        for command in &commands {
            asking.cmd("ASKING");
            asking.add_command((*command).clone());
        }
        let answers = node
            .shared()
            .req_packed_commands(&asking, 0, commands.len() * 2)
            .await?;
        Ok(answers.into_iter().skip(1).step_by(2).collect())
    }
}

impl<'a> Routed<'a> {
    pub(super) fn new(route: &'a Route) -> Self {
        Self {
            route,
            key: String::new(),
            asked: None,
        }
    }

    /// All keys carry their queue as hash tag, and no argument that comes before the first key looks like one, but for
    /// the text of a script. Returns the node when the command must go where the one before it went.
    fn aim(&mut self, command: Option<&Cmd>) -> Option<Node> {
        let mut arguments = command.into_iter().flat_map(Cmd::args_iter);
        if arguments.next() == Some(Arg::Simple(b"SCRIPT".as_slice())) {
            return self.asked.clone();
        }
        let key = arguments.find_map(|argument| match argument {
            Arg::Simple(bytes) => hash_tag(bytes).and(std::str::from_utf8(bytes).ok()),
            Arg::Cursor | _ => None,
        });
        if let Some(key) = key {
            key.clone_into(&mut self.key);
        }
        None
    }

    /// Sends, and follows the slot. Nothing is sent again that a node may have carried out: a node that names another
    /// one, or says that a slot is on its way, has not begun.
    async fn send(&mut self, sent: Sent<'_>) -> Result<Vec<Value>, RedisError> {
        let begun = Instant::now();
        let mut moves = 0;
        loop {
            let node = self.route.node(&self.key).await?;
            let mut result = sent.to(&node).await;
            let mut error = refusal(&result);
            if let (Some(Fault::Asked(address)), Route::Cluster(cluster)) =
                (error.as_ref().map(Fault::of), self.route)
            {
                let next = cluster.named(&node, &address)?;
                result = sent.asking(&next).await;
                error = refusal(&result);
                self.asked = Some(next);
            }
            let Some(error) = error else { return result };
            let is_unstable = matches!(Fault::of(&error), Fault::Asked(_) | Fault::Unstable);
            if is_unstable && begun.elapsed() < UNSTABLE_FOR {
                tokio::time::sleep(UNSTABLE_PAUSE).await;
                continue;
            }
            moves += 1;
            if !self.route.learn(&self.key, &node, &error) || moves > MOST_MOVES {
                return result.map_err(|error| with_address(&node, error));
            }
        }
    }
}

fn refusal(result: &Result<Vec<Value>, RedisError>) -> Option<RedisError> {
    match result {
        Ok(answers) => answers.iter().find_map(server_error),
        Err(error) => Some(error.clone()),
    }
}

impl ConnectionLike for Routed<'_> {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        async move {
            if let Some(node) = self.aim(Some(command)) {
                return node.shared().req_packed_command(command).await;
            }
            let answers = self.send(Sent::Command(command)).await?;
            Ok(answers.into_iter().next().unwrap_or(Value::Nil))
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
            self.send(Sent::Pipeline(pipeline, offset, count)).await
        }
        .boxed()
    }

    fn get_db(&self) -> i64 {
        0
    }
}
