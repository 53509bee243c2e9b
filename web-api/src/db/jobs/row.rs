//! A row of `jobs`, and the job that it is.

use std::time::Duration;

use sea_orm::entity::prelude::*;

use super::{Job, JobError, Output, Place, parsed, unreadable};
use crate::db::StoreError;
use crate::db::json::JsonText;
use crate::domain::tag::Tag;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "jobs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub function: String,
    pub queue: String,
    #[sea_orm(column_type = "JsonBinary")]
    pub(in crate::db) input: JsonText,
    pub state: String,
    pub attempt: i32,
    pub max_attempts: i32,
    pub timeout_ms: i64,
    pub run_at: Option<DateTimeUtc>,
    pub error_kind: Option<String>,
    pub error_message: Option<String>,
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub(in crate::db) output: Option<JsonText>,
    pub output_size: Option<i64>,
    pub output_length: Option<i64>,
    pub output_preview: Option<String>,
    pub worker: Option<String>,
    pub traceparent: Option<String>,
    pub schedule_id: Option<String>,
    pub batch_id: Option<String>,
    pub created_at: DateTimeUtc,
    pub started_at: Option<DateTimeUtc>,
    pub finished_at: Option<DateTimeUtc>,
    pub priority: i16,
    pub fairness_key: String,
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub backoff: Option<Json>,
    pub dispatched_at: Option<DateTimeUtc>,
    pub parked_until: Option<DateTimeUtc>,
    pub progress: Option<f64>,
    pub again_at: Option<DateTimeUtc>,
    pub attempts_before: i32,
    pub failure: Option<String>,
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub tags: Option<Json>,
    /// Bytes of the input's JSON text; nothing in rows of older versions.
    pub input_size: Option<i64>,
    /// The beginning of a large input.
    pub input_preview: Option<String>,
    pub unique_key: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for Job {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        let output = row.output_size.map(|size| Output {
            size: size.unsigned_abs(),
            length: row.output_length.map(i64::unsigned_abs),
            preview: row.output_preview.unwrap_or_default(),
            json: row.output.map(|json| json.0),
        });
        let schedule = row.schedule_id.as_ref();
        let schedule = schedule
            .map(|id| parsed(&row.id, "schedule_id", id))
            .transpose()?;
        Ok(Self {
            id: parsed(&row.id, "id", &row.id)?,
            queue: parsed(&row.id, "queue", &row.queue)?,
            state: parsed(&row.id, "state", &row.state)?,
            function: row.function,
            input: row.input.0,
            input_cut: None,
            unique_key: row.unique_key,
            attempt: row.attempt.unsigned_abs(),
            max_attempts: row.max_attempts.unsigned_abs(),
            timeout: Duration::from_millis(row.timeout_ms.unsigned_abs()),
            run_at: row.run_at,
            batch: row
                .batch_id
                .map(|id| parsed(&row.id, "batch_id", &id))
                .transpose()?,
            error: row.error_kind.map(|kind| JobError {
                kind,
                message: row.error_message.unwrap_or_default(),
            }),
            output,
            worker: row.worker,
            traceparent: row.traceparent,
            priority: u8::try_from(row.priority)
                .unwrap_or_default()
                .try_into()
                .unwrap_or_default(),
            fairness_key: Some(row.fairness_key).filter(|key| !key.is_empty()),
            tags: tags(&row.id, row.tags)?,
            backoff: row
                .backoff
                .map(serde_json::from_value)
                .transpose()
                .map_err(|error| unreadable(&row.id, "backoff", &error))?,
            place: match (row.dispatched_at, row.parked_until) {
                (Some(at), _) => Place::Window(at),
                (None, Some(_)) => Place::Parked,
                (None, None) => Place::Backlog,
            },
            progress: row.progress,
            schedule,
            created_at: row.created_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
        })
    }
}

fn tags(row: &str, tags: Option<Json>) -> Result<Vec<Tag>, StoreError> {
    let texts: Vec<String> = tags
        .map(serde_json::from_value)
        .transpose()
        .map_err(|error| unreadable(row, "tags", &error))?
        .unwrap_or_default();
    texts.iter().map(|text| parsed(row, "tags", text)).collect()
}
