//! The Redis that is killed, emptied and started again. It listens on a Unix socket, so that no port can be taken by
//! somebody else while it is down.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use xtask::server::{self, Server};

use crate::options::Fsync;

/// How long it may take to start: it reads its log.
const READY: Duration = Duration::from_mins(1);

#[derive(Debug)]
pub(crate) struct Redis {
    folder: PathBuf,
    fsync: Fsync,
    server: Option<Server>,
    starts: u32,
    /// When it may have forgotten something, and what.
    losses: Vec<Loss>,
}

/// A moment after which Redis may know less than before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Loss {
    pub(crate) at: DateTime<Utc>,
    pub(crate) kind: LossKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LossKind {
    /// What it did last may not be in its log.
    Latest,
    Everything,
}

impl Redis {
    pub(crate) fn start(folder: &Path, fsync: Fsync) -> Result<Self> {
        let mut redis = Self {
            folder: folder.to_path_buf(),
            fsync,
            server: None,
            starts: 0,
            losses: Vec::new(),
        };
        fs::create_dir_all(redis.data())?;
        redis.start_again()?;
        Ok(redis)
    }

    fn data(&self) -> PathBuf {
        self.folder.join("redis")
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join("redis.sock")
    }

    /// Its address for those that are not to be cut off.
    pub(crate) fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    pub(crate) fn losses(&self) -> &[Loss] {
        &self.losses
    }

    pub(crate) fn connect(&self) -> Result<redis::Connection> {
        let client = redis::Client::open(self.url())?;
        let connection = client.get_connection_with_timeout(Duration::from_secs(2))?;
        connection.set_read_timeout(Some(Duration::from_secs(10)))?;
        Ok(connection)
    }

    /// Starts it with what its log holds.
    pub(crate) fn start_again(&mut self) -> Result<()> {
        if self.server.is_some() {
            return Ok(());
        }
        self.starts += 1;
        let mut command = server::command("redis-server");
        command.args(["--port", "0", "--daemonize", "no", "--save", "", "--unixsocket"]);
        command.arg(self.socket()).arg("--dir").arg(self.data());
        command.args(["--appendonly", "yes", "--appendfsync", self.fsync.setting()]);
        let log = self.folder.join(format!("redis.{}.log", self.starts));
        let mut server = Server::start("redis-server", &mut command, &log)?;
        server.wait_until(READY, || self.answers())?;
        self.server = Some(server);
        Ok(())
    }

    fn answers(&self) -> bool {
        let ask = || -> Result<String> { Ok(redis::cmd("PING").query(&mut self.connect()?)?) };
        ask().is_ok_and(|answer| answer == "PONG")
    }

    /// Ends it as a crash would; what its log holds stays.
    pub(crate) fn kill(&mut self) -> Result<()> {
        if let Some(mut server) = self.server.take() {
            server.kill()?;
            // With `always` what was answered is in the log.
            if self.fsync == Fsync::EverySecond {
                self.lose(LossKind::Latest);
            }
        }
        Ok(())
    }

    /// Takes away what is on its disk, while it is down.
    pub(crate) fn wipe(&mut self) -> Result<()> {
        match fs::remove_dir_all(self.data()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).context("cannot wipe the data of Redis");
            }
            _ => {}
        }
        fs::create_dir_all(self.data())?;
        self.lose(LossKind::Everything);
        Ok(())
    }

    /// Empties it while it runs.
    pub(crate) fn flush(&mut self) -> Result<()> {
        redis::cmd("FLUSHALL")
            .exec(&mut self.connect()?)
            .context("Redis was not emptied")?;
        self.lose(LossKind::Everything);
        Ok(())
    }

    /// Takes its room away: it may use a part of what it uses now. Returns how many bytes.
    pub(crate) fn fill(&mut self) -> Result<u64> {
        let mut connection = self.connect()?;
        let info: redis::InfoDict = redis::cmd("INFO").arg("memory").query(&mut connection)?;
        let used: u64 = info
            .get("used_memory")
            .context("Redis does not tell its memory")?;
        let most = used / 10 * 9;
        self.set_most(most)?;
        Ok(most)
    }

    pub(crate) fn make_room(&mut self) -> Result<()> {
        self.set_most(0)
    }

    fn set_most(&self, bytes: u64) -> Result<()> {
        redis::cmd("CONFIG")
            .arg("SET")
            .arg("maxmemory")
            .arg(bytes)
            .exec(&mut self.connect()?)
            .context("the memory of Redis was not limited")
    }

    /// How it ended, when it did so by itself.
    pub(crate) fn check(&mut self) -> Result<()> {
        match &mut self.server {
            Some(server) => server.check(),
            None => Ok(()),
        }
    }

    fn lose(&mut self, kind: LossKind) {
        let at = Utc::now();
        self.losses.push(Loss { at, kind });
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill().ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(redis: &Redis) -> u64 {
        redis::cmd("DBSIZE").query(&mut redis.connect().unwrap()).unwrap()
    }

    fn put(redis: &Redis) {
        redis::cmd("SET")
            .arg("a")
            .arg("b")
            .exec(&mut redis.connect().unwrap())
            .unwrap();
    }

    #[test]
    fn it_takes_nothing_while_it_is_full() {
        let folder = tempfile::tempdir().unwrap();
        let mut redis = Redis::start(folder.path(), Fsync::Always).unwrap();
        redis.fill().unwrap();
        let set = |redis: &Redis| {
            redis::cmd("SET")
                .arg("c")
                .arg("d")
                .exec(&mut redis.connect().unwrap())
        };
        assert_eq!(set(&redis).unwrap_err().code(), Some("OOM"));
        redis.make_room().unwrap();
        set(&redis).unwrap();
    }

    #[test]
    fn it_keeps_what_it_had_unless_that_is_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        let mut redis = Redis::start(folder.path(), Fsync::Always).unwrap();
        put(&redis);
        redis.kill().unwrap();
        assert!(redis.connect().is_err());
        redis.start_again().unwrap();
        assert_eq!(keys(&redis), 1);
        assert!(redis.losses().is_empty());

        redis.flush().unwrap();
        assert_eq!(keys(&redis), 0);
        put(&redis);
        redis.kill().unwrap();
        redis.wipe().unwrap();
        redis.start_again().unwrap();
        assert_eq!(keys(&redis), 0);
        let kinds: Vec<_> = redis.losses().iter().map(|loss| loss.kind).collect();
        assert_eq!(kinds, [LossKind::Everything; 2]);
    }
}
