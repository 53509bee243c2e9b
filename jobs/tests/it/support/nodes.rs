//! Redis servers on ports of their own: what a cluster, and a master with its replica and sentinel, are made of.

use std::future::Future;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use redis::{FromRedisValue, IntoConnectionInfo};
use tempfile::TempDir;

use super::eventually;

/// With characters that an address must write in another way.
pub(crate) const PASSWORD: &str = "s@cret,";
pub(crate) const PASSWORD_IN_URL: &str = "s%40cret%2C";

/// A redis-server that listens on 127.0.0.1 and goes away with the test.
pub(crate) struct ServerNode {
    folder: TempDir,
    pub(crate) port: u16,
    /// Beside those that every one has.
    options: Vec<String>,
    password: &'static str,
    process: Mutex<Option<Child>>,
}

impl ServerNode {
    /// One that keeps what it was told.
    pub(crate) fn start(options: &[&str], password: &'static str) -> Self {
        let mut options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        options.extend(["--appendonly", "yes", "--appendfsync", "always"].map(str::to_owned));
        if !password.is_empty() {
            options.extend(["--requirepass", password, "--masterauth", password].map(str::to_owned));
        }
        Self::launched(&options, password, None)
    }

    /// A sentinel with this configuration.
    pub(crate) fn start_sentinel(configuration: &str, password: &'static str) -> Self {
        Self::launched(&["--sentinel".to_owned()], password, Some(configuration))
    }

    fn launched(options: &[String], password: &'static str, configuration: Option<&str>) -> Self {
        // Somebody else may take the port before the server does.
        for _ in 0..5 {
            let mut node = Self {
                folder: tempfile::tempdir().unwrap(),
                port: free_port(),
                options: options.to_vec(),
                password,
                process: Mutex::new(None),
            };
            if let Some(configuration) = configuration {
                let file = node.folder.path().join("sentinel.conf");
                std::fs::write(&file, configuration).unwrap();
                node.options.insert(0, file.display().to_string());
            }
            if options.iter().any(|option| option == "--cluster-enabled") {
                node.options.push("--cluster-port".to_owned());
                node.options.push(free_port().to_string());
            }
            if node.try_launch() {
                return node;
            }
        }
        panic!("redis-server did not come up on any port");
    }

    /// Starts it again with the data that it had.
    pub(crate) fn launch(&self) {
        assert!(self.try_launch(), "redis-server did not come up again");
    }

    fn try_launch(&self) -> bool {
        let mut process = Command::new("redis-server")
            .args(&self.options)
            .args([
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--port",
                &self.port.to_string(),
            ])
            .arg("--dir")
            .arg(self.folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("redis-server (Debian: apt-get install redis-server): {error}"));
        let deadline = Instant::now() + Duration::from_mins(2);
        let comes_up = loop {
            if self.ask::<String>(&["PING"]).is_ok() {
                break true;
            }
            if process.try_wait().unwrap().is_some() || Instant::now() > deadline {
                break false;
            }
            std::thread::yield_now();
        };
        *self.process.lock().unwrap() = Some(process);
        comes_up
    }

    /// Where the nodes of a cluster talk to each other.
    pub(crate) fn bus_port(&self) -> &str {
        self.options.last().unwrap()
    }

    /// STOP or CONT.
    pub(crate) fn signal(&self, signal: &str) {
        let process = self.process.lock().unwrap();
        let id = process.as_ref().unwrap().id().to_string();
        let sent = Command::new("kill").args([&format!("-{signal}"), &id]).status();
        assert!(sent.unwrap().success());
    }

    /// kill -9.
    pub(crate) fn kill(&self) {
        if let Some(mut process) = self.process.lock().unwrap().take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Comes back without any data.
    pub(crate) fn wipe(&self) {
        self.kill();
        std::fs::remove_dir_all(self.folder.path().join("appendonlydir")).ok();
        self.launch();
    }

    pub(crate) fn ask<T: FromRedisValue>(&self, command: &[&str]) -> redis::RedisResult<T> {
        let login = redis::RedisConnectionInfo::default();
        let info = redis::ConnectionAddr::Tcp("127.0.0.1".to_owned(), self.port)
            .into_connection_info()?
            .set_redis_settings(match self.password {
                "" => login,
                password => login.set_password(password),
            });
        let patience = Duration::from_secs(5);
        let mut connection = redis::Client::open(info)?.get_connection_with_timeout(patience)?;
        connection.set_read_timeout(Some(patience))?;
        let mut asked = redis::cmd(command[0]);
        asked.arg(&command[1..]);
        asked.query(&mut connection)
    }

    pub(crate) fn tell(&self, command: &[&str]) {
        let answer: redis::Value = self
            .ask(command)
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        drop(answer);
    }

    /// A line of INFO or CLUSTER INFO.
    pub(crate) fn says(&self, command: &[&str], line: &str) -> bool {
        let text: String = self.ask(command).unwrap_or_default();
        text.lines().any(|found| found.trim() == line)
    }
}

impl Drop for ServerNode {
    fn drop(&mut self) {
        self.kill();
    }
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// Slots of a cluster.
const SLOTS: usize = 16_384;

/// A cluster of three masters with a third of the slots each. Slots that are not served do not stop the others.
pub(crate) struct RedisCluster {
    pub(crate) masters: Vec<ServerNode>,
}

impl RedisCluster {
    pub(crate) async fn start() -> Self {
        let masters: Vec<ServerNode> = (0..3).map(|_| Self::node()).collect();
        for (number, node) in masters.iter().enumerate() {
            let (first, next) = (number * SLOTS / 3, (number + 1) * SLOTS / 3);
            node.tell(&[
                "CLUSTER",
                "ADDSLOTSRANGE",
                &first.to_string(),
                &(next - 1).to_string(),
            ]);
            node.tell(&["CLUSTER", "SET-CONFIG-EPOCH", &(number + 1).to_string()]);
        }
        let cluster = Self { masters };
        for node in &cluster.masters[1..] {
            cluster.introduce(node);
        }
        eventually("the nodes know each other", async || {
            cluster.masters.iter().all(|node| {
                node.says(&["CLUSTER", "INFO"], "cluster_state:ok")
                    && node.says(&["CLUSTER", "INFO"], "cluster_size:3")
            })
        })
        .await;
        cluster
    }

