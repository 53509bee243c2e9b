//! THE list of functions: name to schema, policy and code. Adding a function is one file in `functions/` and one
//! line in [`Catalog::new`]; the API, its documentation and the form follow from the input type.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::catalog::check::InputCheck;
use crate::context::JobContext;
use crate::error::Error;
use crate::function::{Function, JobError, Policy};
use crate::functions::echo::Echo;
use crate::functions::fibonacci::Fibonacci;
use crate::functions::flaky::Flaky;
use crate::functions::http_request::{HttpRequest, HttpRequestSettings};
use crate::functions::sleep::Sleep;
use crate::job::QueueName;
use crate::json::{self, Json};
use crate::settings::{Lookup, Problem, Reader};

mod check;
mod queue_weights;

pub use check::InputError;
pub use queue_weights::DeclaredQueues;

/// The settings of the functions that come with Spiral, and of the queues that jobs may go through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionSettings {
    /// The largest index that `fibonacci` accepts.
    pub fibonacci_max_index: u64,
    /// Queues beside those that functions name, and their weights.
    pub queues: DeclaredQueues,
    /// What `http_request` may call.
    pub http: HttpRequestSettings,
}

impl Default for FunctionSettings {
    fn default() -> Self {
        Self {
            fibonacci_max_index: 10_000_000,
            queues: DeclaredQueues::default(),
            http: HttpRequestSettings::default(),
        }
    }
}

impl FunctionSettings {
    /// # Errors
    /// Every setting that cannot be used.
    pub fn from_lookup(lookup: Lookup<'_>) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader::new(lookup);
        let default = Self::default();
        let settings = Self {
            fibonacci_max_index: reader.number(
                "SPIRAL_FIBONACCI_MAX_INDEX",
                default.fibonacci_max_index,
                // F(2^32) would have 900 million digits; 100 million take GMP about five seconds.
                1..=100_000_000,
            ),
            queues: reader.parsed("SPIRAL_QUEUES", default.queues),
            http: HttpRequestSettings {
                allow_private: reader.flag("SPIRAL_HTTP_ALLOW_PRIVATE", default.http.allow_private),
                max_response_bytes: reader.number(
                    "SPIRAL_HTTP_MAX_RESPONSE_BYTES",
                    default.http.max_response_bytes,
                    // Every running call may hold as much.
                    1_024..=67_108_864,
                ),
            },
        };
        reader.finish(settings)
    }
}

/// All functions that this build can run.
pub struct Catalog {
    entries: BTreeMap<&'static str, CatalogEntry>,
    declared: DeclaredQueues,
}

impl Catalog {
    /// The functions of this build.
    ///
    /// # Errors
    /// [`Error::Function`] when one of them has a name or a schema that cannot be used.
    pub fn new(settings: &FunctionSettings) -> Result<Self, Error> {
        Self::empty()
            .with_queues(settings.queues.clone())
            .with(Echo)?
            .with(Fibonacci {
                max_index: settings.fibonacci_max_index,
            })?
            .with(Flaky)?
            .with(HttpRequest::new(&settings.http))?
            .with(Sleep)
    }

    /// No functions: for tests and benchmarks that bring their own.
    pub fn empty() -> Self {
        Self {
            entries: BTreeMap::new(),
            declared: DeclaredQueues::default(),
        }
    }

    /// Declares queues beside those that functions name.
    #[must_use]
    pub fn with_queues(self, declared: DeclaredQueues) -> Self {
        Self { declared, ..self }
    }

    /// Adds a function.
    ///
    /// # Errors
    /// [`Error::Function`] when its name is taken or illegal, or its schema is no JSON Schema.
    pub fn with<F: Function>(mut self, function: F) -> Result<Self, Error> {
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
        if F::NAME.is_empty() || F::NAME.len() > 64 || !F::NAME.chars().all(legal) {
            return Err(Error::Function(
                F::NAME,
                "its name is not 1 to 64 of a-z, 0-9, _ and -".to_owned(),
            ));
        }
        if self
            .entries
            .insert(F::NAME, CatalogEntry::of(function)?)
            .is_some()
        {
            return Err(Error::Function(F::NAME, "there are two of this name".to_owned()));
        }
        Ok(self)
    }

    pub fn get(&self, name: &str) -> Option<&CatalogEntry> {
        self.entries.get(name)
    }

