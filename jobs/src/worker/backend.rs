//! The apalis backend: hands fetched jobs to apalis's worker.
//!
//! It is as thin as it can be. Fetching, finishing and heartbeats are tasks of their own, because a backend that does
//! them itself while apalis polls it starves its heartbeats and hangs when it is stopped.

use std::convert::Infallible;
use std::task::{Context, Poll};
use std::time::Duration;

use apalis_core::backend::finalize::Ephemeral;
use apalis_core::backend::{Backend, BackendConfig};
use apalis_core::worker::context::WorkerContext;
use apalis_redis::{Config, RedisTask};
use tokio::sync::mpsc;
use tower::layer::util::Identity;

use super::fetcher::Assignment;
use crate::job::QueueName;
use crate::queue::leases::BATCH;

pub(crate) struct SpiralBackend {
    config: Config,
    tasks: mpsc::UnboundedReceiver<RedisTask<Vec<Assignment>>>,
}

impl SpiralBackend {
    pub(crate) fn new(
        queue: &QueueName,
        lease: Duration,
        tasks: mpsc::UnboundedReceiver<RedisTask<Vec<Assignment>>>,
    ) -> Self {
        let config = Config {
            batch_size: BATCH,
            heartbeat_interval: lease / 3,
            missed_heartbeats: 3,
            queue: queue.as_str().into(),
            database_url: None,
            lock_tasks: false,
            persist_results: false,
            emit_events: false,
            idempotency_ttl: None,
        };
        Self { config, tasks }
    }
}

impl Backend for SpiralBackend {
    type Task = RedisTask<Vec<Assignment>>;
    type Error = Infallible;

    fn poll_ready(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(
        &mut self,
        context: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Option<Result<Self::Task, Infallible>>> {
        self.tasks.poll_recv(context).map(|task| task.map(Ok))
    }

    fn poll_close(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        // What is left in the channel is given back with everything else that is held.
        self.tasks.close();
        Poll::Ready(Ok(()))
    }
}

impl BackendConfig for SpiralBackend {
    type Args = Vec<Assignment>;
    type Id = String;
    type Kind = Ephemeral;
    type Config = Config;
    /// Attempts tell the finisher by themselves, each as soon as it has ended.
    type Layer = Identity;

    fn config(&self) -> &Config {
        &self.config
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> Identity {
        Identity::new()
    }
}
