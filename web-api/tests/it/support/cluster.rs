//! The smallest Redis Cluster that has queues on different nodes: two, with half of the slots each.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    sync::Mutex,
    time::Duration,
};

use jobs::{job::QueueName, queue::RedisSettings};
use tempfile::TempDir;

use super::eventually;

/// Slots below this one are the first node's.
const HALF: u32 = 8_192;

pub(crate) struct RedisCluster {
    nodes: [Node; 2],
}

struct Node {
    folder: TempDir,
    port: u16,
    bus: u16,
    process: Mutex<Option<Child>>,
}

impl RedisCluster {
    pub(crate) async fn start() -> Self {
        let cluster = Self {
            nodes: [Node::start().await, Node::start().await],
        };
        let [first, second] = &cluster.nodes;
        first.ask(&["CLUSTER", "ADDSLOTSRANGE", "0", "8191"]);
        second.ask(&["CLUSTER", "ADDSLOTSRANGE", "8192", "16383"]);
        second.ask(&["CLUSTER", "SET-CONFIG-EPOCH", "2"]);
        let (port, bus) = (first.port.to_string(), first.bus.to_string());
        second.ask(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus]);
        eventually("the nodes know each other", async || {
            let whole = |node: &Node| {
                let said = node.ask(&["CLUSTER", "INFO"]);
                said.contains("cluster_state:ok") && said.contains("cluster_size:2")
            };
            cluster.nodes.iter().all(whole).then_some(())
        })
        .await;
        cluster
    }

    pub(crate) fn settings(&self) -> RedisSettings {
        let [first, second] = &self.nodes;
        RedisSettings {
            url: format!(
                "redis-cluster://127.0.0.1:{},127.0.0.1:{}",
                first.port, second.port
            ),
            timeout: Duration::from_secs(2),
            ..RedisSettings::default()
        }
    }

    /// A queue on each node.
    pub(crate) fn queues(&self) -> [QueueName; 2] {
        let on = |second: bool| {
            let named = (0..1_000).map(|n| format!("queue-{n}"));
            let mut there = named.filter(|name| {
                let slot = self.nodes[0].ask(&["CLUSTER", "KEYSLOT", name]);
                (slot.trim().parse::<u32>().unwrap() >= HALF) == second
            });
            there.next().unwrap().parse().unwrap()
        };
        [on(false), on(true)]
    }

    /// kill -9.
    pub(crate) fn kill(&self, number: usize) {
        self.nodes[number].kill();
    }

    /// STOP or CONT: it does not answer, and its connections stay up.
    pub(crate) fn signal(number: usize, process: &str, signal: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{signal}"), process])
            .status();
        assert!(sent.unwrap().success(), "node {number}");
    }

    pub(crate) fn process(&self, number: usize) -> String {
        let said = self.nodes[number].ask(&["INFO", "server"]);
        let mut lines = said.lines();
        let id = lines.find_map(|line| line.strip_prefix("process_id:"));
        id.unwrap().trim().to_owned()
    }

    /// Comes back without any data, but with its slots.
    pub(crate) async fn come_back_empty(&self, number: usize) {
        self.nodes[number].kill();
        self.nodes[number].launch().await;
    }
}

impl Node {
    async fn start() -> Self {
        let ports: Vec<TcpListener> = (0..2)
            .map(|_| TcpListener::bind(("127.0.0.1", 0)).unwrap())
            .collect();
        let port = |number: usize| ports[number].local_addr().unwrap().port();
        let node = Self {
            folder: tempfile::tempdir().unwrap(),
            port: port(0),
            bus: port(1),
            process: Mutex::new(None),
        };
        drop(ports);
        node.launch().await;
        node
    }

    async fn launch(&self) {
        // The shell ends the server when the test process is gone, however it went.
        let script = r#"redis-server "$@" & server=$!; read -r _; kill -9 $server; wait $server"#;
        let process = Command::new("sh")
            .args(["-c", script, "redis-server", "--bind", "127.0.0.1", "--save", ""])
            .args([
                "--port",
                &self.port.to_string(),
                "--cluster-port",
                &self.bus.to_string(),
            ])
            .args([
                "--cluster-enabled",
                "yes",
                "--cluster-require-full-coverage",
                "no",
                // A master that has given up half of the cluster refuses to serve, and of two one is half. So it never does.
                "--cluster-node-timeout",
                "600000",
            ])
            .arg("--dir")
            .arg(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        *self.process.lock().unwrap() = Some(process);
        eventually("redis-server comes up", async || {
            self.ask(&["PING"]).contains("PONG").then_some(())
        })
        .await;
    }

    fn ask(&self, command: &[&str]) -> String {
        let output = Command::new("redis-cli")
            .args(["-p", &self.port.to_string()])
            .args(command)
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn kill(&self) {
        if let Some(mut process) = self.process.lock().unwrap().take() {
            // The end of its input is the shell's order to kill the server.
            drop(process.stdin.take());
            process.wait().unwrap();
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}
