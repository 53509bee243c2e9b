//! Spiral's queue, the engine alone.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Result;
use jobs::job::{Envelope, JobId, QueueName};
use jobs::queue::{Queues, RedisSettings};
use serde_json::value::RawValue;

use super::{ApiResponse, Contestant, own_worker};
use crate::clock;
use crate::worker::{Engine, NOOP, NoopInput};

/// Jobs in one call, as many as one HTTP call may bring.
const CHUNK: u64 = 10_000;

pub(crate) struct Spiral {
    queues: Queues,
    queue: QueueName,
    url: String,
    concurrency: usize,
}

impl Spiral {
    pub(crate) async fn new(url: &str, concurrency: usize) -> Result<Self> {
        let settings = RedisSettings {
            url: url.to_owned(),
            ..RedisSettings::default()
        };
        Ok(Self {
            queues: Queues::connect(&settings).await?,
            queue: QueueName::standard(),
            url: url.to_owned(),
            concurrency,
        })
    }
}

fn envelope(input: &NoopInput) -> Result<Envelope> {
    let input = RawValue::from_string(serde_json::to_string(input)?)?;
    Ok(Envelope {
        max_attempts: 5,
        ..Envelope::new(JobId::new(), NOOP, input)
    })
}

impl Contestant for Spiral {
    fn name(&self) -> &'static str {
        "Spiral"
    }

    fn enqueue(&self, jobs: u64) -> ApiResponse<'_, Duration> {
        Box::pin(async move {
            let begin = Instant::now();
            let mut first = 0;
            while first < jobs {
                let next = jobs.min(first + CHUNK);
                let envelopes = (first..next)
                    .map(|number| {
                        envelope(&NoopInput {
                            number,
                            sent_us: None,
                        })
                    })
                    .collect::<Result<Vec<_>>>()?;
                self.queues.push(&self.queue, &envelopes).await?;
                first = next;
            }
            Ok(begin.elapsed())
        })
    }

    fn enqueue_one(&self) -> ApiResponse<'_, ()> {
        Box::pin(async move {
            let input = NoopInput {
                number: 1,
                sent_us: Some(clock::now_us()),
            };
            self.queues.push(&self.queue, &[envelope(&input)?]).await?;
            Ok(())
        })
    }

    fn worker(&self, expected: u64) -> Result<Command> {
        own_worker(Engine::Spiral, &self.url, self.concurrency, expected)
    }

    fn is_drained(&self, _jobs: u64) -> ApiResponse<'_, bool> {
        Box::pin(async move {
            let depth = self.queues.depth(&self.queue).await?;
            Ok(depth.queued + depth.scheduled + depth.running == 0)
        })
    }
}
