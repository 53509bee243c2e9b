//! What the comparison asks of each side, and the sides.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use xtask::{project, server};

use crate::worker::Engine;

mod apalis;
mod bullmq;
mod spiral;

pub(crate) use apalis::Apalis;
pub(crate) use bullmq::BullMq;
pub(crate) use spiral::Spiral;

/// A boxed future, because the sides are chosen at run time.
pub(crate) type ApiResponse<'a, T> = std::pin::Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// A queue with a worker.
pub(crate) trait Contestant: Send + Sync {
    fn name(&self) -> &'static str;

    /// Puts jobs into the empty queue, many in one call. Says how long that took.
    fn enqueue(&self, jobs: u64) -> ApiResponse<'_, Duration>;

    /// Puts in one job that carries the time at which it was sent.
    fn enqueue_one(&self) -> ApiResponse<'_, ()>;

    /// Its worker, as a process that obeys the orders of `lines`. It says when `expected` jobs have run.
    fn worker(&self, expected: u64) -> Result<Command>;

    /// Whether Redis knows that all are done, and holds none of them any more.
    fn is_drained(&self, jobs: u64) -> ApiResponse<'_, bool>;
}

/// This program once more, as a worker.
fn own_worker(engine: Engine, redis: &str, concurrency: usize, expected: u64) -> Result<Command> {
    let mut command = server::command(project::binary("bench")?);
    command.args(["worker", engine.word()?, redis]);
    command.args([concurrency.to_string(), expected.to_string()]);
    Ok(command)
}
