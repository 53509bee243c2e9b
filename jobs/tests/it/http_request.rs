//! `http_request` against real servers, as a worker runs it.

mod answers;
mod outages;
mod places;
mod requests;

use std::sync::Arc;
use std::time::Duration;

use jobs::catalog::{Catalog, FunctionSettings};
use jobs::functions::http_request::HttpRequestSettings;
use jobs::job::Envelope;
use jobs::queue::events::{ErrorKind, Finished, Outcome};
use serde_json::Value;

use crate::support::{TestEnv, TestWorker, Watch, envelope};

const BODY_MAX: u64 = 10_000;

/// A worker that may call this machine, unless a test says otherwise.
pub(crate) struct Caller {
    pub(crate) env: TestEnv,
    pub(crate) watch: Watch,
    worker: TestWorker,
}

/// What became of a call.
#[derive(Debug, PartialEq)]
pub(crate) enum Became {
    Output(Value),
    /// The wait until the next attempt, and why there is one.
    Retry(Duration, String),
    Dead(String),
}

impl Caller {
    async fn new() -> Self {
        Self::with(true).await
    }

    async fn with(allow_private: bool) -> Self {
        let env = TestEnv::new().await;
        let settings = FunctionSettings {
            http: HttpRequestSettings {
                allow_private,
                max_response_bytes: BODY_MAX,
            },
            ..FunctionSettings::default()
        };
        let catalog = Arc::new(Catalog::new(&settings).unwrap());
        Self {
            watch: env.watch().await,
            worker: env.worker(&catalog),
            env,
        }
    }

    async fn push(&self, input: &Value) -> Envelope {
        let job = envelope("http_request", input);
        self.env.push(std::slice::from_ref(&job)).await;
        job
    }

    /// Makes a call and waits until its first attempt has ended.
    async fn call(&mut self, input: Value) -> Became {
        let job = self.push(&input).await;
        let ended = |watch: &Watch| {
            let mut attempts = watch.finished().into_iter();
            attempts.find(|finished| finished.id == job.id).cloned()
        };
        self.watch
            .until(&format!("{input} has ended"), |watch| ended(watch).is_some())
            .await;
        became(&self.env, ended(&self.watch).unwrap()).await
    }
}

pub(crate) async fn became(env: &TestEnv, finished: Finished) -> Became {
    match finished.outcome {
        Outcome::Completed { .. } => {
            let output = env.queues.output(&env.queue, finished.id).await.unwrap().unwrap();
            Became::Output(serde_json::from_slice(&output).unwrap())
        }
        Outcome::Retrying { error, run_at, .. } => {
            assert_eq!(error.kind, ErrorKind::Error);
            let wait = run_at - finished.finished_at;
            Became::Retry(wait.to_std().unwrap_or_default(), error.message)
        }
        Outcome::Dead { error } => {
            assert_eq!(error.kind, ErrorKind::Error);
            Became::Dead(error.message)
        }
        Outcome::Cancelled => panic!("cancelled"),
    }
}

impl Became {
    fn output(self) -> Value {
        let Self::Output(output) = self else {
            panic!("no output: {self:?}");
        };
        output
    }

    fn retry(self) -> (Duration, String) {
        let Self::Retry(wait, message) = self else {
            panic!("no other attempt: {self:?}");
        };
        (wait, message)
    }

    fn dead(self) -> String {
        let Self::Dead(message) = self else {
            panic!("not dead: {self:?}");
        };
        message
    }
}

/// The policy's first wait is at most ten seconds; where these tests measure one that a server asks for, it is longer.
const FIRST_BACKOFF: Duration = Duration::from_secs(10);
