//! The whole output of a job, of any size.

use std::collections::VecDeque;

use ::jobs::job::JobState;
use ::jobs::json::decimal::Decimal;
use bytes::Bytes;
use salvo::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue, VARY};
use salvo::http::{HeaderMap, ResBody};
use salvo::oapi::endpoint;
use salvo::prelude::*;

use super::output;
use crate::db::jobs::Job;
use crate::http::dto::pattern::Flag;
use crate::http::dto::problems::Problem;
use crate::http::dto::scalar::AnyJson;
use crate::http::error::ApiError;
use crate::http::extract::query::Query;
use crate::http::state::AppState;
use crate::http::v1::jobs;

/// The size of a piece that is sent, and compressed, at a time.
const PIECE: usize = 256 << 10;

/// Read the output of a job
///
/// The output as JSON. With `Accept: text/plain` a string is sent as plain text, without quotes; with
/// `download=1` it is sent as a text file.
#[endpoint(
    operation_id = "get_job_result",
    tags("jobs"),
    parameters(
        ("id" = String, Path, description = "The id of the job."),
        ("download" = Option<Flag>, Query, example = json!("1"),
            description = "`1`: send the output as a file."),
    ),
    responses(
        (status_code = 200, description = "The output.", content(
            ("application/json" = AnyJson),
            ("text/plain" = String),
        )),
        (status_code = 404, description = "There is no such job.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 409, description = "The job has no output.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 410, description = "The output is no longer kept.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 503, description = "The output cannot be read at the moment.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub async fn get(req: &mut Request, depot: &mut Depot, res: &mut Response) -> Result<(), ApiError> {
    let state = AppState::of(depot)?;
    let mut query = Query::of(req);
    let download = query.flag("download");
    query.finish()?;
    let job = jobs::find(state, req).await?;
    let name = job.state.as_str();
    match job.state {
        JobState::Completed => {}
        JobState::Dead | JobState::Cancelled => return Err(ApiError::NoOutput { state: name }),
        JobState::Scheduled | JobState::Queued | JobState::Running | JobState::Retrying => {
            return Err(ApiError::NotFinished { state: name });
        }
    }
    let json = output::whole(state, &job).await?.ok_or(ApiError::OutputExpired)?;
    let text = if download || prefers_text(req.headers()) {
        bare_string(&json)?
    } else {
        None
    };
    let (kind, ending, body) = match text {
        Some(text) => ("text/plain; charset=utf-8", "txt", text),
        None => ("application/json", "json", json),
    };
    let headers = res.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(VARY, HeaderValue::from_static("accept"));
    // The output of a job never changes.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, max-age=3600"));
    if download {
        let disposition = format!("attachment; filename=\"{}.{ending}\"", file_name(&job));
        headers.insert(
            CONTENT_DISPOSITION,
            HeaderValue::from_str(&disposition).map_err(ApiError::internal)?,
        );
    }
    res.body(ResBody::Chunks(pieces(&body)));
    Ok(())
}

/// The characters of an output that is a string.
fn bare_string(json: &Bytes) -> Result<Option<Bytes>, ApiError> {
    if !json.starts_with(b"\"") || json.len() < 2 {
        return Ok(None);
    }
    let inner = json.slice(1..json.len() - 1);
    // Without a backslash the text needs no decoding: two million digits take neither a parser nor a copy.
    if !inner.contains(&b'\\') {
        return Ok(Some(inner));
    }
    let text: String = serde_json::from_slice(json).map_err(ApiError::internal)?;
    Ok(Some(text.into()))
}

/// The same bytes in pieces, so that a compressor works on one at a time. Nothing is copied.
fn pieces(body: &Bytes) -> VecDeque<Bytes> {
    (0..body.len())
        .step_by(PIECE)
        .map(|start| body.slice(start..body.len().min(start + PIECE)))
        .collect()
}

/// Whether `Accept` wants plain text rather than JSON (RFC 9110, 12.5.1).
fn prefers_text(headers: &HeaderMap) -> bool {
    let accept = headers
        .get(ACCEPT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("*/*");
    let weight = |wanted: &str| {
        let family = wanted.split('/').next().unwrap_or_default();
        let ranges = accept.split(',').filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let name = parts.next()?.to_ascii_lowercase();
            let weight = parts
                .find_map(|part| part.strip_prefix("q="))
                .map_or(Some(1.0), |q| q.parse::<f32>().ok())?;
            // The closer a range is to the type, the more it counts.
            let closeness = match name.as_str() {
                name if name == wanted => 3,
                "*/*" => 1,
                name if name.strip_suffix("/*") == Some(family) => 2,
                _ => return None,
            };
            Some((closeness, weight))
        });
        ranges
            .max_by_key(|(closeness, _)| *closeness)
            .map_or(0.0, |(_, weight)| weight)
    };
    weight("text/plain") > weight("application/json")
}

/// `fibonacci-90` for a function of one plain value, else the function and the job's id.
fn file_name(job: &Job) -> String {
    let fields = job.input.as_object().filter(|fields| fields.len() == 1);
    let only = fields.and_then(|fields| fields.into_values().next());
    let plain = |text: &String| {
        (1..=40).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let value = only.and_then(|value| match value.as_str() {
        Some(text) => Some(text.into_owned()),
        None => value
            .text()
            .parse::<Decimal>()
            .is_ok()
            .then(|| value.text().to_owned()),
    });
    format!(
        "{}-{}",
        job.function,
        value.filter(plain).unwrap_or_else(|| job.id.to_string())
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accept(text: &'static str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(text));
        prefers_text(&headers)
    }

    #[test]
    fn text_is_sent_to_those_who_prefer_it() {
        assert!(accept("text/plain"));
        assert!(accept("text/plain, */*;q=0.5"));
        assert!(accept("text/*, application/json;q=0.9"));
        for json in [
            "*/*",
            "application/json",
            "text/html,application/xhtml+xml,*/*;q=0.8",
            "application/json, text/plain, */*",
        ] {
            assert!(!accept(json), "{json}");
        }
        assert!(!prefers_text(&HeaderMap::new()));
    }

    #[test]
    fn a_string_loses_its_quotes_and_escapes() {
        let bare = |json: &'static str| bare_string(&Bytes::from_static(json.as_bytes())).unwrap();
        assert_eq!(bare("\"55\""), Some(Bytes::from_static(b"55")));
        assert_eq!(bare(r#""a\"b""#), Some(Bytes::from_static(b"a\"b")));
        assert_eq!(bare("\"\""), Some(Bytes::new()));
        assert_eq!(bare("{}"), None);
    }

    #[test]
    fn pieces_make_up_the_whole() {
        let body = Bytes::from(vec![7; PIECE * 2 + 1]);
        let pieces = pieces(&body);
        assert_eq!(pieces.len(), 3);
        assert_eq!(pieces.iter().flatten().copied().collect::<Vec<u8>>(), body);
    }
}
