//! The apalis backend: hands fetched jobs to apalis's worker and its results to the finisher.
//!
//! It is as thin as it can be. Fetching, finishing and heartbeats are tasks of their own, because a backend that does
//! them itself while apalis polls it starves its heartbeats and hangs when it is stopped.

use std::convert::Infallible;
use std::task::{Context, Poll};
use std::time::Duration;

use apalis_core::backend::finalize::Ephemeral;
use apalis_core::backend::{Backend, BackendConfig};
use apalis_core::error::BoxDynError;
use apalis_core::worker::context::WorkerContext;
use apalis_redis::{Config, RedisTask};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::mpsc;
use tower::{Layer, Service};

use super::fetcher::Assignment;
use super::finisher::Outbox;
use crate::job::QueueName;
use crate::queue::claims::{BATCH, Ended};

pub(crate) struct SpiralBackend {
    config: Config,
    tasks: mpsc::UnboundedReceiver<RedisTask<Assignment>>,
    outbox: Outbox,
}

impl SpiralBackend {
    pub(crate) fn new(
        queue: &QueueName,
        lease: Duration,
        tasks: mpsc::UnboundedReceiver<RedisTask<Assignment>>,
        outbox: Outbox,
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
        Self {
            config,
            tasks,
            outbox,
        }
    }
}

impl Backend for SpiralBackend {
    type Task = RedisTask<Assignment>;
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
    type Args = Assignment;
    type Id = String;
    type Kind = Ephemeral;
    type Config = Config;
    type Layer = FinishLayer;

    fn config(&self) -> &Config {
        &self.config
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> FinishLayer {
        FinishLayer {
            outbox: self.outbox.clone(),
        }
    }
}

/// Sends what the handler returns to the finisher.
#[derive(Clone)]
pub(crate) struct FinishLayer {
    outbox: Outbox,
}

impl<S> Layer<S> for FinishLayer {
    type Service = FinishService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        FinishService {
            inner,
            outbox: self.outbox.clone(),
        }
    }
}

#[derive(Clone)]
pub(crate) struct FinishService<S> {
    inner: S,
    outbox: Outbox,
}

impl<S> Service<RedisTask<Assignment>> for FinishService<S>
where
    S: Service<RedisTask<Assignment>, Response = Option<Ended>>,
    S::Error: Into<BoxDynError>,
    S::Future: Send + 'static,
{
    type Response = ();
    type Error = BoxDynError;
    type Future = BoxFuture<'static, Result<(), BoxDynError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxDynError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, task: RedisTask<Assignment>) -> Self::Future {
        let outbox = self.outbox.clone();
        let run = self.inner.call(task);
        async move {
            // An error is a panic outside the function, in this crate: the job stays held and is given back.
            if let Some(ended) = run.await.map_err(Into::into)?
                && !outbox.tell(ended)
            {
                return Err("the worker has ended".into());
            }
            Ok(())
        }
        .boxed()
    }
}
