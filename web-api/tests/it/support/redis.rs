//! A redis-server of one test, on a socket in a folder that goes away with it.

use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use jobs::queue::RedisSettings;
use tempfile::TempDir;

pub(crate) struct RedisServer {
    folder: TempDir,
    process: Mutex<Option<Child>>,
}

impl RedisServer {
    pub(crate) fn start() -> Self {
        let server = Self {
            folder: tempfile::tempdir().unwrap(),
            process: Mutex::new(None),
        };
        server.launch();
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    pub(crate) fn settings(&self) -> RedisSettings {
        RedisSettings {
            url: self.url(),
            timeout: Duration::from_secs(2),
            ..RedisSettings::default()
        }
    }

    /// The answer to a question, as it comes, on a connection of its own.
    pub(crate) fn ask(&self, question: &str) -> String {
        let mut stream = UnixStream::connect(self.socket()).unwrap();
        stream
            .write_all(format!("{question}\r\nQUIT\r\n").as_bytes())
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Starts it again, with the data that it had.
    pub(crate) fn launch(&self) {
        let folder = self.folder.path();
        let socket = self.socket();
        // The shell ends the server, and tidies up, when the test process is gone, however it went.
        let script = r#"redis-server "$@" & server=$!; read -r _; kill -9 $server; wait $server"#;
        let process = Command::new("sh")
            .args(["-c", script, "redis-server", "--port", "0", "--appendonly", "yes"])
            .args([
                "--appendfsync",
                "always",
                "--save",
                "",
                "--maxmemory-policy",
                "noeviction",
            ])
            .arg("--unixsocket")
            .arg(&socket)
            .arg("--dir")
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        *self.process.lock().unwrap() = Some(process);
        let deadline = Instant::now() + Duration::from_mins(2);
        while UnixStream::connect(&socket).is_err() {
            assert!(
                Instant::now() < deadline,
                "redis-server did not come up: is it installed?"
            );
            thread::park_timeout(Duration::from_millis(50));
        }
    }

    /// kill -9.
    pub(crate) fn kill(&self) {
        if let Some(mut process) = self.process.lock().unwrap().take() {
            // The end of its input is the shell's order to kill the server.
            drop(process.stdin.take());
            process.wait().unwrap();
            std::fs::remove_file(self.socket()).ok();
        }
    }

    /// Comes back without any data.
    pub(crate) fn wipe(&self) {
        self.kill();
        std::fs::remove_dir_all(self.folder.path().join("appendonlydir")).ok();
        self.launch();
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// While it is there, Redis cannot save, and takes no writes because of that.
pub(crate) struct CannotSave<'r>(&'r RedisServer);

impl RedisServer {
    /// As on a full disk: its last attempt to save has failed.
    pub(crate) fn refuse_to_save(&self) -> CannotSave<'_> {
        // No file can be put where a folder is.
        std::fs::create_dir(self.folder.path().join("dump.rdb")).unwrap();
        self.ask("CONFIG SET save \"900 1\"");
        self.ask("BGSAVE");
        self.until_saving("err");
        CannotSave(self)
    }

    fn until_saving(&self, status: &str) {
        let deadline = Instant::now() + Duration::from_mins(2);
        while !self
            .ask("INFO persistence")
            .contains(&format!("rdb_last_bgsave_status:{status}"))
        {
            assert!(
                Instant::now() < deadline,
                "waited in vain for a save that is {status}"
            );
            thread::park_timeout(Duration::from_millis(50));
        }
    }
}

impl Drop for CannotSave<'_> {
    fn drop(&mut self) {
        std::fs::remove_dir(self.0.folder.path().join("dump.rdb")).unwrap();
        self.0.ask("BGSAVE");
        self.0.until_saving("ok");
    }
}
