//! Reads the whole output of a job, of any size.

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::db::jobs::Job;
use crate::http::dto::scalar::AnyJson;
use crate::http::error::ApiError;
use crate::http::state::Inner;

/// The JSON text of a completed job's output: from the row when it is small, otherwise from Redis. `None`
/// when it is no longer kept.
pub(crate) async fn whole(state: &Inner, job: &Job) -> Result<Option<Bytes>, ApiError> {
    let Some(output) = &job.output else {
        return Ok(None);
    };
    if let Some(json) = &output.json {
        return Ok(Some(Bytes::from(json.text().to_owned())));
    }
    if output.preview == "null" && output.length.is_none() {
        return Ok(Some(Bytes::from_static(b"null")));
    }
    if let Some(key) = memo_key(state, job)
        && let Some(json) = state.queues.memo(&job.queue, &job.function, &key).await?
    {
        return Ok(Some(json));
    }
    Ok(state.queues.output(&job.queue, job.id).await?)
}

fn memo_key(state: &Inner, job: &Job) -> Option<String> {
    state.catalog.get(&job.function)?.memo_key(job.input.raw())
}

/// The text as a part of a larger answer.
pub(crate) fn as_json(text: Bytes) -> Result<AnyJson, ApiError> {
    let text = String::from_utf8(text.into()).map_err(ApiError::internal)?;
    RawValue::from_string(text)
        .map(AnyJson::Text)
        .map_err(ApiError::internal)
}
