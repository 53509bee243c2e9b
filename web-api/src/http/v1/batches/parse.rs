//! Parses the body of a new batch into checked jobs, or into field errors.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jobs::catalog::{Catalog, CatalogEntry};
use jobs::json::{Json, Object};

use crate::db::batches::Counts;
use crate::db::batches::close::summary;
use crate::db::batches::insert::NewBatch;
use crate::db::jobs::{Idempotency, NewJob};
use crate::domain::ids::BatchId;
use crate::http::dto::problems::FieldError;
use crate::http::error::ApiError;
use crate::http::extract::json::{self, Fields};
use crate::http::v1::functions::{self, call_body};
use crate::services::batch_closer::MOST_JOBS;
use crate::services::enqueuer::request_hash;

const EXAMPLE: &str = "{\"jobs\": [{\"function\": \"fibonacci\", \"input\": {\"index\": 90}}]}";
/// How many field errors one response lists.
const MOST_PROBLEMS: usize = 20;
/// The longest name of a function.
const LONGEST_NAME: usize = 64;
/// The field that is added to the input of `on_finish`.
const BATCH: &str = "batch";

/// What is known of a request before its body is parsed.
pub(super) struct Request {
    pub(super) bytes: Bytes,
    pub(super) catalog: Arc<Catalog>,
    pub(super) key: Option<String>,
    pub(super) key_held_for: Duration,
    pub(super) traceparent: Option<String>,
}

impl Request {
    /// Takes time in proportion to the body: run it on a blocking thread.
    pub(super) fn read(self) -> Result<NewBatch, ApiError> {
        let body = json::parse_object(&self.bytes, EXAMPLE)?;
        let idempotency = self.key.clone().map(|key| Idempotency {
            key,
            request_hash: request_hash(&Json::of_object(&body)),
            held_for: self.key_held_for,
        });
        let mut fields = Fields::of(body);
        let calls = fields.array("jobs").unwrap_or_else(|| {
            fields.wrong("/jobs", "is missing");
            Vec::new()
        });
        let on_finish = fields.object("on_finish");
        fields.finish()?;
        if !(1..=MOST_JOBS).contains(&calls.len()) {
            let message = format!("must have 1 to 10,000 jobs, not {}", calls.len());
            return Err(ApiError::invalid_input("/jobs", message));
        }

        let id = BatchId::new();
        let total = calls.len() as u64;
        let mut problems = Problems::default();
        let mut new = Vec::with_capacity(calls.len());
        for (place, call) in calls.into_iter().enumerate() {
            match self.call(&call) {
                Ok(job) => new.push(NewJob {
                    batch: Some(id),
                    ..job
                }),
                Err(errors) => problems.add(&format!("/jobs/{place}"), errors),
            }
            if problems.are_enough() {
                break;
            }
        }
        let on_finish = on_finish.map(|call| self.on_finish(call, id, total)).transpose();
        let on_finish = on_finish.unwrap_or_else(|errors| {
            problems.add("/on_finish", errors);
            None
        });
        problems.finish()?;
        Ok(NewBatch {
            id,
            jobs: new,
            on_finish,
            idempotency,
        })
    }

    /// One of the calls; the pointers of its errors start at the call.
    fn call(&self, call: &Json) -> Result<NewJob, Vec<FieldError>> {
        let Some(call) = call.as_object() else {
            return Err(vec![FieldError::new("", "must be an object")]);
        };
        let mut fields = Fields::of(call);
        let function = self.function(&mut fields);
        let call =
            functions::read(fields, &self.catalog.queues()).map_err(|error| error.fields().to_vec())?;
        // A missing or unknown name is among the errors.
        let function = function.ok_or_else(Vec::new)?;
        check(function, &call.input)?;
        Ok(NewJob {
            traceparent: self.traceparent.clone(),
            ..call.into_job(function)
        })
    }

    /// The callback of the batch, checked with the input that its function will get.
    fn on_finish(&self, call: Object, id: BatchId, total: u64) -> Result<NewJob, Vec<FieldError>> {
        let mut fields = Fields::of(call);
        let function = self.function(&mut fields);
        let input = fields.object("input").unwrap_or_default();
        if input.contains_key(BATCH) {
            fields.wrong(
                "/input/batch",
                "must not be sent: it is filled in when the batch has finished",
            );
        }
        fields.finish().map_err(|error| error.fields().to_vec())?;
        let function = function.ok_or_else(Vec::new)?;
        let counts = Counts {
            completed: total,
            ..Counts::default()
        };
        let mut sample = input.clone();
        sample.insert(BATCH.to_owned(), summary(id, total, &counts).into());
        check(function, &Json::of_object(&sample))?;
        Ok(NewJob {
            traceparent: self.traceparent.clone(),
            ..NewJob::of(function, Json::of_object(&input))
        })
    }

    /// The named function; a field error when there is none.
    fn function(&self, fields: &mut Fields) -> Option<&CatalogEntry> {
        let Some(name) = fields.any("function") else {
            fields.wrong("/function", "is missing");
            return None;
        };
        let name = name.as_str().unwrap_or_default();
        let function = self.catalog.get(name);
        if function.is_none() {
            let shown: String = name.chars().take(LONGEST_NAME).collect();
            fields.wrong(
                "/function",
                format!("must be the name of a function, not {shown:?}"),
            );
        }
        function
    }
}

fn check(function: &CatalogEntry, input: &Json) -> Result<(), Vec<FieldError>> {
    call_body::check_input(function, input, call_body::INPUT).map_err(|error| error.fields().to_vec())
}

/// The field errors of a batch, up to a limit.
#[derive(Default)]
struct Problems(Vec<FieldError>);

impl Problems {
    fn add(&mut self, place: &str, errors: Vec<FieldError>) {
        let errors = errors.into_iter().map(|error| FieldError {
            field: format!("{place}{}", error.field),
            ..error
        });
        self.0.extend(errors);
        self.0.truncate(MOST_PROBLEMS);
    }

    fn are_enough(&self) -> bool {
        self.0.len() >= MOST_PROBLEMS
    }

    fn finish(self) -> Result<(), ApiError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(ApiError::InvalidInput { fields: self.0 })
        }
    }
}
