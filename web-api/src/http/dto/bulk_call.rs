//! Many independent calls in one request.

use salvo::oapi::schema::{Array, Schema};
use salvo::oapi::{Components, RefOr, ToSchema};
use serde::Serialize;

use crate::http::dto::job_state::State;
use crate::http::dto::new_job::NewJob;
use crate::http::dto::problems::Problem;

/// One of many calls: the fields of a single call, and these.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "ManyCallsItem"))]
pub struct ManyCallsItem {
    /// The name of the function.
    #[salvo(schema(required = true, example = "fibonacci"))]
    pub function: String,
    /// Like the header `Idempotency-Key` of a single call: 1 to 255 characters, unique to the call.
    #[salvo(schema(min_length = 1, max_length = 255))]
    pub idempotency_key: Option<String>,
    #[serde(flatten)]
    pub call: NewJob,
}

/// Many calls.
#[derive(Debug)]
pub enum ManyCalls {}

impl ToSchema for ManyCalls {
    fn to_schema(components: &mut Components) -> RefOr<Schema> {
        let item = ManyCallsItem::to_schema(components);
        Array::new().items(item).min_items(1).max_items(10_000).into()
    }
}

/// The outcome of one of many calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[salvo(schema(name = "ManyCallsStatus"))]
pub enum Status {
    /// The job is recorded and will run.
    Created,
    /// The key belongs to an earlier job, which is returned.
    Existing,
    /// No job was made; `problem` says why. The other calls are not affected.
    Refused,
}

/// The result of one of many calls.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "ManyCallsResult"))]
pub struct CallResult {
    pub status: Status,
    /// The id of the job; null when there is none.
    #[salvo(schema(required = true))]
    pub id: Option<String>,
    /// The state of the job; null when there is none.
    #[salvo(schema(required = true))]
    pub state: Option<State>,
    /// The problem that a single call would have returned; null when there is a job.
    #[salvo(schema(required = true))]
    pub problem: Option<Problem>,
}

/// The results of many calls.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "ManyCallsResults"))]
pub struct CallResults {
    #[salvo(schema(minimum = 0))]
    pub created: usize,
    #[salvo(schema(minimum = 0))]
    pub existing: usize,
    #[salvo(schema(minimum = 0))]
    pub refused: usize,
    /// One result for each call, in the order of the calls.
    pub results: Vec<CallResult>,
}
