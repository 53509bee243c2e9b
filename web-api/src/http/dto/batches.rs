//! A batch as the API returns it, lists of batches, and the body that makes one.

use salvo::oapi::ToSchema;
use serde::Serialize;

use super::scalar::{AnyJson, Timestamp};
use crate::db::batches as record;
use crate::http::dto::new_job::NewJob;

/// How many jobs are in each state.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[salvo(schema(name = "BatchCounts"))]
pub struct Counts {
    pub scheduled: u64,
    pub queued: u64,
    pub running: u64,
    pub retrying: u64,
    pub completed: u64,
    pub dead: u64,
    pub cancelled: u64,
}

/// The callback of a batch.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "BatchCall"))]
pub struct OnFinish {
    /// The function that is called when the batch has finished.
    #[salvo(schema(example = "report"))]
    pub function: String,
    /// The id of the callback's job; null until the batch has finished.
    #[salvo(schema(required = true, example = "01JD3Y8M5Q2W7E9R4T6Y1P0A2S"))]
    pub job_id: Option<String>,
}

/// A group of jobs that was made in one request.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "Batch"))]
pub struct Batch {
    /// A ULID: ids sort by creation time.
    #[salvo(schema(example = "01JD3Y8M5Q2W7E9R4T6Y1P0A2S"))]
    pub id: String,
    /// How many jobs were made.
    #[salvo(schema(minimum = 0, maximum = 10_000))]
    pub total: u64,
    /// How many calls made no job, because an earlier job holds their `unique_key`.
    #[salvo(schema(minimum = 0, maximum = 10_000))]
    pub duplicates: u64,
    /// The current states of the jobs; for a finished batch, the states when it finished.
    pub counts: Counts,
    pub created_at: Timestamp,
    /// When the last job finished. A job that is retried later does not change it.
    #[salvo(schema(required = true))]
    pub finished_at: Option<Timestamp>,
    #[salvo(schema(required = true))]
    pub on_finish: Option<OnFinish>,
}

impl From<&record::Batch> for Batch {
    fn from(batch: &record::Batch) -> Self {
        let record::Counts {
            scheduled,
            queued,
            running,
            retrying,
            completed,
            dead,
            cancelled,
        } = batch.counts;
        Self {
            id: batch.id.to_string(),
            total: batch.total,
            duplicates: batch.duplicates,
            counts: Counts {
                scheduled,
                queued,
                running,
                retrying,
                completed,
                dead,
                cancelled,
            },
            created_at: batch.created_at.into(),
            finished_at: batch.finished_at.map(Into::into),
            on_finish: batch.on_finish.as_ref().map(|call| OnFinish {
                function: call.function.clone(),
                job_id: call.job.map(|id| id.to_string()),
            }),
        }
    }
}

/// A page of batches, newest first.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "BatchPage"))]
pub struct BatchPage {
    pub batches: Vec<Batch>,
    /// The value of `cursor` for the next page; null on the last page.
    #[salvo(schema(required = true))]
    pub next_cursor: Option<String>,
}

/// A new batch.
#[derive(Debug, Clone, ToSchema)]
#[salvo(schema(name = "NewBatch"))]
pub struct NewBatch {
    /// The calls: each has a function, an input and the options of a single call.
    #[salvo(schema(min_items = 1, max_items = 10_000))]
    pub jobs: Vec<NewBatchJob>,
    /// The function to call when all jobs are finished: completed, dead or cancelled.
    pub on_finish: Option<NewOnFinish>,
}

/// One call of a batch.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "NewBatchJob"))]
pub struct NewBatchJob {
    /// The name of the function.
    #[salvo(schema(example = "fibonacci"))]
    pub function: String,
    #[serde(flatten)]
    pub call: NewJob,
}

/// The callback of a new batch.
#[derive(Debug, Clone, ToSchema)]
#[salvo(schema(name = "NewBatchCall"))]
pub struct NewOnFinish {
    /// The name of the function. Its input schema must allow a field `batch`.
    #[salvo(schema(example = "report"))]
    pub function: String,
    /// The input: an object to which `batch` is added, `{id, total, completed, dead, cancelled}`. Default: an
    /// empty object.
    pub input: Option<AnyJson>,
}
