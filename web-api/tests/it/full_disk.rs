//! A disk that is full: nobody is told that a job is recorded which is not, and all is well again once there is room.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use reqwest::Client;
use sea_orm::{ConnectionTrait as _, Statement};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::binary::program;
use crate::support::server::{ApiResponse, TestServer};
use crate::support::{Database, RedisServer, TestDatabase, eventually};

/// A file system of a few MiB, which goes away with it.
struct SmallDisk(TempDir);

impl SmallDisk {
    /// `None` where this process may not mount one.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=6m", "tmpfs"])
            .arg(folder.path())
            .stderr(Stdio::null())
            .status();
        mount.is_ok_and(|status| status.success()).then_some(Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        let mut file = File::create(self.path().join("filler")).unwrap();
        for size in [64 << 10, 1 << 10, 1] {
            loop {
                match file.write_all(&vec![0; size]) {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => panic!("{error}"),
                }
            }
        }
    }

    fn free(&self) {
        std::fs::remove_file(self.path().join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        Command::new("umount")
            .arg("--lazy")
            .arg(self.path())
            .status()
            .unwrap();
    }
}

fn call(number: u32) -> Value {
    json!({"input": {"number": number, "text": "x".repeat(4_000)}})
}

/// The id of the job, if it was taken; else why not is said.
fn taken(answer: &ApiResponse) -> Option<String> {
    if answer.status == 202 {
        return Some(answer.json()["id"].as_str().unwrap().to_owned());
    }
    let problem = answer.problem(503, "unavailable");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.starts_with("The d"), "{detail}");
    None
}

