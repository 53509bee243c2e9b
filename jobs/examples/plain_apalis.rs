//! Pushes jobs and waits for them with apalis's own traits. Whatever backend it is given, `greet_all` is plain apalis.
//!
//! It needs a Redis: `cargo run -p jobs --example plain_apalis -- redis://127.0.0.1:6379`.

use std::sync::Arc;

use anyhow::Context;
use apalis_core::backend::finalize::Durable;
use apalis_core::backend::{TaskResult, TaskSink, WaitForCompletion};
use apalis_core::task::builder::TaskBuilder;
use apalis_core::task::task_id::TaskId;
use futures::TryStreamExt;
use jobs::apalis_queue::FunctionQueue;
use jobs::catalog::{Catalog, FunctionSettings};
use jobs::context::JobContext;
use jobs::function::{Function, JobError};
use jobs::queue::{Queues, RedisSettings};
use jobs::worker::{self, WorkerSettings};
use tokio_util::sync::CancellationToken;

/// The function that runs in Spiral's worker.
pub(crate) struct Greet;

impl Function for Greet {
    const NAME: &'static str = "greet";
    const DESCRIPTION: &'static str = "Greets someone.";
    type Input = String;
    type Output = String;

    async fn run(&self, _context: JobContext, name: String) -> Result<String, JobError> {
        if name.is_empty() {
            return Err(JobError::fatal("nobody to greet"));
        }
        Ok(format!("Hello, {name}!"))
    }
}

/// Pushes a task for each name, and waits for all of them. The results come in the order in which the tasks end.
pub(crate) async fn greet_all<B>(
    backend: &mut B,
    tasks: Vec<(TaskId, String)>,
) -> anyhow::Result<Vec<Result<String, String>>>
where
    B: TaskSink<String, Durable> + WaitForCompletion<String>,
{
    let ids: Vec<TaskId> = tasks.iter().map(|(id, _)| id.clone()).collect();
    for (id, name) in tasks {
        let task = TaskBuilder::new(name).task_id(id).build();
        backend.push_task(task).await.context("cannot push")?;
    }
    let results: Vec<_> = backend.wait_for(ids).try_collect().await?;
    Ok(results.into_iter().map(TaskResult::take).collect())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let url = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "redis://127.0.0.1:6379".to_owned());
    let redis = RedisSettings {
        url,
        ..RedisSettings::default()
    };
    let queues = Queues::connect(&redis).await?;
    let settings = WorkerSettings {
        redis,
        ..WorkerSettings::default()
    };
    let catalog = Arc::new(Catalog::new(&FunctionSettings::default())?.with(Greet)?);
    let stop = CancellationToken::new();
    let worker = tokio::spawn(worker::run(settings, catalog, stop.clone()));

    let mut backend = FunctionQueue::new(queues, &Greet);
    let names = ["Ada", "Grace", "Katherine"].map(str::to_owned);
    let tasks = names.map(|name| (FunctionQueue::<Greet>::new_task_id(), name));
    for result in greet_all(&mut backend, tasks.into()).await? {
        #[expect(clippy::print_stdout, reason = "this is what the example shows")]
        match result {
            Ok(greeting) => println!("{greeting}"),
            Err(error) => println!("failed: {error}"),
        }
    }
    stop.cancel();
    worker.await??;
    Ok(())
}