    /// All functions, by name.
    pub fn iter(&self) -> impl Iterator<Item = &CatalogEntry> {
        self.entries.values()
    }

    /// Every queue that a job may go through, each once: the declared ones in their order, then those that functions
    /// name, by name.
    pub fn queues(&self) -> Vec<QueueName> {
        self.weighted_queues()
            .into_iter()
            .map(|(queue, _)| queue)
            .collect()
    }

    /// The same, with their weights.
    pub fn weighted_queues(&self) -> Vec<(QueueName, u32)> {
        let named = self.iter().map(|entry| entry.policy.queue.clone());
        self.declared.and(named)
    }
}

/// One function with everything there is to know of it.
pub struct CatalogEntry {
    name: &'static str,
    description: &'static str,
    policy: Policy,
    input_schema: Value,
    output_schema: Value,
    check: InputCheck,
    run: Arc<dyn Run>,
}

impl CatalogEntry {
    fn of<F: Function>(function: F) -> Result<Self, Error> {
        let input_schema = function.input_schema().to_value();
        Ok(Self {
            name: F::NAME,
            description: F::DESCRIPTION,
            policy: function.policy(),
            check: InputCheck::new(F::NAME, &input_schema)?,
            input_schema,
            output_schema: schemars::schema_for!(F::Output).to_value(),
            run: Arc::new(function),
        })
    }

    pub fn name(&self) -> &'static str {
        self.name
    }

    pub fn description(&self) -> &'static str {
        self.description
    }

    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The JSON Schema of the input.
    pub fn input_schema(&self) -> &Value {
        &self.input_schema
    }

    /// The JSON Schema of the output.
    pub fn output_schema(&self) -> &Value {
        &self.output_schema
    }

    /// Checks an input against the schema and the type, as the worker will read it.
    ///
    /// # Errors
    /// Everything that is wrong, each with a JSON pointer to its place.
    pub fn check_input(&self, input: &Json) -> Result<(), Vec<InputError>> {
        self.check.check(input)?;
        // The type decides: it may be stricter than its schema (5.0 is an integer to JSON Schema).
        self.run.read(input).map_err(|error| vec![error])
    }

    /// The key under which the output of this input is kept for other jobs, if it is.
    pub fn memo_key(&self, input: &RawValue) -> Option<String> {
        self.run.memo_key(input)
    }

    /// Makes ready to run one attempt on the JSON text of an input; the output is JSON text as well.
    pub(crate) fn run(&self, context: JobContext, input: &RawValue) -> Result<Begun, BadInput> {
        Arc::clone(&self.run).run(context, input)
    }
}

/// The input does not have the function's type.
#[derive(Debug)]
pub(crate) struct BadInput(pub(crate) String);

/// An attempt that is ready to run, and the key under which its output is kept for other jobs, if it is.
pub(crate) type Begun = (
    Option<String>,
    BoxFuture<'static, Result<Box<RawValue>, JobError>>,
);

/// A [`Function`] without its types.
trait Run: Send + Sync {
    fn read(&self, input: &Json) -> Result<(), InputError>;
    fn memo_key(&self, input: &RawValue) -> Option<String>;
    fn run(self: Arc<Self>, context: JobContext, input: &RawValue) -> Result<Begun, BadInput>;
}

impl<F: Function> Run for F {
    fn read(&self, input: &Json) -> Result<(), InputError> {
        check::read::<F::Input>(input)
    }

    fn memo_key(&self, input: &RawValue) -> Option<String> {
        Function::memo_key(self, &serde_json::from_str(input.get()).ok()?)
    }

    fn run(self: Arc<Self>, context: JobContext, input: &RawValue) -> Result<Begun, BadInput> {
        let input: F::Input =
            serde_json::from_str(input.get()).map_err(|error| BadInput(error.to_string()))?;
        let memo_key = Function::memo_key(self.as_ref(), &input);
        let run = Box::pin(async move {
            let output = Function::run(self.as_ref(), context, input).await?;
            let output = serde_json::value::to_raw_value(&output)
                .map_err(|error| JobError::fatal(format!("the output is no JSON: {error}")))?;
            // Another attempt would give the same. Without this the record would have no output, and no error.
            json::check(output.get())
                .map_err(|error| JobError::fatal(format!("the output cannot be kept: {error}")))?;
            Ok(output)
        });
        Ok((memo_key, run))
    }
}
