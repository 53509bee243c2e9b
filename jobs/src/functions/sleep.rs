//! `sleep`: a job that takes as long as it is told, to see what waits, what runs, and that a cancel ends it.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::context::JobContext;
use crate::function::{Function, JobError, Policy};

/// The longest sleep, in seconds.
const LONGEST: f64 = 3_600.0;

pub struct Sleep;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SleepInput {
    /// How long, in seconds; fractions count.
    #[schemars(range(min = 0, max = 3_600))]
    seconds: f64,
}

impl Function for Sleep {
    const NAME: &'static str = "sleep";
    const DESCRIPTION: &'static str = "Waits for a time and returns the seconds that it waited.";

    type Input = SleepInput;
    type Output = f64;

    fn policy(&self) -> Policy {
        Policy {
            // The longest sleep and a minute, so that no sleep is taken for a hang.
            timeout: Duration::from_mins(61),
            ..Policy::default()
        }
    }

    async fn run(&self, _context: JobContext, input: SleepInput) -> Result<f64, JobError> {
        let SleepInput { seconds } = input;
        // The schema says so as well; a job may have been written into the queue by another version.
        if !(0.0..=LONGEST).contains(&seconds) {
            return Err(JobError::fatal(format!(
                "{seconds} seconds are not from 0 to {LONGEST}"
            )));
        }
        tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
        Ok(seconds)
    }
}
