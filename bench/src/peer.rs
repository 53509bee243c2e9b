//! A process of the benchmark, from the side that measures.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};
use xtask::{interrupt, say};

use crate::lines::Said;

/// How often a wait looks whether the developer wants to stop.
const LOOK: Duration = Duration::from_millis(200);

/// How long a process may take to start, and to end.
const START: Duration = Duration::from_secs(30);

pub(crate) struct Peer {
    name: String,
    child: Child,
    orders: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Peer {
    /// Starts it and waits until it is ready.
    pub(crate) async fn start(name: &str, command: Command) -> Result<Self> {
        let mut command = tokio::process::Command::from(command);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("{name} did not start"))?;
        let orders = child.stdin.take().context("no way to give orders")?;
        let output = child.stdout.take().context("no way to hear answers")?;
        let mut peer = Self {
            name: name.to_owned(),
            child,
            orders,
            lines: BufReader::new(output).lines(),
        };
        let said = peer.hear(START).await?;
        ensure!(said == Said::Ready, "{name} began with {said:?}");
        Ok(peer)
    }

    pub(crate) async fn order(&mut self, order: &str) -> Result<()> {
        let line = format!("{order}\n");
        let sent = self.orders.write_all(line.as_bytes()).await;
        sent.with_context(|| format!("{} takes no orders", self.name))
    }

    /// The next thing that it says.
    pub(crate) async fn hear(&mut self, limit: Duration) -> Result<Said> {
        let end = Instant::now() + limit;
        loop {
            interrupt::check()?;
            if let Ok(line) = tokio::time::timeout(LOOK, self.lines.next_line()).await {
                let line = line?.with_context(|| format!("{} ended by itself", self.name))?;
                return serde_json::from_str(&line).with_context(|| format!("{} said {line:?}", self.name));
            }
            if Instant::now() >= end {
                bail!("{} said nothing for {}", self.name, say::time(limit));
            }
        }
    }

    /// Lets it end in its own way; its last words are not measured.
    pub(crate) async fn stop(self) -> Result<()> {
        let Self {
            name,
            mut child,
            orders,
            ..
        } = self;
        drop(orders);
        match tokio::time::timeout(START, child.wait()).await {
            Ok(status) => {
                let status = status?;
                if !status.success() {
                    bail!("{name} ended badly ({status})");
                }
                Ok(())
            }
            Err(_elapsed) => bail!("{name} did not end"),
        }
    }
}

#[cfg(test)]
mod tests {
    use xtask::server;

    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    async fn shell(script: &str) -> Result<Peer> {
        let mut command = server::command("sh");
        command.args(["-c", script]);
        Peer::start("the shell", command).await
    }

    #[tokio::test]
    async fn it_obeys_and_answers_and_ends() {
        let script =
            r#"echo '{"say":"ready"}'; read order; test "$order" = go && echo '{"say":"ran"}'; read none"#;
        let mut peer = shell(&format!("{script}; exit 0")).await.unwrap();
        peer.order("go").await.unwrap();
        assert_eq!(peer.hear(SOON).await.unwrap(), Said::Ran);
        peer.stop().await.unwrap();
    }

    #[tokio::test]
    async fn one_that_ends_or_talks_nonsense_is_named() {
        for (script, expected) in [
            ("exit 3", "the shell ended by itself"),
            ("echo good morning; sleep 60", "the shell said \"good morning\""),
            (r#"echo '{"say":"ran"}'; sleep 60"#, "the shell began with Ran"),
        ] {
            let error = shell(script).await.err().unwrap().to_string();
            assert_eq!(error, expected);
        }
        let mut peer = shell(r#"echo '{"say":"ready"}'; read none; exit 4"#)
            .await
            .unwrap();
        let silence = peer.hear(Duration::from_millis(1)).await.unwrap_err().to_string();
        assert!(silence.starts_with("the shell said nothing for"), "{silence}");
        let end = peer.stop().await.unwrap_err().to_string();
        assert!(end.contains("ended badly"), "{end}");
    }
}
