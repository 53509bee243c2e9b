//! apalis-redis's own storage and apalis's worker, set up as its README shows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use apalis::layers::WorkerBuilderExt as _;
use apalis::prelude::{Data, TaskSink as _, WorkerBuilder};
use apalis_redis::{Config, ConnectionManager, RedisStorage};
use serde::{Deserialize, Serialize};

use super::contestant::{Answer, Contestant, Running};

pub(super) struct Storage {
    connection: ConnectionManager,
    concurrency: usize,
    /// Its default is on: each job then costs a search through the backlog.
    lock_tasks: bool,
}

/// The same little input as on the other side.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Noop {
    number: u64,
}

async fn noop(_job: Noop, done: Data<Arc<AtomicU64>>) {
    done.fetch_add(1, Ordering::Relaxed);
}

impl Storage {
    pub(super) async fn new(url: &str, concurrency: usize, lock_tasks: bool) -> Result<Self> {
        Ok(Self {
            connection: apalis_redis::connect(url).await?,
            concurrency,
            lock_tasks,
        })
    }

    fn config(&self) -> Config {
        Config::default()
            .queue("noop")
            .batch_size(self.concurrency)
            .lock_tasks(self.lock_tasks)
    }

    fn storage(&self) -> RedisStorage<Noop, ConnectionManager> {
        RedisStorage::new(self.connection.clone()).with_config(self.config())
    }
}

impl Contestant for Storage {
    fn name(&self) -> &'static str {
        if self.lock_tasks {
            "apalis-redis, as it comes"
        } else {
            "apalis-redis, lock_tasks off"
        }
    }

    fn push(&self, jobs: u64) -> Answer<'_, ()> {
        Box::pin(async move {
            let mut storage = self.storage();
            let jobs: Vec<Noop> = (0..jobs).map(|number| Noop { number }).collect();
            for some in jobs.chunks(500) {
                storage
                    .push_bulk(some.to_vec())
                    .await
                    .map_err(|error| anyhow::anyhow!("{error}"))?;
            }
            Ok(())
        })
    }

    fn start(&self, done: Arc<AtomicU64>) -> Answer<'_, Running> {
        Box::pin(async move {
            let storage = self.storage();
            let worker = WorkerBuilder::new("bench")
                .backend(storage)
                .concurrency(self.concurrency)
                .data(done)
                .build(noop);
            let task = tokio::spawn(async move {
                if let Err(error) = worker.run().await {
                    eprintln!("apalis-redis's worker ended: {error}");
                }
            });
            Ok(Running { task, shutdown: None })
        })
    }

    fn is_drained(&self, jobs: u64) -> Answer<'_, bool> {
        Box::pin(async move {
            let mut connection = self.connection.clone();
            let key = self.config().done_jobs_set();
            let done: u64 = redis::cmd("SCARD").arg(key).query_async(&mut connection).await?;
            Ok(done == jobs)
        })
    }
}
