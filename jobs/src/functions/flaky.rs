//! `flaky`: fails as often as it is told, to see retries, dead jobs and panics without breaking anything.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::backoff::Backoff;
use crate::context::JobContext;
use crate::function::{Function, JobError, Policy};
use crate::json::Json;

pub struct Flaky;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FlakyInput {
    /// How many attempts fail before one returns the output.
    #[schemars(range(max = 100))]
    failures: u32,
    /// What to return.
    #[serde(default)]
    output: Json,
    /// How attempts fail: with an `error` or a `panic`, which are tried again, or with a `fatal` error, which is not.
    #[serde(default)]
    how: Failure,
}

// Without a word on each value, so that the schema is a plain list of them and a wrong one is told in plain words.
#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum Failure {
    #[default]
    Error,
    Fatal,
    Panic,
}

impl Function for Flaky {
    const NAME: &'static str = "flaky";
    const DESCRIPTION: &'static str = "Fails its first attempts on purpose, then returns an output.";

    type Input = FlakyInput;
    type Output = Json;

    fn policy(&self) -> Policy {
        Policy {
            // Long enough to be seen, short enough to be waited for.
            backoff: Backoff::Fixed(vec![Duration::from_millis(500), Duration::from_secs(1)]),
            ..Policy::default()
        }
    }

    #[expect(clippy::panic, reason = "a panic is what its caller asks for")]
    async fn run(&self, context: JobContext, input: FlakyInput) -> Result<Json, JobError> {
        if context.attempt > input.failures {
            return Ok(input.output);
        }
        let message = format!(
            "attempt {} of {} failed on purpose",
            context.attempt, context.max_attempts
        );
        match input.how {
            Failure::Error => Err(JobError::retry(message)),
            Failure::Fatal => Err(JobError::fatal(message)),
            Failure::Panic => panic!("{message}"),
        }
    }
}
