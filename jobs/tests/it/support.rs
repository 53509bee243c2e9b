//! A private Redis, queues of its own for each test, and waiting for a condition instead of sleeping.

use std::future::Future;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, LazyLock, Mutex, Weak};
use std::time::{Duration, Instant};

use jobs::catalog::{Catalog, FunctionSettings};
use jobs::function::Function;
use jobs::job::{Envelope, JobId, QueueName};
use jobs::queue::events::{EventBatch, Finished, JobEvent, Tail};
use jobs::queue::{Queues, RedisSettings};
use jobs::worker::{self, WorkerSettings};
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) mod monitor;
pub(crate) mod nodes;
pub(crate) mod proxy;
#[path = "../../src/queue/scripts/signature.rs"]
pub(crate) mod signature;
pub(crate) mod slow_link;

/// A redis-server of this test process, on a socket in a folder that goes away with it.
pub(crate) struct RedisServer {
    folder: TempDir,
    process: Mutex<Option<Child>>,
    fsync: &'static str,
    /// How often a second it looks after what nobody asked for, such as waits that are over.
    hz: &'static str,
}

impl RedisServer {
    pub(crate) fn start() -> Self {
        Self::start_with("always", "10")
    }

    /// One that may lose its last second, for tests that make very many calls and never kill it.
    pub(crate) fn start_fast() -> Self {
        Self::start_with("no", "10")
    }

    /// One that does nothing by itself for most of a second, as far as that can be had.
    pub(crate) fn start_sleepy() -> Self {
        Self::start_with("always", "1")
    }

