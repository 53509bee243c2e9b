//! `echo`: gives its input back, to see a job's whole way without any work in it.

use serde_json::Value;

use crate::context::JobContext;
use crate::function::{Function, JobError};

pub struct Echo;

impl Function for Echo {
    const NAME: &'static str = "echo";
    const DESCRIPTION: &'static str = "Returns its input, whatever JSON it is.";

    type Input = Value;
    type Output = Value;

    async fn run(&self, _context: JobContext, input: Value) -> Result<Value, JobError> {
        Ok(input)
    }
}
