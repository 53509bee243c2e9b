//! What apalis-redis's own storage does, against the real crate: the reasons why Spiral brings its own. When an
//! upgrade mends one of them, its test fails, and our code for it can go.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use apalis::layers::WorkerBuilderExt;
use apalis::prelude::{BoxDynError, Data, Metrics, TaskBuilder, TaskSink, WorkerBuilder};
use apalis_redis::{Config, ConnectionManager, RedisStorage};
use jobs::job::JobId;
use redis::aio::{ConnectionLike, ConnectionManagerConfig};
use redis::{FromRedisValue, cmd};

use crate::support::{RedisServer, eventually};

type Storage = RedisStorage<u32>;

struct Contract {
    redis: RedisServer,
    queue: String,
}

impl Contract {
    fn new() -> Self {
        Self {
            redis: RedisServer::start(),
            queue: format!("contract-{}", JobId::new()),
        }
    }

    /// As `apalis_redis::connect` makes it, but with patience: that one gives up after half a second, which is a fact of
    /// its own, and on a busy machine would hide all others.
    async fn connection(&self) -> ConnectionManager {
        let client = apalis_redis::Client::open(self.redis.url()).unwrap();
        let patient = ConnectionManagerConfig::new().set_response_timeout(Some(Duration::from_mins(1)));
        ConnectionManager::new_with_config(client, patient).await.unwrap()
    }

    fn config(&self) -> Config {
        Config::default()
            .queue(&self.queue)
            .batch_size(100)
            .heartbeat_interval(Duration::from_millis(200))
            .lock_tasks(false)
    }

    async fn storage(&self) -> Storage {
        self.storage_with(self.config()).await
    }

    async fn storage_with(&self, config: Config) -> Storage {
        RedisStorage::new(self.connection().await).with_config(config)
    }

    async fn ask<T: FromRedisValue>(&self, command: &str, key: &str) -> T {
        let mut connection = self.connection().await;
        cmd(command).arg(key).query_async(&mut connection).await.unwrap()
    }
}

/// Counts its calls; fails when told to.
async fn count(task: u32, calls: Data<Arc<AtomicUsize>>) -> Result<(), BoxDynError> {
    calls.fetch_add(1, Ordering::SeqCst);
    if task == 0 {
        Err("told to fail".into())
    } else {
        Ok(())
    }
}

/// Starts a worker; the task ends when the worker does.
fn work<Conn>(
    name: &str,
    storage: RedisStorage<u32, Conn>,
    calls: &Arc<AtomicUsize>,
) -> tokio::task::JoinHandle<Result<(), String>>
where
    Conn: ConnectionLike + Clone + Send + Sync + Unpin + 'static,
{
    let worker = WorkerBuilder::new(name)
        .backend(storage)
        .data(Arc::clone(calls))
        .concurrency(10)
        .build(count);
    tokio::spawn(async move { worker.run().await.map_err(|error| format!("{error:?}")) })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_push_goes_through_the_scheduled_set_so_nothing_wakes_the_worker() {
    let contract = Contract::new();
    let config = contract.config();
    let mut storage = contract.storage().await;
    storage.push(1).await.unwrap();
    assert_eq!(
        contract.ask::<u64>("ZCARD", &config.scheduled_jobs_set()).await,
        1
    );
    assert_eq!(contract.ask::<u64>("LLEN", &config.active_jobs_list()).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_eight_thousand_due_jobs_end_every_worker() {
    let contract = Contract::new();
    let mut storage = contract.storage().await;
    storage.push_bulk((1..=8_100).collect()).await.unwrap();
    let calls = Arc::default();
    let ended = work("many", contract.storage().await, &calls);
    let error = tokio::time::timeout(Duration::from_mins(1), ended)
        .await
        .unwrap()
        .unwrap()
        .unwrap_err();
    assert!(error.contains("too many results to unpack"), "{error}");
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn locking_walks_the_whole_backlog_for_each_job() {
    let contract = Contract::new();
    let config = contract.config().lock_tasks(true);
    let mut storage = contract.storage_with(config.clone()).await;
    storage.push_bulk((1..=50).collect()).await.unwrap();
    let calls = Arc::default();
    let worker = work("locks", contract.storage_with(config).await, &calls);
    eventually("50 have run", || async { calls.load(Ordering::SeqCst) == 50 }).await;
    let connection = contract.connection().await;
    eventually("LREM was called for each", || async {
        let statistics: String = cmd("INFO")
            .arg("commandstats")
            .query_async(&mut connection.clone())
            .await
            .unwrap();
        let removals = statistics.lines().find_map(|line| {
            let calls = line.strip_prefix("cmdstat_lrem:calls=")?;
            calls.split(',').next()?.parse::<u64>().ok()
        });
        removals.is_some_and(|calls| calls >= 50)
    })
    .await;
    worker.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn max_attempts_is_ignored() {
    let contract = Contract::new();
    let mut storage = contract.storage().await;
    storage
        .push_task(TaskBuilder::new(0).max_attempts(1).build())
        .await
        .unwrap();
    let calls = Arc::default();
    let worker = work("attempts", contract.storage().await, &calls);
    eventually("it ran more often than it may", || async {
        calls.load(Ordering::SeqCst) > 1
    })
    .await;
    worker.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn idempotency_keys_without_a_time_to_live_vanish_at_once() {
    let contract = Contract::new();
    let mut storage = contract.storage().await;
    for _ in 0..2 {
        storage
            .push_task(TaskBuilder::new(1).idempotency_key("once").build())
            .await
            .unwrap();
    }
    assert_eq!(
        contract
            .ask::<u64>("ZCARD", &contract.config().scheduled_jobs_set())
            .await,
        2
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn finished_jobs_stay_for_ever_and_break_the_statistics() {
    let contract = Contract::new();
    let config = contract.config();
    let mut storage = contract.storage().await;
    storage.push(1).await.unwrap();
    let worker = work("done", contract.storage().await, &Arc::default());
    eventually("it is done", || async {
        contract.ask::<String>("TYPE", &config.done_jobs_set()).await != "none"
    })
    .await;
    assert_eq!(contract.ask::<u64>("HLEN", &config.job_data_hash()).await, 1);
    assert_eq!(contract.ask::<i64>("TTL", &config.job_data_hash()).await, -1);
    let error = storage.fetch_by_queue().await.unwrap_err();
    assert!(format!("{error:?}").contains("WRONGTYPE"), "{error:?}");
    worker.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn any_trouble_with_redis_ends_the_worker() {
    let contract = Contract::new();
    let worker = work("trouble", contract.storage().await, &Arc::default());
    let workers = contract.config().workers_set();
    eventually("it is there", || async {
        contract.ask::<u64>("ZCARD", &workers).await == 1
    })
    .await;
    contract.redis.kill();
    contract.redis.launch();
    let ended = tokio::time::timeout(Duration::from_mins(2), worker)
        .await
        .unwrap()
        .unwrap();
    assert!(ended.is_err(), "the worker lived");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_worker_of_the_same_name_is_refused() {
    let contract = Contract::new();
    let config = contract.config().heartbeat_interval(Duration::from_secs(30));
    let first = work(
        "same",
        contract.storage_with(config.clone()).await,
        &Arc::default(),
    );
    let workers = config.workers_set();
    eventually("the first is there", || async {
        contract.ask::<u64>("ZCARD", &workers).await == 1
    })
    .await;
    first.abort();
    let second = work("same", contract.storage_with(config).await, &Arc::default());
    let ended = tokio::time::timeout(Duration::from_mins(2), second)
        .await
        .unwrap()
        .unwrap();
    assert!(ended.is_err(), "the second was let in");
}
