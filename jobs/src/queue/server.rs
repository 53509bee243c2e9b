//! Whether Redis is set up to keep what it is given. A queue on a Redis that evicts keys works until memory is short,
//! and then loses jobs silently; so this asks at the start and again from time to time.

use std::fmt;

use redis::InfoDict;

use super::Queues;
use crate::error::Error;
use crate::job::QueueName;

/// The one policy that fails a write instead of throwing away other people's keys.
const SAFE_POLICY: &str = "noeviction";

/// Something about a Redis server that will lose jobs one day. [`fmt::Display`] describes it to an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerWarning {
    /// The address of the server.
    pub server: String,
    pub kind: ServerWarningKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerWarningKind {
    /// Keys are thrown away when memory is short, by this `maxmemory-policy`.
    Evicts { policy: String },
    /// There is no append-only file: a restart forgets what happened since the last snapshot, or everything.
    KeepsNoLog,
    /// Its memory is full, in bytes: no job comes in.
    Full { used: u64, most: u64 },
    /// The last write of this file failed.
    CannotWrite { file: &'static str },
}

/// The memory of a Redis server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerMemory {
    /// The address of the server.
    pub server: String,
    /// Bytes.
    pub used: u64,
    /// `maxmemory`; 0 is no limit.
    pub most: u64,
}

impl ServerWarning {
    /// The same thing is wrong with the same server, whatever its numbers are by now.
    pub fn is_about_the_same(&self, other: &Self) -> bool {
        let full = |warning: &Self| matches!(warning.kind, ServerWarningKind::Full { .. });
        self.server == other.server && (self.kind == other.kind || (full(self) && full(other)))
    }
}

impl fmt::Display for ServerWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = &self.server;
        match &self.kind {
            ServerWarningKind::Evicts { policy } => write!(
                f,
                "Redis at {server} will evict keys when its memory is full: maxmemory-policy is {policy}; set it to {SAFE_POLICY}"
            ),
            ServerWarningKind::Full { used, most } => write!(
                f,
                "Redis at {server} is full: it uses {} of {} MB (maxmemory); jobs that it holds go on, and new ones wait in the database until it has room; raise maxmemory, or add workers",
                megabytes(*used),
                megabytes(*most)
            ),
            ServerWarningKind::KeepsNoLog => write!(
                f,
                "Redis at {server} keeps no append-only file: after a restart jobs that ran will run again; set appendonly to yes"
            ),
            ServerWarningKind::CannotWrite { file } => write!(
                f,
                "Redis at {server} could not write its {file}: look at its log and at the free space on its disk"
            ),
        }
    }
}

impl Queues {
    /// Asks the servers that were used so far (or the one of the standard queue) how they are set up, and returns what of
    /// that will lose jobs one day.
    ///
    /// # Errors
    /// When Redis fails.
    pub async fn server_warnings(&self) -> Result<Vec<ServerWarning>, Error> {
        let key = self.keys(&QueueName::standard()).jobs();
        let servers = self.connection.info(&key).await?;
        Ok(servers
            .into_iter()
            .flat_map(|(server, info)| {
                kinds(&info).into_iter().map(move |kind| ServerWarning {
                    server: server.clone(),
                    kind,
                })
            })
            .collect())
    }

    /// How much memory those servers use, and how much they may.
    ///
    /// # Errors
    /// When Redis fails.
    pub async fn memory_of_servers(&self) -> Result<Vec<ServerMemory>, Error> {
        let key = self.keys(&QueueName::standard()).jobs();
        let servers = self.connection.info(&key).await?.into_iter();
        let memory = servers.filter_map(|(server, info)| {
            let used = info.get("used_memory")?;
            let most = info.get("maxmemory").unwrap_or_default();
            Some(ServerMemory { server, used, most })
        });
        Ok(memory.collect())
    }
}

fn megabytes(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "one digit after the point is shown")]
    let megabytes = bytes as f64 / 1_000_000.0;
    format!("{megabytes:.1}")
}

/// What the answer to `INFO` says. A field that a server leaves out (some providers do) is no reason to warn.
fn kinds(info: &InfoDict) -> Vec<ServerWarningKind> {
    let is = |field: &str, value: &str| info.get::<String>(field).is_some_and(|found| found == value);
    let mut kinds = Vec::new();
    if let Some(policy) = info.get::<String>("maxmemory_policy")
        && policy != SAFE_POLICY
    {
        kinds.push(ServerWarningKind::Evicts { policy });
    }
    if let (Some(used), Some(most @ 1..)) = (info.get("used_memory"), info.get("maxmemory"))
        && used >= most
    {
        kinds.push(ServerWarningKind::Full { used, most });
    }
    if is("aof_enabled", "0") {
        kinds.push(ServerWarningKind::KeepsNoLog);
    }
    if is("aof_last_write_status", "err") {
        kinds.push(ServerWarningKind::CannotWrite {
            file: "append-only file",
        });
    }
    if is("rdb_last_bgsave_status", "err") {
        kinds.push(ServerWarningKind::CannotWrite { file: "snapshot" });
    }
    kinds
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds_of(info: &str) -> Vec<ServerWarningKind> {
        kinds(&InfoDict::new(info))
    }

    #[test]
    fn a_server_that_keeps_everything_is_no_reason_to_warn() {
        let info = "used_memory:999\r\nmaxmemory:1000\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\naof_last_write_status:ok\r\nrdb_last_bgsave_status:ok\r\n";
        assert_eq!(kinds_of(info), []);
    }

    #[test]
    fn what_a_server_leaves_out_is_no_reason_to_warn() {
        assert_eq!(kinds_of("redis_version:7.2.4\r\n"), []);
    }

    #[test]
    fn each_problem_is_described_in_words_that_name_the_setting() {
        let info = "used_memory:3450000\r\nmaxmemory:3000000\r\nmaxmemory_policy:allkeys-lru\r\naof_enabled:0\r\naof_last_write_status:err\r\nrdb_last_bgsave_status:err\r\n";
        let warnings: Vec<String> = kinds_of(info)
            .into_iter()
            .map(|kind| {
                let server = "cache:6379".to_owned();
                ServerWarning { server, kind }.to_string()
            })
            .collect();
        let named = [
            "maxmemory-policy is allkeys-lru",
            "is full: it uses 3.5 of 3.0 MB (maxmemory)",
            "appendonly",
            "append-only file",
            "snapshot",
        ];
        assert_eq!(warnings.len(), named.len(), "{warnings:?}");
        for (text, part) in warnings.iter().zip(named) {
            assert!(text.contains(part) && text.contains("cache:6379"), "{text}");
        }
    }
}
