//! A function that does what a test says.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use jobs::backoff::Backoff;
use jobs::context::JobContext;
use jobs::function::{Function, JobError, Policy};
use jobs::job::QueueName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

#[derive(Debug, Default, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Probe {
    /// Fail this many attempts first.
    #[serde(default)]
    fail: u32,
    /// How to fail: after, fatal, panic, `compute_panic`, hang; anything else is an error.
    #[serde(default)]
    how: String,
    /// What to return.
    #[serde(default)]
    output: serde_json::Value,
}

/// Counts its runs; with a gate each run waits until the test lets it through.
#[derive(Clone, Default)]
pub(crate) struct Scripted {
    runs: Arc<AtomicU32>,
    gate: Option<Arc<Semaphore>>,
}

impl Scripted {
    pub(crate) fn gated() -> Self {
        Self {
            gate: Some(Arc::new(Semaphore::new(0))),
            ..Self::default()
        }
    }

    pub(crate) fn open(&self, permits: usize) {
        self.gate.as_ref().unwrap().add_permits(permits);
    }

    pub(crate) fn runs(&self) -> u32 {
        self.runs.load(Ordering::SeqCst)
    }
}

impl Function for Scripted {
    const NAME: &'static str = "scripted";
    const DESCRIPTION: &'static str = "Does what a test says.";
    type Input = Probe;
    type Output = serde_json::Value;

    fn policy(&self) -> Policy {
        Policy {
            backoff: Backoff::Fixed(vec![Duration::from_millis(20)]),
            ..Policy::default()
        }
    }

    async fn run(&self, context: JobContext, probe: Probe) -> Result<serde_json::Value, JobError> {
        self.runs.fetch_add(1, Ordering::SeqCst);
        if let Some(gate) = &self.gate {
            gate.acquire().await?.forget();
        }
        if context.attempt > probe.fail {
            return Ok(probe.output);
        }
        match probe.how.as_str() {
            "after" => Err(JobError::retry_after(Duration::from_millis(300), "busy")),
            "fatal" => Err(JobError::fatal("no such address")),
            "panic" => panic!("attempt {} fell over", context.attempt),
            "compute_panic" => context.compute(|| panic!("in the depths")).await,
            "hang" => std::future::pending().await,
            _ => Err(JobError::retry(format!("attempt {} failed", context.attempt))),
        }
    }
}

/// The same on a queue of the test's choice, under a name of its own.
pub(crate) struct On<const N: usize>(pub(crate) QueueName, pub(crate) Scripted);

impl<const N: usize> Function for On<N> {
    const NAME: &'static str = ["on-0", "on-1", "on-2"][N];
    const DESCRIPTION: &'static str = Scripted::DESCRIPTION;
    type Input = Probe;
    type Output = serde_json::Value;

    fn policy(&self) -> Policy {
        Policy {
            queue: self.0.clone(),
            ..self.1.policy()
        }
    }

    async fn run(&self, context: JobContext, probe: Probe) -> Result<serde_json::Value, JobError> {
        self.1.run(context, probe).await
    }
}
