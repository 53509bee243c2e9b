//! What a function is: a name, a typed input and output, a policy, and the code to run.
//! A function knows neither Redis nor SQL; all that it may use comes in its [`JobContext`].

use std::future::Future;
use std::time::Duration;

use schemars::{JsonSchema, Schema, schema_for};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use crate::error::JobError;

use crate::backoff::Backoff;
use crate::context::JobContext;
use crate::job::QueueName;

/// A piece of background work that can be called by name over HTTP.
///
/// Delivery is at least once: a worker that dies in the middle leaves its job to another one, so `run` should be
/// idempotent. What the caller sees is recorded once.
pub trait Function: Send + Sync + 'static {
    /// The name in the API: `[a-z0-9_-]`.
    const NAME: &'static str;
    /// One sentence for people who choose a function.
    const DESCRIPTION: &'static str;

    /// The JSON argument. Its schema is checked before a job is accepted.
    type Input: DeserializeOwned + JsonSchema + Send + 'static;
    /// The JSON return value.
    type Output: Serialize + JsonSchema + Send + 'static;

    /// Where and how often it runs.
    fn policy(&self) -> Policy {
        Policy::default()
    }

    /// The schema of the input. Override it to add limits that come from settings.
    fn input_schema(&self) -> Schema {
        schema_for!(Self::Input)
    }

    /// A key under which the output can be kept and given to later jobs of the same input, for pure functions
    /// that are expensive to compute. `None` runs every job.
    fn memo_key(&self, _input: &Self::Input) -> Option<String> {
        None
    }

    /// Runs one attempt.
    fn run(
        &self,
        context: JobContext,
        input: Self::Input,
    ) -> impl Future<Output = Result<Self::Output, JobError>> + Send;
}

/// Where a function's jobs run and what happens when they fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    pub queue: QueueName,
    /// Attempts in all, the first one included.
    pub max_attempts: u32,
    /// How long one attempt may take.
    pub timeout: Duration,
    pub backoff: Backoff,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            queue: QueueName::standard(),
            max_attempts: 5,
            timeout: Duration::from_mins(10),
            backoff: Backoff::default(),
        }
    }
}
