//! A private PostgreSQL that is thrown away: a folder of its own, a free port, a password nobody knows.
//!
//! For tests it is quick rather than safe (no fsync), because its data is worth nothing; for figures it is as it comes.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::server::{self, Server};
use crate::small_disk::SmallDisk;
use crate::{install, process, project};

/// A running PostgreSQL.
#[derive(Debug)]
pub struct Postgres {
    port: u16,
    password: String,
    programs: PathBuf,
    account: Option<Account>,
    settings: &'static [&'static str],
    // In this order: the server ends before its folder goes.
    server: Server,
    disk: Option<SmallDisk>,
    folder: TempDir,
}

/// What makes it quick and unsafe.
const QUICK: [&str; 3] = ["fsync=off", "synchronous_commit=off", "full_page_writes=off"];

impl Postgres {
    /// Makes a cluster and starts it: quick, and lost with the machine's power.
    pub fn start() -> Result<Self> {
        Self::start_with(&QUICK, false)
    }

    /// The same with each commit on the disk before it is answered, as in production.
    pub fn start_safe() -> Result<Self> {
        Self::start_with(&[], false)
    }

    /// The same on a disk of its own that can be made full, where this process may have one.
    pub fn start_safe_on_small_disk() -> Result<Self> {
        Self::start_with(&[], true)
    }

    fn start_with(settings: &'static [&'static str], small_disk: bool) -> Result<Self> {
        let programs = install::postgres_folder().context("PostgreSQL is not on this machine")?;
        // Sockets have short paths, so it lies in the system's own temporary folder.
        let folder = tempfile::Builder::new()
            .prefix("spiral-pg-")
            .tempdir()
            .context("no temporary folder")?;
        let account = Account::fitting()?;
        let password = random_hex()?;
        let (data, password_file) = (folder.path().join("data"), folder.path().join("password"));
        fs::write(&password_file, &password)?;
        if let Some(account) = &account {
            for path in [folder.path(), &password_file] {
                chown(path, Some(account.uid), Some(account.gid)).context("cannot hand the folder over")?;
            }
        }
        let disk = match &account {
            Some(account) if small_disk => {
                fs::create_dir(&data)?;
                SmallDisk::mount(&data, account.uid, account.gid)
            }
            Some(_) | None => None,
        };
        if small_disk && disk.is_none() && data.exists() {
            fs::remove_dir(&data)?;
        }
        let mut initdb = command(account.as_ref(), &programs.join("initdb"), folder.path());
        initdb.args([
            "--username=postgres",
            "--encoding=UTF8",
            "--locale=C",
            "--auth=password",
            "--no-sync",
        ]);
        initdb
            .arg(format!("--pwfile={}", password_file.display()))
            .arg("--pgdata")
            .arg(&data);
        process::run_quietly(&mut initdb)?;

        let port = project::lasting_port()?;
        let server = serve(account.as_ref(), &programs, folder.path(), port, settings)?;
        Ok(Self {
            port,
            password,
            programs,
            account,
            settings,
            server,
            disk,
            folder,
        })
    }

    /// Stops it in the middle of its work: connections are cut, nothing is tidied up.
    pub fn crash(&mut self) -> Result<()> {
        // SIGQUIT is its "immediate" end: the parts of it that serve clients are killed.
        if !self.server.stop_by(Signal::QUIT) {
            bail!("PostgreSQL did not end when it was told to, at once");
        }
        Ok(())
    }

    /// Starts it again with what it had, on the same port.
    pub fn start_again(&mut self) -> Result<()> {
        self.server = serve(
            self.account.as_ref(),
            &self.programs,
            self.folder.path(),
            self.port,
            self.settings,
        )?;
        Ok(())
    }

    /// Its disk, when it has one of its own.
    pub fn disk(&self) -> Option<&SmallDisk> {
        self.disk.as_ref()
    }

    /// Whether it has ended by itself, as it does when it cannot write what it must.
    pub fn has_ended(&mut self) -> Result<bool> {
        Ok(self.server.ended()?.is_some())
    }

    /// The address of one of its databases; `postgres` is always there.
    pub fn url(&self, database: &str) -> String {
        format!(
            "postgres://postgres:{}@127.0.0.1:{}/{database}",
            self.password, self.port
        )
    }

    /// Makes an empty database.
    pub fn create(&self, database: &str) -> Result<()> {
        process::run_quietly(self.client("createdb").arg(database)).map(drop)
    }

    /// What it answers to a question in SQL: a line a row.
    pub fn ask(&self, database: &str, question: &str) -> Result<String> {
        let mut psql = self.client("psql");
        psql.args(["--no-psqlrc", "--tuples-only", "--no-align"]);
        process::run_quietly(psql.args(["--command", question, database]))
    }

    fn client(&self, program: &str) -> Command {
        let mut command = process::sealed_command(self.programs.join(program));
        command.env("PGPASSWORD", &self.password);
        command.args(["--host=127.0.0.1", "--username=postgres"]);
        command.arg(format!("--port={}", self.port));
        command
    }
}

