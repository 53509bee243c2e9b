//! The request bodies of a call and of a change to a job.

use salvo::oapi::ToSchema;
use serde::Serialize;

use super::scalar::{AnyJson, Timestamp};

/// A call of a function.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "NewJob"))]
pub struct NewJob {
    /// The input of the function; its schema is the function's `input_schema`.
    #[salvo(schema(required = true))]
    pub input: AnyJson,
    /// The largest number of attempts; default: the function's limit.
    #[salvo(schema(minimum = 1, maximum = 100))]
    pub max_attempts: Option<u32>,
    /// The earliest time to run, at most a year ahead.
    pub run_at: Option<Timestamp>,
    /// Seconds to wait before the job can run, at most a year. Not together with `run_at`.
    #[salvo(schema(minimum = 0, maximum = 31_536_000))]
    pub delay_seconds: Option<u64>,
    /// The time limit of one attempt; default: the function's limit.
    #[salvo(schema(minimum = 0.1, maximum = 86_400))]
    pub timeout_seconds: Option<f64>,
    /// The waits between attempts. `{"fixed_seconds": [1, 5, 30]}` lists them; the last one repeats.
    /// `{"exponential": {"base_seconds": 2, "cap_seconds": 600}}` waits a random time up to a bound that
    /// doubles with each attempt. Default: the function's policy.
    pub backoff: Option<NewBackoff>,
    /// The queue; default: the function's queue.
    pub queue: Option<String>,
    /// The priority, from 1 (runs first) to 9 (runs last); default 5.
    #[salvo(schema(minimum = 1, maximum = 9))]
    pub priority: Option<u8>,
    /// Jobs with the same key (a tenant, for example) share one turn in the queue, so many jobs of one caller
    /// do not delay the few jobs of another.
    #[salvo(schema(min_length = 1, max_length = 128))]
    pub fairness_key: Option<String>,
    /// Labels for searching. Each has 1 to 64 letters and digits of any script and `_ - . : / @ + # =`.
    #[salvo(schema(max_items = 10, example = json!(["customer:17"])))]
    pub tags: Option<Vec<String>>,
    /// While a job of this function holds the same key, that job is returned and no new one is made, whatever
    /// the input.
    #[salvo(schema(min_length = 1, max_length = 255, example = "customer-17"))]
    pub unique_key: Option<String>,
    /// How long the job holds its `unique_key`, counted from the call; default: until the job is finished.
    #[salvo(schema(minimum = 1, maximum = 31_536_000))]
    pub unique_for_seconds: Option<u64>,
}

/// A new input for a job that is waiting.
#[derive(Debug, Clone, ToSchema)]
#[salvo(schema(name = "JobChange"))]
pub struct JobChange {
    /// The input of the function; its schema is the function's `input_schema`.
    #[salvo(schema(required = true))]
    pub input: AnyJson,
}

/// The waits between attempts: one of the two kinds.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "NewBackoff"))]
pub struct NewBackoff {
    /// Seconds before the second attempt, the third and so on; the last value repeats.
    #[salvo(schema(min_items = 1, max_items = 100))]
    pub fixed_seconds: Option<Vec<f64>>,
    pub exponential: Option<ExponentialBackoff>,
}

/// A random wait up to a bound that doubles with each attempt.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "ExponentialBackoff"))]
pub struct ExponentialBackoff {
    /// The bound of the first wait.
    #[salvo(schema(required = true, minimum = 0, maximum = 86_400))]
    pub base_seconds: f64,
    /// The largest bound.
    #[salvo(schema(required = true, minimum = 0, maximum = 86_400))]
    pub cap_seconds: f64,
}
