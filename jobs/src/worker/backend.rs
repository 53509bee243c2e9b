//! The apalis backend: hands fetched jobs to apalis's worker, each task as soon as there is a place for it. This is the
//! only limit of how many run at the same time; apalis has none.
//!
//! It is as thin as it can be. Fetching, finishing and heartbeats are tasks of their own, because a backend that does
//! them itself while apalis polls it starves its heartbeats and hangs when it is stopped.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use apalis_core::backend::finalize::Ephemeral;
use apalis_core::backend::{Backend, BackendConfig};
use apalis_core::task::builder::TaskBuilder;
use apalis_core::task::task_id::TaskId;
use apalis_core::worker::context::WorkerContext;
use apalis_redis::{Config, RedisTask};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::PollSemaphore;
use tower::layer::util::Identity;

use super::task_queue::{Assignment, TaskQueue};
use crate::job::QueueName;
use crate::queue::leases::BATCH;

/// The jobs of one task, and the place in which they run, one after the other.
pub(crate) struct Placed {
    pub(crate) assignments: Vec<Assignment>,
    /// Free again when the task ends.
    pub(crate) place: OwnedSemaphorePermit,
}

pub(crate) struct SpiralBackend {
    config: Config,
    tasks: Arc<TaskQueue>,
    places: PollSemaphore,
}

impl SpiralBackend {
    pub(crate) fn new(
        queue: &QueueName,
        lease: Duration,
        tasks: Arc<TaskQueue>,
        places: Arc<Semaphore>,
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
            places: PollSemaphore::new(places),
        }
    }
}

impl Backend for SpiralBackend {
    type Task = RedisTask<Placed>;
    type Error = Infallible;

    fn poll_ready(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(
        &mut self,
        context: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Option<Result<Self::Task, Infallible>>> {
        // A place is taken only when there is something for it, and nobody else takes tasks out meanwhile.
        ready!(self.tasks.poll_any(context));
        let place = ready!(self.places.poll_acquire(context));
        let task = place.zip(self.tasks.pop()).map(|(place, assignments)| {
            let id = assignments.first().map(|first| first.claim.id.to_string());
            let id = TaskId::from_string(id.unwrap_or_default());
            let task = TaskBuilder::new(Placed { assignments, place });
            Ok(task.task_id(id).build())
        });
        Poll::Ready(task)
    }

    fn poll_close(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        // What is left in the queue is given back with everything else that is held.
        self.tasks.close();
        Poll::Ready(Ok(()))
    }
}

impl BackendConfig for SpiralBackend {
    type Args = Placed;
    type Id = String;
    type Kind = Ephemeral;
    type Config = Config;
    /// Attempts go to the completer by themselves, each as soon as it has ended.
    type Layer = Identity;

    fn config(&self) -> &Config {
        &self.config
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> Identity {
        Identity::new()
    }
}
