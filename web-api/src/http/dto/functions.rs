//! The functions that can be called, as the API returns them.

use jobs::catalog::CatalogEntry;
use salvo::oapi::ToSchema;
use serde::Serialize;

use super::scalar::AnyJson;

/// A function that can be called.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "Function"))]
pub struct Function {
    #[salvo(schema(example = "fibonacci"))]
    pub name: String,
    /// What the function does, in one or two sentences.
    pub description: String,
    /// The default queue of its jobs.
    #[salvo(schema(example = "default"))]
    pub queue: String,
    /// The default number of attempts.
    #[salvo(schema(minimum = 1))]
    pub max_attempts: u32,
    /// The default time limit of one attempt, in seconds.
    pub timeout_seconds: f64,
    /// JSON Schema of the input.
    #[salvo(schema(required = true))]
    pub input_schema: AnyJson,
    /// JSON Schema of the output.
    #[salvo(schema(required = true))]
    pub output_schema: AnyJson,
}

impl From<&CatalogEntry> for Function {
    fn from(entry: &CatalogEntry) -> Self {
        let policy = entry.policy();
        Self {
            name: entry.name().to_owned(),
            description: entry.description().to_owned(),
            queue: policy.queue.to_string(),
            max_attempts: policy.max_attempts,
            timeout_seconds: policy.timeout.as_secs_f64(),
            input_schema: entry.input_schema().clone().into(),
            output_schema: entry.output_schema().clone().into(),
        }
    }
}

/// All functions, by name.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "FunctionList"))]
pub struct FunctionList {
    pub functions: Vec<Function>,
}
