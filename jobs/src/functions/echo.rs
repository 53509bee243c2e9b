//! `echo`: gives its input back, to see a job's whole way without any work in it.

use crate::context::JobContext;
use crate::function::{Function, JobError};
use crate::json::Json;

pub struct Echo;

impl Function for Echo {
    const NAME: &'static str = "echo";
    const DESCRIPTION: &'static str = "Returns its input, whatever JSON it is.";

    type Input = Json;
    type Output = Json;

    async fn run(&self, _context: JobContext, input: Json) -> Result<Json, JobError> {
        Ok(input)
    }
}
