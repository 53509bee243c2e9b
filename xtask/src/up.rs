//! `cargo xtask up`: builds everything and runs it in one process with its own private Redis and SQLite.

use std::fs;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;

use crate::cli::UpOptions;
use crate::server::{self, Server};
use crate::{build, frontend, http, install, interrupt, project, say};

/// How long the server may take until it is ready; its Redis may have a long log to read.
const READY: Duration = Duration::from_mins(2);

/// How long it may take to end: jobs that run get the time to finish.
const GRACE: Duration = Duration::from_secs(45);

/// Runs until Ctrl-C, which is a good end.
pub fn run(options: &UpOptions) -> Result<()> {
    let data = options.data.clone().unwrap_or_else(|| project::path("data"));
    let data = std::path::absolute(&data).with_context(|| format!("`{}` is no folder", data.display()))?;
    check_port(options.port)?;

    println!("Spiral: building and starting it. Ctrl-C stops it again.\n");
    // Before anything is built, because two apt-get get into each other's way.
    install::ensure(&[install::REDIS])?;
    install::ensure(&install::FOR_BUILDING)?;
    install::need_node()?;
    let program = build_both()?;
    fs::create_dir_all(&data).with_context(|| format!("cannot make the folder {}", data.display()))?;

    let base_path = std::env::var_os("SPIRAL_BASE_PATH").unwrap_or_default();
    let begin = Instant::now();
    let log = data.join("web-api.log");
    let mut command = server::open_command(&program);
    // The data folder has its own Redis and database; an address meant for another program must not win over them.
    for name in [
        "REDIS_URL",
        "DATABASE_URL",
        "SPIRAL_REDIS_URL",
        "SPIRAL_DATABASE_URL",
        "SPIRAL_LISTEN",
    ] {
        command.env_remove(name);
    }
    command.args(["all-in-one", "--listen", &format!("127.0.0.1:{}", options.port)]);
    command
        .arg("--data")
        .arg(&data)
        .arg("--static")
        .arg(frontend::dist());
    let mut server = Server::start("web-api", &mut command, &log)?.ends_with(Signal::TERM, GRACE);
    server.wait_until(READY, || http::status(options.port, "/readyz") == Some(200))?;
    say::line("server", &format!("ready after {}", say::time(begin.elapsed())));
    let (data, log) = (project::shown(&data), project::shown(&log));
    println!("\n  data in {data}, log in {log}, Ctrl-C stops it\n");
    let address = format!("http://127.0.0.1:{}{}", options.port, base_path.display());
    println!("Spiral is ready: {address}");

    while interrupt::pause(Duration::from_millis(250)).is_ok() {
        server.check()?;
    }
    println!("\nStopping (jobs that run may finish; Ctrl-C again does not wait) …");
    if server.stop() {
        println!("Stopped.");
    } else {
        println!("Stopped by force. Unfinished jobs go on at the next start.");
    }
    Ok(())
}

/// The frontend while cargo builds: npm waits for the network, and the end of cargo's build keeps one processor alone busy.
fn build_both() -> Result<PathBuf> {
    let (pages, program) = thread::scope(|scope| {
        let pages = scope.spawn(|| frontend::build().inspect_err(|_| failed("frontend")));
        let program = build::web_api().inspect_err(|_| failed("server"));
        (pages.join(), program)
    });
    match pages {
        Ok(pages) => pages?,
        Err(panic) => resume_unwind(panic),
    }
    program
}

/// What fails first is told at once: the other one is not cut off.
fn failed(area: &str) {
    if interrupt::count() == 0 {
        say::line(area, "failed; why is told when the other build has ended");
    }
}

fn check_port(port: u16) -> Result<()> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            let free = |other: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *other)).is_ok();
            let other = (port.saturating_add(1)..=u16::MAX).find(free).unwrap_or(8080);
            bail!(
                "Port {port} is in use by another program (perhaps Spiral runs already: http://127.0.0.1:{port}).\n\
                 Stop that one, or choose another port:\n\n  cargo xtask up --port {other}"
            )
        }
        Err(error) => Err(error).with_context(|| format!("cannot listen on 127.0.0.1:{port}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_told_with_a_way_out() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = check_port(port).unwrap_err().to_string();
        assert!(
            error.contains(&format!("Port {port} is in use")) && error.contains("--port"),
            "{error}"
        );
        drop(taken);
        assert!(check_port(port).is_ok());
    }
}
