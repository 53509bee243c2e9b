//! A private server process: started, waited for, ended with this program whatever happens.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;

use crate::{interrupt, process, project, say};

/// A running server; dropping it ends it.
#[derive(Debug)]
pub struct Server {
    name: &'static str,
    child: Child,
    log: PathBuf,
    signal: Signal,
    grace: Duration,
}

/// A server for the tests: sealed off from the developer's own servers.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    process::sealed(tethered(program, &[]))
}

/// The same under another account of the system, for servers that refuse to be root.
pub fn command_as(uid: u32, gid: u32, program: impl AsRef<OsStr>) -> Command {
    let options = [
        format!("--reuid={uid}"),
        format!("--regid={gid}"),
        "--clear-groups".to_owned(),
    ];
    process::sealed(tethered(program, &options))
}

/// A server that may see the developer's settings.
pub fn open_command(program: impl AsRef<OsStr>) -> Command {
    tethered(program, &[])
}

/// Where the system can do it, the server also ends when this program is killed.
fn tethered(program: impl AsRef<OsStr>, options: &[String]) -> Command {
    // `setpriv` is in util-linux, which Linux systems have: no unsafe code is needed to reach these calls.
    static CAN_TETHER: LazyLock<bool> = LazyLock::new(|| {
        let mut probe = Command::new("setpriv");
        probe
            .args(["--pdeathsig", "TERM", "true"])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        cfg!(target_os = "linux") && probe.status().is_ok_and(|status| status.success())
    });
    if options.is_empty() && !*CAN_TETHER {
        return process::command(program);
    }
    let mut command = process::command("setpriv");
    command.args(options);
    if *CAN_TETHER {
        command.arg("--pdeathsig=TERM");
    }
    command.arg("--").arg(program);
    command
}

impl Server {
    /// Starts it; what it says goes to the file `log`.
    pub fn start(name: &'static str, command: &mut Command, log: &Path) -> Result<Self> {
        let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let child = command
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("cannot start {name} (`{}`)", process::words(command)))?;
        Ok(Self {
            name,
            child,
            log: log.to_path_buf(),
            signal: Signal::TERM,
            grace: Duration::from_secs(15),
        })
    }

    /// Sets how it is asked to end, and how long that may take.
    #[must_use]
    pub fn ends_with(mut self, signal: Signal, grace: Duration) -> Self {
        self.signal = signal;
        self.grace = grace;
        self
    }

    /// Waits until `ready` says so; fails when the server dies first or the time is over.
    pub fn wait_until(&mut self, limit: Duration, mut ready: impl FnMut() -> bool) -> Result<()> {
        let end = Instant::now() + limit;
        loop {
            self.check()?;
            if ready() {
                return Ok(());
            }
            if Instant::now() >= end {
                bail!(
                    "{} was not ready after {}\n{}",
                    self.name,
                    say::time(limit),
                    self.log_tail()
                );
            }
            interrupt::pause(Duration::from_millis(25))?;
        }
    }

    /// Fails when it has died, and shows the end of its log.
    pub fn check(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{}", self.death(status)),
        }
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends its process a signal and does not wait for what comes of it.
    pub fn signal(&self, signal: Signal) {
        process::signal(&self.child, signal);
    }

    /// Ends it at once, as a crash would.
    pub fn kill(&mut self) -> Result<()> {
        self.signal(Signal::KILL);
        self.child.wait()?;
        Ok(())
    }

    /// How it ended; `None` while it runs.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Asks it to end and waits; says whether it ended by itself, in good order.
    pub fn stop(&mut self) -> bool {
        self.stop_by(self.signal)
    }

    /// The same by another signal than the one that it usually gets.
    pub fn stop_by(&mut self, signal: Signal) -> bool {
        process::stop_process(&mut self.child, signal, self.grace)
    }

    fn death(&self, status: ExitStatus) -> String {
        let log = self.log_tail();
        let place = project::shown(&self.log);
        format!(
            "{} ended by itself ({status}). The end of its log, {place}:\n{log}",
            self.name
        )
    }

    fn log_tail(&self) -> String {
        match fs::read(&self.log) {
            Ok(text) if text.is_empty() => "  | (it said nothing)\n".to_owned(),
            Ok(text) => say::tail(&String::from_utf8_lossy(&text), 30),
            Err(error) => format!("  | (its log cannot be read: {error})\n"),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_death_is_told_with_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = command("sh");
        command.args(["-c", "echo no luck today; exit 7"]);
        let mut server = Server::start("thing", &mut command, &folder.path().join("log")).unwrap();
        let error = server
            .wait_until(Duration::from_secs(5), || false)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("thing ended by itself") && error.contains("no luck today"),
            "{error}"
        );
    }

    #[test]
    fn a_kill_is_no_end_in_good_order() {
        let folder = tempfile::tempdir().unwrap();
        let mut sleep = command("sleep");
        let mut server = Server::start("sleep", sleep.arg("60"), &folder.path().join("log")).unwrap();
        assert_eq!(server.ended().unwrap(), None);
        server.kill().unwrap();
        assert_eq!(server.ended().unwrap().unwrap().code(), None);
    }

    #[test]
    fn dropping_it_ends_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = command("sleep");
        let server = Server::start("sleep", command.arg("60"), &folder.path().join("log")).unwrap();
        let start = Instant::now();
        drop(server);
        assert!(start.elapsed() < Duration::from_secs(5));
    }
}
