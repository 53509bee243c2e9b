//! Starting other programs: they end when this one is told to, and their failures are told in plain words.

use std::env;
use std::ffi::OsStr;
use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::{interrupt, project, say};

const POLL: Duration = Duration::from_millis(20);

/// How long a program may take to end by itself once it was asked to.
const GRACE: Duration = Duration::from_secs(10);

/// A command in the checkout, in a process group of its own, without standard input.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(project::root())
        .stdin(Stdio::null())
        .process_group(0);
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(is_of_this_package) {
            command.env_remove(name);
        }
    }
    command
}

/// What `cargo run` tells this program about itself. Passed on to another cargo it would make build scripts run
/// again that watch these names (ring's does), and with them everything that depends on them.
fn is_of_this_package(name: &str) -> bool {
    name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") || name == "CARGO_PRIMARY_PACKAGE"
}

/// The same without settings that could lead it to a database or a Redis that is somebody's.
pub fn sealed_command(program: impl AsRef<OsStr>) -> Command {
    sealed(command(program))
}

/// Takes those settings away from a command.
pub fn sealed(mut command: Command) -> Command {
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(leads_out) {
            command.env_remove(name);
        }
    }
    command
}

fn leads_out(name: &str) -> bool {
    name.starts_with("SPIRAL_") || name.starts_with("PG") || matches!(name, "REDIS_URL" | "DATABASE_URL")
}

/// The words of a command, to name it in a message.
pub fn words(command: &Command) -> String {
    let program = Path::new(command.get_program())
        .file_name()
        .unwrap_or(command.get_program());
    let mut words = program.to_string_lossy().into_owned();
    for argument in command.get_args() {
        words.push(' ');
        words.push_str(&argument.to_string_lossy());
    }
    words
}

/// Runs it with its output shown; a failure is an error.
pub fn run(command: &mut Command) -> Result<()> {
    let status = wait(&mut spawn(command)?)?;
    if !status.success() {
        bail!("`{}` failed ({status})", words(command));
    }
    Ok(())
}

/// Runs it with both outputs kept back.
pub fn capture(command: &mut Command) -> Result<Captured> {
    let mut child = spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped()))?;
    let output = child.stdout.take().map(read_aside);
    let errors = child.stderr.take().map(read_aside);
    let status = wait(&mut child)?;
    Ok(Captured {
        status,
        output: collect(output),
        errors: collect(errors),
    })
}

/// What a captured program left behind.
#[derive(Debug)]
pub struct Captured {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub output: String,
    /// Its standard error.
    pub errors: String,
}

/// Runs it with its output kept back; a failure is an error that shows the end of what it said.
pub fn run_quietly(command: &mut Command) -> Result<String> {
    let captured = capture(command)?;
    if !captured.status.success() {
        let said = format!("{}{}", captured.output, captured.errors);
        bail!(
            "`{}` failed ({})\n{}",
            words(command),
            captured.status,
            say::tail(&said, 30)
        );
    }
    Ok(captured.output)
}

/// Runs it with its output shown, and hands each line of its standard output to `each`.
pub fn run_watched(command: &mut Command, mut each: impl FnMut(&str)) -> Result<ExitStatus> {
    let mut child = spawn(command.stdout(Stdio::piped()))?;
    let (sender, lines) = mpsc::channel();
    if let Some(pipe) = child.stdout.take() {
        thread::spawn(move || {
            let mut reader = BufReader::new(pipe);
            let mut line = Vec::new();
            while reader.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
                let mut out = io::stdout().lock();
                // A closed terminal must not end the tests: nobody is left to read this.
                drop(out.write_all(&line).and_then(|()| out.flush()));
                if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    break;
                }
                line.clear();
            }
        });
    }
    let status = wait(&mut child)?;
    // A grandchild may hold the pipe open: what it says later is of no interest.
    while let Ok(line) = lines.recv_timeout(Duration::from_secs(2)) {
        each(&line);
    }
    Ok(status)
}

/// Runs it and hands its standard error, which has to be piped, to `read` on a thread of its own.
pub fn run_read(
    command: &mut Command,
    read: impl FnOnce(ChildStderr) + Send + 'static,
) -> Result<ExitStatus> {
    let mut child = spawn(command)?;
    let reader = child.stderr.take().map(|pipe| thread::spawn(move || read(pipe)));
    let status = wait(&mut child)?;
    if let Some(reader) = reader {
        reader.join().ok();
    }
    Ok(status)
}

fn spawn(command: &mut Command) -> Result<Child> {
    command
        .spawn()
        .with_context(|| format!("cannot start `{}`", words(command)))
}

