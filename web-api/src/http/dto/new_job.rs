//! What a call and a change of a job ask for.

use salvo::oapi::ToSchema;
use serde::Serialize;

use super::scalar::{AnyJson, Timestamp};

/// A call of a function.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "NewJob"))]
pub struct NewJob {
    /// The argument of the function; its shape is the function's `input_schema`.
    #[salvo(schema(required = true))]
    pub input: AnyJson,
    /// How often to try at most; the function's own limit when it is missing.
    #[salvo(schema(minimum = 1, maximum = 100))]
    pub max_attempts: Option<u32>,
    /// Not before this time, at most a year ahead.
    pub run_at: Option<Timestamp>,
    /// Not before this many seconds from now, at most a year; not together with `run_at`.
    #[salvo(schema(minimum = 0, maximum = 31_536_000))]
    pub delay_seconds: Option<u64>,
    /// How long one attempt may take; the function's own limit when it is missing.
    #[salvo(schema(minimum = 0.1, maximum = 86_400))]
    pub timeout_seconds: Option<f64>,
    /// The waits between attempts: `{"fixed_seconds": [1, 5, 30]}`, the last one again and again, or
    /// `{"exponential": {"base_seconds": 2, "cap_seconds": 600}}`, at random up to a bound that doubles; the function's
    /// own when it is missing.
    pub backoff: Option<NewBackoff>,
    /// The queue to go through; the function's own when it is missing.
    pub queue: Option<String>,
    /// From 1, which runs before all others of the queue, to 9; 5 when it is missing.
    #[salvo(schema(minimum = 1, maximum = 9))]
    pub priority: Option<u8>,
    /// Jobs with one key (a tenant, say) share the turns that the queue gives to that key: many of one caller do not
    /// delay the few of another.
    #[salvo(schema(min_length = 1, max_length = 128))]
    pub fairness_key: Option<String>,
    /// Marks by which the job is found again: each 1 to 64 letters and digits of any script and
    /// `_ - . : / @ + # =`.
    #[salvo(schema(max_items = 10, example = json!(["customer:17"])))]
    pub tags: Option<Vec<String>>,
    /// While a job of this function has the same key, it is the answer and no other is made, whatever the input.
    #[salvo(schema(min_length = 1, max_length = 255, example = "customer-17"))]
    pub unique_key: Option<String>,
    /// How long the job has its `unique_key`, from its call on; until it is finished when this is missing.
    #[salvo(schema(minimum = 1, maximum = 31_536_000))]
    pub unique_for_seconds: Option<u64>,
}

/// Another input for a job that waits.
#[derive(Debug, Clone, ToSchema)]
#[salvo(schema(name = "JobChange"))]
pub struct JobChange {
    /// The argument of the function; its shape is the function's `input_schema`.
    #[salvo(schema(required = true))]
    pub input: AnyJson,
}

/// The waits between attempts; one of the two.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "NewBackoff"))]
pub struct NewBackoff {
    /// Seconds before the second attempt, the third and so on; the last one again and again.
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
