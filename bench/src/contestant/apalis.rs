//! apalis-redis's own storage.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Result;
use apalis::prelude::TaskSink as _;
use apalis_redis::ConnectionManager;

use super::{ApiResponse, Contestant, own_worker};
use crate::clock;
use crate::worker::{ApalisSetup, Engine, NoopInput, apalis_config, apalis_storage};

/// Jobs in one call.
const CHUNK: usize = 500;

pub(crate) struct Apalis {
    name: &'static str,
    connection: ConnectionManager,
    url: String,
    concurrency: usize,
    setup: ApalisSetup,
}

impl Apalis {
    pub(crate) async fn new(
        name: &'static str,
        url: &str,
        concurrency: usize,
        setup: ApalisSetup,
    ) -> Result<Self> {
        Ok(Self {
            name,
            connection: apalis_redis::connect(url).await?,
            url: url.to_owned(),
            concurrency,
            setup,
        })
    }
}

impl Contestant for Apalis {
    fn name(&self) -> &'static str {
        self.name
    }

    fn enqueue(&self, jobs: u64) -> ApiResponse<'_, Duration> {
        Box::pin(async move {
            let begin = Instant::now();
            let config = apalis_config(self.concurrency, self.setup);
            let mut storage = apalis_storage(self.connection.clone(), config);
            let inputs: Vec<NoopInput> = (0..jobs)
                .map(|number| NoopInput {
                    number,
                    sent_us: None,
                })
                .collect();
            for some in inputs.chunks(CHUNK) {
                let pushed = storage.push_bulk(some.to_vec()).await;
                pushed.map_err(|error| anyhow::anyhow!("{error}"))?;
            }
            Ok(begin.elapsed())
        })
    }

    fn enqueue_one(&self) -> ApiResponse<'_, ()> {
        Box::pin(async move {
            let config = apalis_config(self.concurrency, self.setup);
            let mut storage = apalis_storage(self.connection.clone(), config);
            let sent_us = Some(clock::now_us());
            let pushed = storage.push(NoopInput { number: 1, sent_us }).await;
            pushed.map_err(|error| anyhow::anyhow!("{error}"))
        })
    }

    fn worker(&self, expected: u64) -> Result<Command> {
        own_worker(Engine::Apalis(self.setup), &self.url, self.concurrency, expected)
    }

    fn is_drained(&self, jobs: u64) -> ApiResponse<'_, bool> {
        Box::pin(async move {
            let mut connection = self.connection.clone();
            let key = apalis_config(self.concurrency, self.setup).done_jobs_set();
            let done: u64 = redis::cmd("SCARD").arg(key).query_async(&mut connection).await?;
            Ok(done == jobs)
        })
    }
}
