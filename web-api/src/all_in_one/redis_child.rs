//! The private Redis of the all-in-one mode: a child process on a socket in the data folder, brought back when it
//! dies, ended in order at the end, and ended by the system when this process is killed.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::process::{Child, Command};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::data_folder::{DataFolder, in_url};
use super::redis_client::{self, Found};

/// It may have a long log to read.
const START_TIMEOUT: Duration = Duration::from_mins(2);
const END_TIMEOUT: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(20);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// One that lived for so long did not die of how it was started.
const HEALTHY: Duration = Duration::from_mins(1);

/// A running redis-server.
pub(super) struct RedisChild {
    program: Program,
    child: Child,
    begun: Instant,
}

/// How to start it.
struct Program {
    folder: PathBuf,
    socket: PathBuf,
    log: PathBuf,
}

impl RedisChild {
    /// Starts it and waits until it answers.
    pub(super) async fn start(folder: &DataFolder) -> anyhow::Result<Self> {
        let program = Program {
            folder: folder.path().to_path_buf(),
            socket: folder.socket().to_path_buf(),
            log: folder.redis_log(),
        };
        program.end_leftover().await?;
        let mut child = program.spawn()?;
        program.wait_until_ready(&mut child).await?;
        Ok(Self {
            program,
            child,
            begun: Instant::now(),
        })
    }

    /// The address for clients.
    pub(super) fn url(&self) -> String {
        format!("unix://{}", in_url(&self.program.socket))
    }

    /// Watches it until `end`: a Redis that dies is started again. Then has it save everything, and ends it.
    pub(super) async fn keep(mut self, end: CancellationToken) -> anyhow::Result<()> {
        let mut pause = FIRST_PAUSE;
        loop {
            let status = tokio::select! {
                () = end.cancelled() => return self.end().await,
                status = self.child.wait() => status,
            };
            if self.begun.elapsed() > HEALTHY {
                pause = FIRST_PAUSE;
            }
            tracing::error!(status = %exit_in_words(&status), ?pause, "the private Redis died; it is started again");
            loop {
                tokio::select! {
                    () = end.cancelled() => return Ok(()),
                    () = tokio::time::sleep(pause) => {}
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
                match self.restart(&end).await {
                    Ok(()) => break,
                    Err(error) => {
                        tracing::error!(error = %format_args!("{error:#}"), ?pause, "it does not start");
                    }
                }
            }
        }
    }

    async fn restart(&mut self, end: &CancellationToken) -> anyhow::Result<()> {
        self.program.end_leftover().await?;
        self.child = self.program.spawn()?;
        self.begun = Instant::now();
        tokio::select! {
            ready = self.program.wait_until_ready(&mut self.child) => ready?,
            () = end.cancelled() => return Ok(()),
        }
        tracing::info!("the private Redis is back");
        Ok(())
    }

    async fn end(&mut self) -> anyhow::Result<()> {
        redis_client::shut_down(&self.program.socket).await;
        match tokio::time::timeout(END_TIMEOUT, self.child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(status) => bail!(
                "the private Redis did not end in order ({}): see {}",
                exit_in_words(&status),
                self.program.log.display()
            ),
            Err(_elapsed) => {
                self.child.kill().await.context("cannot end the private Redis")?;
                bail!("the private Redis did not end within {END_TIMEOUT:?} and was killed");
            }
        }
    }
}

impl Program {
    /// Makes sure that nobody else is on the socket. We hold the folder's lock: whoever is there was left behind by a
    /// process that was killed, and may have more to write.
    async fn end_leftover(&self) -> anyhow::Result<()> {
        let end = Instant::now() + END_TIMEOUT;
        let mut exit_in_words = false;
        while redis_client::ping(&self.socket).await != Found::Nobody {
            if !std::mem::replace(&mut exit_in_words, true) {
                tracing::warn!(socket = %self.socket.display(), "ending a Redis that an earlier run left behind");
            }
            if Instant::now() >= end {
                bail!(
                    "a redis-server that an earlier run left behind still listens on {} and does not end: end it by hand",
                    self.socket.display()
                );
            }
            redis_client::shut_down(&self.socket).await;
            tokio::time::sleep(LOOK_EVERY).await;
        }
        match fs::remove_file(&self.socket) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove the old socket {}", self.socket.display()))
            }
            _ => Ok(()),
        }
    }

    fn spawn(&self) -> anyhow::Result<Child> {
        // What it says before it has its own log, such as a setting that it does not know.
        let log = File::options().create(true).append(true).open(&self.log);
        let log = log.with_context(|| format!("cannot write {}", self.log.display()))?;
        let start = |program: &str, arguments: &[&str]| {
            let mut command = Command::new(program);
            command
                .args(arguments)
                .args([
                    "--port",
                    "0",
                    "--unixsocketperm",
                    "700",
                    "--dir",
                    ".",
                    "--daemonize",
                    "no",
                ])
                .args(["--appendonly", "yes", "--appendfsync", "everysec", "--save", ""])
                .args([
                    "--maxmemory-policy",
                    "noeviction",
                    "--loglevel",
                    "notice",
                    "--logfile",
                ])
                .arg(&self.log)
                .arg("--unixsocket")
                .arg(&self.socket)
                .current_dir(&self.folder)
                .env_clear()
                .envs(std::env::vars_os().filter(|(name, _)| name == "PATH" || name == "LANG"))
                .stdin(Stdio::null())
                .stdout(log.try_clone()?)
                .stderr(log.try_clone()?)
                // A Ctrl-C in the terminal is for us: Redis ends last.
                .process_group(0)
                .kill_on_drop(true);
            command.spawn()
        };
        // `setpriv`, which Linux systems have, ties it to this thread: were we killed, it would go on for ever.
        let tied = start("setpriv", &["--pdeathsig", "KILL", "--", "redis-server"]);
        let child = match tied {
            Err(error) if error.kind() == ErrorKind::NotFound => start("redis-server", &[]),
            result => result,
        };
        child
            .map_err(|error| missing(&error))
            .context("cannot start the private Redis")
    }

    /// Waits for the first good answer.
    async fn wait_until_ready(&self, child: &mut Child) -> anyhow::Result<()> {
        let end = Instant::now() + START_TIMEOUT;
        loop {
            let found = redis_client::ping(&self.socket).await;
            if found == Found::Ready {
                return Ok(());
            }
            if let Some(status) = child.try_wait()? {
                // 127 is how `setpriv` and shells say that there is no such program.
                if status.code() == Some(127) {
                    return Err(missing(&io::Error::from(ErrorKind::NotFound)))
                        .context("cannot start the private Redis");
                }
                bail!(
                    "the private Redis ended at once ({status}). The end of {}:\n{}",
                    self.log.display(),
                    self.last_lines()
                );
            }
            if Instant::now() >= end {
                bail!(
                    "the private Redis is not ready after {START_TIMEOUT:?} ({found:?}): see {}",
                    self.log.display()
                );
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn last_lines(&self) -> String {
        last_lines(&self.log).unwrap_or_else(|error| format!("(it cannot be read: {error})"))
    }
}

fn last_lines(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(4_096)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    Ok(lines[lines.len().saturating_sub(10)..].join("\n"))
}

fn missing(error: &io::Error) -> anyhow::Error {
    if error.kind() == ErrorKind::NotFound {
        anyhow::anyhow!(
            "there is no program redis-server here. Install it (Debian, Ubuntu: apt install redis-server; \
             macOS: brew install redis), or run `cargo xtask up`, which does"
        )
    } else {
        anyhow::anyhow!("redis-server: {error}")
    }
}

fn exit_in_words(status: &io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    }
}