    fn node() -> ServerNode {
        let options = ["--cluster-enabled", "yes", "--cluster-node-timeout", "4000"];
        let whole = [
            "--cluster-require-full-coverage",
            "no",
            "--repl-diskless-sync-delay",
            "0",
        ];
        ServerNode::start(&[options, whole].concat(), PASSWORD)
    }

    /// Makes a node that has joined known to all.
    fn introduce(&self, node: &ServerNode) {
        let first = &self.masters[0];
        let bus = first.bus_port();
        node.tell(&["CLUSTER", "MEET", "127.0.0.1", &first.port.to_string(), bus]);
    }

    /// Another node, which copies this one and takes over when it is gone.
    pub(crate) async fn replica_of(&self, master: &ServerNode) -> ServerNode {
        let replica = Self::node();
        self.introduce(&replica);
        let id = id_of(master);
        eventually("the replica knows its master", async || {
            replica.ask::<String>(&["CLUSTER", "REPLICATE", &id]).is_ok()
        })
        .await;
        eventually("the replica is up to date and known", async || {
            replica.says(&["INFO", "replication"], "master_link_status:up")
                && self.masters.iter().all(|node| {
                    let nodes: String = node.ask(&["CLUSTER", "NODES"]).unwrap_or_default();
                    nodes.contains(" slave ")
                })
        })
        .await;
        replica
    }

    /// Some of the nodes, as a setting.
    pub(crate) fn url(&self) -> String {
        let hosts: Vec<String> = self
            .masters
            .iter()
            .map(|node| format!("127.0.0.1:{}", node.port))
            .collect();
        format!("redis-cluster://:{PASSWORD_IN_URL}@{}", hosts.join(","))
    }

    /// A queue that is on this node. The first node's comes first everywhere.
    pub(crate) fn queue_on(&self, number: usize) -> jobs::job::QueueName {
        let (first, next) = (number * SLOTS / 3, (number + 1) * SLOTS / 3);
        let name = (0..1_000)
            .map(|n| format!("{}-{n}", ["a", "b", "c"][number]))
            .find(|name| {
                let slot = self.slot_of(name);
                (first..next).contains(&slot)
            });
        name.unwrap().parse().unwrap()
    }

    pub(crate) fn slot_of(&self, queue: &str) -> usize {
        self.masters[0]
            .ask(&["CLUSTER", "KEYSLOT", &format!("{{{queue}}}")])
            .unwrap()
    }

    /// Moves a slot with everything in it, as `redis-cli --cluster reshard` does. `halfway` is called when some of
    /// its keys are on either side.
    pub(crate) async fn move_slot<F: Future<Output = ()>>(
        &self,
        slot: usize,
        from: usize,
        to: usize,
        halfway: impl FnOnce() -> F,
    ) {
        self.begin_move(slot, from, to);
        self.move_keys(slot, from, to, halfway).await;
        self.end_move(slot, from, to);
    }

    /// Keys of this slot that are not there any more are looked for at `to`.
    pub(crate) fn begin_move(&self, slot: usize, from: usize, to: usize) {
        let (from, to) = (&self.masters[from], &self.masters[to]);
        let slot = slot.to_string();
        to.tell(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &id_of(from)]);
        from.tell(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &id_of(to)]);
    }

    pub(crate) async fn move_keys<F: Future<Output = ()>>(
        &self,
        slot: usize,
        from: usize,
        to: usize,
        halfway: impl FnOnce() -> F,
    ) {
        let (from, to) = (&self.masters[from], &self.masters[to]);
        let slot = slot.to_string();
        let mut halfway = Some(halfway);
        loop {
            let keys: Vec<String> = from.ask(&["CLUSTER", "GETKEYSINSLOT", &slot, "1"]).unwrap();
            let Some(key) = keys.first() else { break };
            // The key may be gone by now, which is no error.
            let port = to.port.to_string();
            from.tell(&["MIGRATE", "127.0.0.1", &port, key, "0", "5000", "AUTH", PASSWORD]);
            if let Some(halfway) = halfway.take() {
                halfway().await;
            }
        }
    }

    pub(crate) fn end_move(&self, slot: usize, from: usize, to: usize) {
        let slot = slot.to_string();
        let new = id_of(&self.masters[to]);
        for node in [to, from] {
            self.masters[node].tell(&["CLUSTER", "SETSLOT", &slot, "NODE", &new]);
        }
    }
}

pub(crate) fn id_of(node: &ServerNode) -> String {
    node.ask(&["CLUSTER", "MYID"]).unwrap()
}