/// Waits for the end; when the developer wants to stop, the program is ended first.
fn wait(child: &mut Child) -> Result<ExitStatus> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if let Err(interrupted) = interrupt::pause(POLL) {
            stop_group(child, Signal::TERM, GRACE);
            return Err(interrupted.into());
        }
    }
}

/// Asks the whole process group to end; kills it when it does not, or on another Ctrl-C.
pub fn stop_group(child: &mut Child, signal: Signal, grace: Duration) {
    if matches!(child.try_wait(), Ok(Some(_))) {
        return;
    }
    let group = pid(child);
    if let Some(group) = group {
        kill_process_group(group, signal).ok();
    }
    if !ends_within(child, grace) {
        kill_group(child);
    }
}

/// Asks the one process to end, which ends its children in its own way; kills them all when it does not.
/// Says whether it ended by itself.
pub fn stop_process(child: &mut Child, signal: Signal, grace: Duration) -> bool {
    if matches!(child.try_wait(), Ok(Some(_))) {
        return true;
    }
    self::signal(child, signal);
    let ended = ends_within(child, grace);
    if !ended {
        kill_group(child);
    }
    ended
}

/// Sends the one process a signal; one that has ended gets none.
pub fn signal(child: &Child, signal: Signal) {
    if let Some(pid) = pid(child) {
        kill_process(pid, signal).ok();
    }
}

fn ends_within(child: &mut Child, grace: Duration) -> bool {
    let end = Instant::now() + grace;
    let seen = interrupt::count();
    while Instant::now() < end {
        if !matches!(child.try_wait(), Ok(None)) {
            return true;
        }
        if interrupt::wait(POLL, seen) {
            return false;
        }
    }
    false
}

fn kill_group(child: &mut Child) {
    if let Some(group) = pid(child) {
        kill_process_group(group, Signal::KILL).ok();
    }
    child.wait().ok();
}

fn pid(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

fn read_aside(mut pipe: impl Read + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut block = vec![0; 64 * 1024];
        while let Ok(length) = pipe.read(&mut block) {
            let Some(read) = block.get(..length).filter(|read| !read.is_empty()) else {
                break;
            };
            if sender.send(read.to_vec()).is_err() {
                break;
            }
        }
    });
    receiver
}

fn collect(blocks: Option<mpsc::Receiver<Vec<u8>>>) -> String {
    let mut all = Vec::new();
    if let Some(blocks) = blocks {
        while let Ok(block) = blocks.recv_timeout(Duration::from_secs(2)) {
            all.extend_from_slice(&block);
        }
    }
    String::from_utf8_lossy(&all).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_lead_to_somebodys_server_are_dropped() {
        for name in [
            "SPIRAL_REDIS_URL",
            "REDIS_URL",
            "DATABASE_URL",
            "PGHOST",
            "PGPASSWORD",
        ] {
            assert!(leads_out(name), "{name}");
        }
        for name in ["PATH", "HOME", "CARGO_TARGET_DIR", "NO_COLOR"] {
            assert!(!leads_out(name), "{name}");
        }
    }

    #[test]
    fn a_failure_shows_what_was_said() {
        let error = run_quietly(command("sh").args(["-c", "echo good; echo bad >&2; exit 3"])).unwrap_err();
        let shown = error.to_string();
        assert!(
            shown.contains("exit status: 3") && shown.contains("| good") && shown.contains("| bad"),
            "{shown}"
        );
    }

    #[test]
    fn watched_lines_arrive_in_order() {
        let mut lines = Vec::new();
        let status = run_watched(command("sh").args(["-c", "echo one; echo two; exit 1"]), |line| {
            lines.push(line.trim_end().to_owned());
        });
        assert_eq!(lines, ["one", "two"]);
        assert_eq!(status.unwrap().code(), Some(1));
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = format!("{:#}", run(&mut command("no-such-program-here")).unwrap_err());
        assert!(error.contains("no-such-program-here"), "{error}");
    }

    #[test]
    fn a_group_that_ignores_the_request_is_killed() {
        let mut child = spawn(command("sh").args(["-c", "trap '' TERM; sleep 60 & wait; sleep 60"])).unwrap();
        interrupt::wait(Duration::from_millis(200), u32::MAX);
        let start = Instant::now();
        stop_group(&mut child, Signal::TERM, Duration::from_millis(200));
        assert!(start.elapsed() < Duration::from_secs(5));
        assert!(matches!(child.try_wait(), Ok(Some(_))));
    }
}