/// Asserts that each of these jobs is in the file, for whoever opens it.
async fn assert_recorded(database: &Database, jobs: &[String]) {
    let connection = database.connect().await;
    let query = "SELECT id FROM jobs".to_owned();
    let statement = Statement::from_string(connection.get_database_backend(), query);
    let rows = connection.query_all_raw(statement).await.unwrap();
    let rows: Vec<String> = rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect();
    let lost: Vec<&String> = jobs.iter().filter(|job| !rows.contains(job)).collect();
    assert!(
        lost.is_empty(),
        "{} of {} jobs that were answered 202 are lost",
        lost.len(),
        jobs.len()
    );
    connection.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_answered_202_on_a_full_disk_is_there_after_a_restart() {
    let Some(disk) = SmallDisk::mount() else {
        // This process may not mount a small file system; the test below has files that cannot grow.
        return;
    };
    let database = Database::sqlite_in(disk.path()).await;
    let server = TestServer::on(database, |_| ()).await;
    server.wait_until_ready().await;
    let path = "/api/v1/functions/echo/jobs";
    let mut jobs = Vec::new();
    for number in 0..5 {
        jobs.extend(taken(&server.post(path, call(number).to_string()).await));
    }
    assert_eq!(jobs.len(), 5, "there is room");
    for round in 0..3 {
        disk.fill();
        let mut refused = 0;
        for number in 0..40 {
            match taken(&server.post(path, call(number).to_string()).await) {
                Some(job) => jobs.push(job),
                None => refused += 1,
            }
        }
        assert!(refused > 20, "the disk is full, and {refused} of 40 were refused");
        let overview = server.get("/api/v1/overview").await.json();
        let troubles = overview["troubles"].as_array().unwrap();
        assert!(
            troubles
                .iter()
                .any(|trouble| trouble["kind"] == "database_refuses"
                    && trouble["message"].as_str().unwrap().contains("is full")),
            "{troubles:?}"
        );
        disk.free();
        let first = eventually("calls are taken again", || async {
            taken(&server.post(path, call(round).to_string()).await)
        })
        .await;
        jobs.push(first);
        for number in 0..20 {
            let answer = server.post(path, call(number).to_string()).await;
            jobs.extend(Some(taken(&answer).unwrap()));
        }
        // As others see it, while the server has it open.
        assert_recorded(&server.database, &jobs).await;
    }
    eventually("the trouble is over", || async {
        let overview = server.get("/api/v1/overview").await.json();
        let troubles = overview["troubles"].as_array().unwrap().clone();
        let told = troubles
            .iter()
            .any(|trouble| trouble["kind"] == "database_refuses");
        (!told).then_some(())
    })
    .await;
}

/// A server as a process of its own, so that the size of its files can be bounded.
struct Bounded {
    child: Child,
    address: String,
    client: Client,
}

impl Bounded {
    async fn start(database: &Database, redis: &RedisServer, folder: &Path) -> Self {
        let log = folder.join("log");
        let program = program();
        // A write past the bound is an error that the process has to cope with, not a signal that ends it.
        let mut command = Command::new("sh");
        command
            .args(["-c", "trap '' XFSZ; exec \"$0\" serve"])
            .arg(program.get_program());
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let child = command
            .env("SPIRAL_LISTEN", "127.0.0.1:0")
            .env("SPIRAL_DATABASE_URL", database.url())
            .env("SPIRAL_REDIS_URL", redis.url())
            .stdin(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let address = eventually("it is ready", || async {
            let text = std::fs::read_to_string(&log).unwrap();
            let line = text.lines().find(|line| line.contains("the API is ready"))?;
            let (_, rest) = line.split_once("address=http://")?;
            Some(rest.split(['/', ' ']).next()?.to_owned())
        })
        .await;
        Self {
            child,
            address,
            client: Client::new(),
        }
    }

    /// No file of it grows beyond this size, until it is set anew.
    fn bound(&self, size: &str) {
        let set = Command::new("prlimit")
            .args(["--pid", &self.child.id().to_string()])
            .arg(format!("--fsize={size}:unlimited"))
            .status()
            .unwrap();
        assert!(set.success());
    }

    async fn call(&self, number: u32) -> Option<String> {
        let url = format!("http://{}/api/v1/functions/echo/jobs", self.address);
        taken(&ApiResponse::of(self.client.post(url).json(&call(number))).await)
    }
}

impl Drop for Bounded {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_answered_202_while_files_could_not_grow_is_there_after_a_kill() {
    let (folder, redis) = (tempfile::tempdir().unwrap(), RedisServer::start());
    let database = Database::new(TestDatabase::Sqlite).await;
    let server = Bounded::start(&database, &redis, folder.path()).await;
    let mut jobs = Vec::new();
    for number in 0..5 {
        jobs.push(server.call(number).await.unwrap());
    }
    for _ in 0..3 {
        // Less than one call writes, wherever in the file it begins.
        server.bound("40000");
        let mut refused = 0;
        for number in 0..40 {
            match server.call(number).await {
                Some(job) => jobs.push(job),
                None => refused += 1,
            }
        }
        assert!(
            refused > 20,
            "files cannot grow, and {refused} of 40 were refused"
        );
        server.bound("unlimited");
        let first = eventually("calls are taken again", || server.call(0)).await;
        jobs.push(first);
        for number in 0..20 {
            jobs.push(server.call(number).await.unwrap());
        }
    }
    drop(server);
    assert_recorded(&database, &jobs).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_whose_disk_is_full_is_told_as_that() {
    let server = TestServer::idle(TestDatabase::Postgres).await;
    server.wait_until_ready().await;
    let behind = server.database.connect().await;
    // As PostgreSQL refuses it, without filling the disk of all other tests.
    for statement in [
        "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full';
         END $$",
        "CREATE TRIGGER no_room BEFORE INSERT ON jobs FOR EACH ROW EXECUTE FUNCTION no_room()",
    ] {
        behind.execute_unprepared(statement).await.unwrap();
    }
    for path in ["/api/v1/functions/echo/jobs", "/api/v1/batches"] {
        let body = if path.ends_with("batches") {
            json!({"jobs": [{"function": "echo", "input": 1}]})
        } else {
            call(1)
        };
        let answer = server.post(path, body.to_string()).await;
        let problem = answer.problem(503, "unavailable");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.starts_with("The disk of the database is full"), "{detail}");
    }
    let ready = server.get("/readyz").await.json();
    assert!(ready["warnings"].to_string().contains("is full"), "{ready}");
    behind
        .execute_unprepared("DROP FUNCTION no_room CASCADE")
        .await
        .unwrap();
    let answer = server
        .post("/api/v1/functions/echo/jobs", call(1).to_string())
        .await;
    assert!(taken(&answer).is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_cannot_save_takes_no_job_and_loses_none() {
    let server = TestServer::start(TestDatabase::Sqlite).await;
    server.wait_until_ready().await;
    let blocked = server.redis.refuse_to_save();
    let answer = server
        .post("/api/v1/functions/echo/jobs", call(1).to_string())
        .await;
    let job = taken(&answer).unwrap();
    eventually("the trouble is told", || async {
        let overview = server.get("/api/v1/overview").await.json();
        let troubles = overview["troubles"].as_array().unwrap().clone();
        troubles
            .iter()
            .any(|trouble| trouble["kind"] == "redis_cannot_save")
            .then_some(())
    })
    .await;
    assert_eq!(server.get("/readyz").await.status, 503);
    drop(blocked);
    server.job_in_state(&job, "completed").await;
    server.wait_until_ready().await;
}