    fn start_with(fsync: &'static str, hz: &'static str) -> Self {
        let server = Self {
            folder: tempfile::tempdir().unwrap(),
            process: Mutex::new(None),
            fsync,
            hz,
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

    /// Starts it again with the data that it had.
    pub(crate) fn launch(&self) {
        let folder = self.folder.path();
        let socket = self.socket();
        let process = Command::new("redis-server")
            .args([
                "--port",
                "0",
                "--appendonly",
                "yes",
                "--appendfsync",
                self.fsync,
                "--save",
                "",
            ])
            .args(["--maxmemory-policy", "noeviction", "--hz", self.hz])
            .args(["--dynamic-hz", "no"])
            .arg("--unixsocket")
            .arg(&socket)
            .arg("--dir")
            .arg(folder)
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("redis-server (Debian: apt-get install redis-server): {error}"));
        *self.process.lock().unwrap() = Some(process);
        let deadline = Instant::now() + Duration::from_mins(2);
        while std::os::unix::net::UnixStream::connect(&socket).is_err() {
            assert!(Instant::now() < deadline, "redis-server did not come up");
            std::thread::yield_now();
        }
    }

    /// kill -9.
    pub(crate) fn kill(&self) {
        if let Some(mut process) = self.process.lock().unwrap().take() {
            process.kill().unwrap();
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

/// One Redis for all tests that leave it alone; they differ in their key prefix.
fn shared() -> Arc<RedisServer> {
    static SHARED: LazyLock<Mutex<Weak<RedisServer>>> = LazyLock::new(Mutex::default);
    let mut shared = SHARED.lock().unwrap();
    shared.upgrade().unwrap_or_else(|| {
        let server = Arc::new(RedisServer::start());
        *shared = Arc::downgrade(&server);
        server
    })
}

/// What a test needs: Redis, queues under a prefix of its own, and a view of all events.
pub(crate) struct TestEnv {
    pub(crate) redis: Arc<RedisServer>,
    pub(crate) settings: WorkerSettings,
    pub(crate) queues: Queues,
    pub(crate) queue: QueueName,
}

impl TestEnv {
    pub(crate) async fn new() -> Self {
        Self::on(shared()).await
    }

    /// With a Redis of its own, for tests that do it harm.
    pub(crate) async fn alone() -> Self {
        Self::on(Arc::new(RedisServer::start())).await
    }

    pub(crate) async fn on(redis: Arc<RedisServer>) -> Self {
        let settings = WorkerSettings {
            redis: RedisSettings {
                url: redis.url(),
                key_prefix: format!("test-{}", JobId::new()),
                timeout: Duration::from_secs(2),
                ..RedisSettings::default()
            },
            concurrency: 20,
            lease: Duration::from_secs(2),
            grace: Duration::from_secs(5),
            name: "test".to_owned(),
            ..WorkerSettings::default()
        };
        let queues = Queues::connect(&settings.redis).await.unwrap();
        Self {
            redis,
            settings,
            queues,
            queue: QueueName::standard(),
        }
    }

    pub(crate) async fn push(&self, jobs: &[Envelope]) {
        let pushed = self.queues.push(&self.queue, jobs).await.unwrap();
        assert_eq!(pushed.pushed, jobs.len());
    }

    pub(crate) fn worker(&self, catalog: &Arc<Catalog>) -> TestWorker {
        TestWorker::start(catalog, self.settings.clone())
    }

    /// Follows the events from now on.
    pub(crate) async fn watch(&self) -> Watch {
        Watch::begin(&self.queues, std::slice::from_ref(&self.queue)).await
    }

    /// Asks Redis something.
    pub(crate) async fn ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command.query_async(&mut self.raw().await).await.unwrap()
    }

    /// A number that Redis tells of itself.
    pub(crate) async fn info(&self, name: &str) -> u64 {
        let info: redis::InfoDict = self.ask(&["INFO"]).await;
        info.get(name).unwrap()
    }

    /// A raw connection, for looking into Redis.
    pub(crate) async fn raw(&self) -> apalis_redis::ConnectionManager {
        let client = apalis_redis::Client::open(self.redis.url()).unwrap();
        apalis_redis::ConnectionManager::new(client).await.unwrap()
    }

    pub(crate) fn key(&self, name: &str) -> String {
        format!("{}:{{{}}}:{name}", self.settings.redis.key_prefix, self.queue)
    }

    /// Nothing of any job is left but outputs, events and counters.
    pub(crate) async fn assert_clean(&self) {
        let mut raw = self.raw().await;
        let pattern = format!("{}*", self.settings.redis.key_prefix);
        let keys: Vec<String> = redis::cmd("KEYS")
            .arg(pattern)
            .query_async(&mut raw)
            .await
            .unwrap();
        let live = [
            ":jobs",
            ":waiting:",
            ":lanes",
            ":lane-of",
            ":scheduled",
            ":attempts",
            ":running:",
            ":cancelling",
        ];
        let left: Vec<_> = keys
            .iter()
            .filter(|key| live.iter().any(|name| key.contains(name)))
            .collect();
        assert!(left.is_empty(), "left in Redis: {left:?}");
    }
}

pub(crate) fn envelope(function: &str, input: &Value) -> Envelope {
    let input = serde_json::value::to_raw_value(input).unwrap();
    Envelope {
        max_attempts: 3,
        ..Envelope::new(JobId::new(), function, input)
    }
}

pub(crate) struct TestWorker {
    pub(crate) stop: CancellationToken,
    pub(crate) run: JoinHandle<Result<(), jobs::error::Error>>,
}

impl TestWorker {
    pub(crate) fn start(catalog: &Arc<Catalog>, settings: WorkerSettings) -> Self {
        let stop = CancellationToken::new();
        let run = tokio::spawn(worker::run(settings, Arc::clone(catalog), stop.clone()));
        Self { stop, run }
    }

    /// Stops in order.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(Duration::from_mins(2), self.run)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
    }
}

/// All events since it began.
pub(crate) struct Watch {
    tail: Tail,
    pub(crate) seen: Vec<EventBatch>,
}

impl Watch {
    /// Follows the events of these queues from now on.
    pub(crate) async fn begin(queues: &Queues, names: &[QueueName]) -> Self {
        let mut tail = queues.tail(names, None);
        tail.begin().await.unwrap();
        Self {
            tail,
            seen: Vec::new(),
        }
    }

    /// Reads on until `done` says so.
    pub(crate) async fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_mins(2);
        while !done(self) {
            assert!(
                Instant::now() < deadline,
                "waited in vain until {what}; events: {:#?}",
                self.seen
            );
            match self.tail.next(Duration::from_millis(200)).await {
                Ok(batches) => self.seen.extend(batches),
                // Tests take Redis away; anything else is a fault.
                Err(error) if error.is_unavailable() => tokio::time::sleep(Duration::from_millis(20)).await,
                Err(error) => panic!("the events cannot be followed: {error:?}"),
            }
        }
    }

    pub(crate) fn events(&self) -> impl Iterator<Item = &JobEvent> {
        self.seen.iter().flat_map(|batch| &batch.events)
    }

    pub(crate) fn finished(&self) -> Vec<&Finished> {
        let finished = self.events().filter_map(|event| match event {
            JobEvent::Finished(finished) => Some(&**finished),
            JobEvent::Queued { .. }
            | JobEvent::QueuedMany { .. }
            | JobEvent::Started { .. }
            | JobEvent::Noted { .. }
            | JobEvent::Returned { .. }
            | JobEvent::Cancelled { .. }
            | JobEvent::Again { .. }
            | JobEvent::Promoted { .. } => None,
        });
        finished.collect()
    }

    pub(crate) async fn until_finished(&mut self, count: usize) {
        self.until(&format!("{count} attempts have ended"), |watch| {
            watch.finished().len() >= count
        })
        .await;
    }

    /// The types of all events of one job, in order; of an attempt's end, the state. Without `started`, which depends
    /// on how long an attempt took.
    pub(crate) fn story(&self, id: JobId) -> Vec<String> {
        let story = self.events().filter_map(|event| {
            let (about, name) = match event {
                JobEvent::Queued { id, .. } => (*id, "queued"),
                JobEvent::QueuedMany { .. } | JobEvent::Started { .. } => return None,
                JobEvent::Noted { id, .. } => (*id, "noted"),
                JobEvent::Finished(finished) => (finished.id, finished.outcome.state().as_str()),
                JobEvent::Returned { id, .. } => (*id, "returned"),
                JobEvent::Cancelled { id, .. } => (*id, "cancelled"),
                JobEvent::Promoted { id } => (*id, "promoted"),
                JobEvent::Again { id, .. } => (*id, "again"),
            };
            (about == id).then(|| name.to_owned())
        });
        story.collect()
    }
}

pub(crate) fn standard_catalog() -> Arc<Catalog> {
    Arc::new(Catalog::new(&FunctionSettings::default()).unwrap())
}

pub(crate) fn catalog_of(function: impl Function) -> Arc<Catalog> {
    Arc::new(Catalog::empty().with(function).unwrap())
}

/// Waits until `condition` holds.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let deadline = Instant::now() + Duration::from_mins(2);
    while !condition().await {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