/// Starts the cluster in `folder` and waits until it answers.
fn serve(
    account: Option<&Account>,
    programs: &Path,
    folder: &Path,
    port: u16,
    settings: &[&str],
) -> Result<Server> {
    let mut postgres = command(account, &programs.join("postgres"), folder);
    postgres.arg("-D").arg(folder.join("data"));
    for setting in [
        format!("port={port}"),
        "listen_addresses=127.0.0.1".to_owned(),
        format!("unix_socket_directories={}", folder.display()),
        "max_connections=300".to_owned(),
    ] {
        postgres.arg("-c").arg(setting);
    }
    for setting in settings {
        postgres.arg("-c").arg(setting);
    }
    // The log lies outside the cluster's folder, so that it is this program that writes it.
    let log = folder.join("postgres.log");
    let server = Server::start("PostgreSQL", &mut postgres, &log)?;
    // SIGINT is its "fast" end: connections are cut, the files are closed.
    let mut server = server.ends_with(Signal::INT, Duration::from_secs(15));
    let ready = programs.join("pg_isready");
    server.wait_until(Duration::from_mins(1), || {
        let mut ask = process::sealed_command(&ready);
        ask.args(["--quiet", "--host=127.0.0.1", &format!("--port={port}")]);
        process::capture(&mut ask).is_ok_and(|answer| answer.status.success())
    })?;
    Ok(server)
}

/// One of its programs, as the account that it may run under.
fn command(account: Option<&Account>, program: &Path, folder: &Path) -> Command {
    let mut command = match account {
        Some(account) => server::command_as(account.uid, account.gid, program),
        None => server::command(program),
    };
    command.current_dir(folder);
    command
}

/// PostgreSQL refuses to run as root, so root lends it an account that may do nothing.
#[derive(Debug)]
struct Account {
    uid: u32,
    gid: u32,
}

impl Account {
    /// `None`: the developer's own account will do.
    fn fitting() -> Result<Option<Self>> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        if project::find("setpriv").is_none() {
            bail!(
                "PostgreSQL does not run as root, and there is no `setpriv` (util-linux) to start it as somebody else"
            );
        }
        let list = fs::read_to_string("/etc/passwd").context("cannot read the system's accounts")?;
        let account = ["postgres", "nobody"]
            .iter()
            .find_map(|name| Self::read(&list, name));
        account
            .context("PostgreSQL does not run as root, and there is no account `postgres` or `nobody`")
            .map(Some)
    }

    fn read(list: &str, name: &str) -> Option<Self> {
        let line = list.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        let uid = fields.next()?.parse().ok()?;
        Some(Self {
            uid,
            gid: fields.next()?.parse().ok()?,
        })
    }
}

fn random_hex() -> Result<String> {
    use std::fmt::Write as _;
    let mut bytes = [0_u8; 16];
    File::open(Path::new("/dev/urandom"))
        .and_then(|mut file| file.read_exact(&mut bytes))
        .context("no random numbers")?;
    let mut text = String::new();
    for byte in bytes {
        write!(text, "{byte:02x}")?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_read() {
        let list = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65533:nobody:/:/usr/sbin/nologin\n";
        let account = Account::read(list, "nobody").unwrap();
        assert_eq!((account.uid, account.gid), (65534, 65533));
        assert!(Account::read(list, "postgres").is_none());
    }

    #[test]
    fn passwords_differ() {
        let (one, other) = (random_hex().unwrap(), random_hex().unwrap());
        assert_eq!(one.len(), 32);
        assert_ne!(one, other);
    }
}
