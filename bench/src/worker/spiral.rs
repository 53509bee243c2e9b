//! Spiral's worker with a function that does nothing.

use std::sync::Arc;

use anyhow::Result;
use jobs::catalog::Catalog;
use jobs::context::JobContext;
use jobs::function::{Function, JobError};
use jobs::queue::RedisSettings;
use jobs::worker::{self, WorkerSettings};
use tokio_util::sync::CancellationToken;

use super::{NOOP, NoopInput, Ran, Running};

struct Noop(Arc<Ran>);

impl Function for Noop {
    const NAME: &'static str = NOOP;
    const DESCRIPTION: &'static str = "Does nothing.";
    type Input = NoopInput;
    type Output = ();

    async fn run(&self, _context: JobContext, input: NoopInput) -> Result<(), JobError> {
        self.0.ran(&input);
        Ok(())
    }
}

pub(super) fn start(url: &str, concurrency: usize, ran: Arc<Ran>) -> Result<Running> {
    let catalog = Arc::new(Catalog::empty().with(Noop(ran))?);
    let settings = WorkerSettings {
        redis: RedisSettings {
            url: url.to_owned(),
            ..RedisSettings::default()
        },
        concurrency,
        ..WorkerSettings::default()
    };
    let shutdown = CancellationToken::new();
    let task = tokio::spawn({
        let shutdown = shutdown.clone();
        async move {
            if let Err(error) = worker::run(settings, catalog, shutdown).await {
                eprintln!("the worker ended: {error}");
            }
        }
    });
    Ok(Running {
        task,
        shutdown: Some(shutdown),
    })
}
