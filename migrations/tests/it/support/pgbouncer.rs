//! A real `PgBouncer` in front of the tests' PostgreSQL.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

pub(crate) struct PgBouncer {
    child: Child,
    port: u16,
    folder: TempDir,
}

impl PgBouncer {
    /// With this `pool_mode`, and further lines of its settings.
    pub(crate) fn start(server: &str, pool_mode: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // It refuses to run as root, and reads its settings as somebody else then.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let (user, password, host, server_port) = parts(server);
        let settings = format!(
            "[databases]\n* = host={host} port={server_port} user={user} password={password}\n[pgbouncer]\n\
             listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n\
             ignore_startup_parameters = extra_float_digits, options\npool_mode = {pool_mode}\n{more}\n"
        );
        let file = folder.path().join("pgbouncer.ini");
        fs::write(&file, settings).unwrap();
        let mut command = Command::new(program());
        if fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0) {
            command.args(["-u", "nobody"]);
        }
        let child = command
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.path().join("log")).unwrap())
            .spawn()
            .unwrap_or_else(|error| panic!("no pgbouncer ({error}): `cargo xtask test` installs it"));
        let mut bouncer = Self { child, port, folder };
        bouncer.wait();
        bouncer
    }

    fn wait(&mut self) {
        let deadline = Instant::now() + Duration::from_mins(2);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let log = fs::read_to_string(self.folder.path().join("log")).unwrap();
            assert_eq!(self.child.try_wait().unwrap(), None, "{log}");
            assert!(Instant::now() < deadline, "pgbouncer does not answer: {log}");
            thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// The same database through it.
    pub(crate) fn url(&self, url: &str) -> String {
        let (authority, name) = url.rsplit_once('/').unwrap();
        let user = authority.rsplit_once('@').unwrap().0;
        format!("{user}@127.0.0.1:{}/{name}", self.port)
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Debian puts it where a user's `PATH` does not look.
fn program() -> PathBuf {
    let usual = PathBuf::from("/usr/sbin/pgbouncer");
    if usual.exists() { usual } else { "pgbouncer".into() }
}

/// User, password, host and port of a `postgres://` address.
fn parts(url: &str) -> (String, String, String, String) {
    let rest = url.strip_prefix("postgres://").unwrap();
    let (user, rest) = rest.split_once('@').unwrap();
    let (user, password) = user.split_once(':').unwrap_or((user, ""));
    let (host, port) = rest.split('/').next().unwrap().rsplit_once(':').unwrap();
    [user, password, host, port].map(str::to_owned).into()
}
