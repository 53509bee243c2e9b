//! Spiral's queue and worker.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use jobs::catalog::Catalog;
use jobs::context::JobContext;
use jobs::function::{Function, JobError};
use jobs::job::{Envelope, JobId, QueueName};
use jobs::queue::{Queues, RedisSettings};
use jobs::worker::{self, WorkerSettings};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;

use super::contestant::{Answer, Contestant, Running};

pub(super) struct Spiral {
    redis: RedisSettings,
    queues: Queues,
    concurrency: usize,
}

/// Counts and does nothing else.
struct Noop(Arc<AtomicU64>);

/// A little input, as each side has to read one.
#[derive(Serialize, Deserialize, JsonSchema)]
struct NoopInput {
    number: u64,
}

impl Function for Noop {
    const NAME: &'static str = "noop";
    const DESCRIPTION: &'static str = "Does nothing.";
    type Input = NoopInput;
    type Output = ();

    async fn run(&self, _context: JobContext, _input: NoopInput) -> Result<(), JobError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

impl Spiral {
    pub(super) async fn new(url: String, concurrency: usize) -> Result<Self> {
        let redis = RedisSettings {
            url,
            ..RedisSettings::default()
        };
        let queues = Queues::connect(&redis).await?;
        Ok(Self {
            redis,
            queues,
            concurrency,
        })
    }
}

impl Contestant for Spiral {
    fn name(&self) -> &'static str {
        "Spiral"
    }

    fn push(&self, jobs: u64) -> Answer<'_, ()> {
        Box::pin(async move {
            let mut envelopes = Vec::new();
            for number in 0..jobs {
                let input = RawValue::from_string(serde_json::to_string(&NoopInput { number })?)?;
                envelopes.push(Envelope {
                    max_attempts: 5,
                    ..Envelope::new(JobId::new(), Noop::NAME, input)
                });
            }
            self.queues.push(&QueueName::standard(), &envelopes).await?;
            Ok(())
        })
    }

    fn start(&self, done: Arc<AtomicU64>) -> Answer<'_, Running> {
        Box::pin(async move {
            let catalog = Arc::new(Catalog::empty().with(Noop(done))?);
            let settings = WorkerSettings {
                redis: self.redis.clone(),
                concurrency: self.concurrency,
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
        })
    }

    fn is_drained(&self, _jobs: u64) -> Answer<'_, bool> {
        Box::pin(async move {
            let depth = self.queues.depth(&QueueName::standard()).await?;
            Ok(depth.queued + depth.scheduled + depth.running == 0)
        })
    }
}
