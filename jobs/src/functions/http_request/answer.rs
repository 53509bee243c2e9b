//! What an answer means for the job (an output, another attempt, the end), and its body within bounds.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER, SET_COOKIE};
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::decode::{Decompressed, beginning, decompress, text};
use super::hop::Hop;
use super::retry_after;
use crate::error::chain;
use crate::function::JobError;
use crate::json;
use crate::output::shorten;

/// What of an error's body goes into a message: bytes that are read, and characters that are shown.
const EXCERPT_READ: usize = 4_096;
const EXCERPT_SHOWN: usize = 500;
/// A server that hangs after the head of its error is not waited for.
const EXCERPT_WITHIN: Duration = Duration::from_secs(2);

/// JSON that is nested deeper is kept as text: common parsers refuse it from 128 on, this output around it included.
const DEEPEST: usize = 100;

/// The answer of the server.
#[derive(Debug, Serialize, JsonSchema)]
pub struct HttpRequestOutput {
    /// The status code.
    #[schemars(range(min = 200, max = 599))]
    status: u16,
    /// The address that gave this answer: after redirects another one than the input's.
    url: String,
    /// By name in lower case. Values that came several times are joined by ", ", those of set-cookie by line breaks.
    headers: BTreeMap<String, String>,
    /// As `body_encoding` says.
    #[schemars(with = "serde_json::Value")]
    body: Box<RawValue>,
    /// `json`: the body is JSON by its content-type, and stands here as such. `text`: it is a text, in UTF-8 or in the
    /// charset that the content-type names. `base64`: it is neither, or compressed in a way that is not known, or holds
    /// U+0000. What came with gzip, deflate or zstd is unpacked; the headers stay as they came.
    body_encoding: BodyEncoding,
    /// The redirects that were followed, in their order. Where the input says POST, one of 301, 302 or 303 leads to a
    /// GET without the body, as browsers do it. Not there when there were none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    redirects: Vec<Redirect>,
}

/// A redirect, and the request that it led to.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(inline)]
pub(super) struct Redirect {
    /// The status code of the redirect.
    pub(super) status: u16,
    /// The method of the next request.
    pub(super) method: String,
    /// The address of the next request.
    pub(super) url: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum BodyEncoding {
    Json,
    Text,
    Base64,
}

/// What follows from a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Output,
    Retry,
    Fatal,
}

fn verdict(status: StatusCode, fail_on_status: bool) -> Verdict {
    match status.as_u16() {
        // Request timeout, too early, too many requests: the same request may do later.
        408 | 425 | 429 | 500.. => Verdict::Retry,
        400.. if fail_on_status => Verdict::Fatal,
        _ => Verdict::Output,
    }
}

/// Makes of an answer what the job becomes.
pub(super) async fn conclude(
    hop: &Hop,
    answer: Response<Incoming>,
    redirects: Vec<Redirect>,
    fail_on_status: bool,
    body_max: u64,
) -> Result<HttpRequestOutput, JobError> {
    let (head, body) = answer.into_parts();
    let status = head.status;
    let verdict = verdict(status, fail_on_status);
    if verdict == Verdict::Output {
        let body = read(hop, body, body_max).await?;
        let (body, body_encoding) = match decompress(&head.headers, body, body_max).await {
            Decompressed::Body(body) => encode(&head.headers, &body)?,
            Decompressed::Unreadable(body) => in_base64(&body)?,
            Decompressed::TooLarge => return Err(too_large(hop, body_max)),
        };
        return Ok(HttpRequestOutput {
            status: status.as_u16(),
            url: hop.url.to_string(),
            headers: texts(&head.headers),
            body,
            body_encoding,
            redirects,
        });
    }
    let mut message = format!("{} answered {status}", hop.shown());
    if verdict == Verdict::Fatal {
        message.push_str(" (not tried again; with fail_on_status false such an answer is an output)");
    }
    let excerpt = excerpt(&head.headers, body).await;
    if !excerpt.is_empty() {
        message = format!("{message}: {excerpt}");
    }
    if verdict == Verdict::Fatal {
        return Err(JobError::Fatal(message));
    }
    let retry_after = head
        .headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok());
    Err(
        match retry_after.and_then(|value| retry_after::wait(value, SystemTime::now())) {
            Some(wait) => JobError::RetryAfter(wait, message),
            None => JobError::Retry(message),
        },
    )
}

fn too_large(hop: &Hop, limit: u64) -> JobError {
    JobError::fatal(format!(
        "the answer to {} is larger than {limit} bytes: ask for less of it, or raise \
         SPIRAL_HTTP_MAX_RESPONSE_BYTES on the workers",
        hop.shown()
    ))
}

/// The body, of at most `limit` bytes. No more than that is ever held.
async fn read(hop: &Hop, mut body: Incoming, limit: u64) -> Result<Bytes, JobError> {
    // What the server announces need not be read to be refused.
    if body.size_hint().lower() > limit {
        return Err(too_large(hop, limit));
    }
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            JobError::retry(format!(
                "the answer to {} broke off after {} bytes: {}",
                hop.shown(),
                bytes.len(),
                chain(&error)
            ))
        })?;
        if let Some(data) = frame.data_ref() {
            if (bytes.len() + data.len()) as u64 > limit {
                return Err(too_large(hop, limit));
            }
            bytes.extend_from_slice(data);
        }
    }
    Ok(bytes.into())
}

/// The beginning of an error's body as one line; nothing when it cannot be had.
async fn excerpt(headers: &HeaderMap, mut body: Incoming) -> String {
    let mut bytes = Vec::new();
    let reading = async {
        while bytes.len() < EXCERPT_READ
            && let Some(Ok(frame)) = body.frame().await
        {
            if let Some(data) = frame.data_ref() {
                let room = EXCERPT_READ - bytes.len();
                bytes.extend_from_slice(&data[..data.len().min(room)]);
            }
        }
    };
    // What came until then is better than nothing.
    tokio::time::timeout(EXCERPT_WITHIN, reading).await.ok();
    let text = beginning(headers, &bytes, EXCERPT_READ);
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    shorten(&words.join(" "), EXCERPT_SHOWN, EXCERPT_SHOWN / 2)
}

/// A body as JSON of its own where it is that, else as a text.
fn encode(headers: &HeaderMap, body: &[u8]) -> Result<(Box<RawValue>, BodyEncoding), JobError> {
    let Some(text) = text(headers, body) else {
        return in_base64(body);
    };
    // What Spiral cannot keep as it came (U+0000, half of a surrogate pair, 1e400) is kept in another form.
    if text.contains('\0') {
        return in_base64(body);
    }
    if is_json(headers)
        && !is_deep(&text)
        && let Ok(json) = serde_json::from_str::<Box<RawValue>>(&text)
        && json::check(json.get()).is_ok()
    {
        return Ok((json, BodyEncoding::Json));
    }
    Ok((to_raw_value(&*text)?, BodyEncoding::Text))
}

fn in_base64(body: &[u8]) -> Result<(Box<RawValue>, BodyEncoding), JobError> {
    Ok((to_raw_value(&STANDARD.encode(body))?, BodyEncoding::Base64))
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = content_type
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default();
    let essence = essence.trim().to_ascii_lowercase();
    essence == "application/json" || essence.ends_with("+json")
}

/// Whether JSON nests deeper than [`DEEPEST`], found without recursion.
fn is_deep(json: &str) -> bool {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_text,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => depth += 1,
            b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEEPEST {
            return true;
        }
    }
    false
}

fn texts(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::<String, String>::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        let between = if name == SET_COOKIE { "\n" } else { ", " };
        texts
            .entry(name.to_string())
            .and_modify(|text| {
                text.push_str(between);
                text.push_str(&value);
            })
            .or_insert_with(|| value.to_string());
    }
    texts
}

#[cfg(test)]
mod tests {
    use http::header::{HeaderName, HeaderValue};

    use super::*;

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        let lines = lines.iter().map(|(name, value)| {
            (
                name.parse::<HeaderName>().unwrap(),
                HeaderValue::from_str(value).unwrap(),
            )
        });
        lines.collect()
    }

    #[test]
    fn each_status_is_an_output_another_attempt_or_the_end() {
        for (status, expected, without_fail_on_status) in [
            (200, Verdict::Output, Verdict::Output),
            (204, Verdict::Output, Verdict::Output),
            (302, Verdict::Output, Verdict::Output),
            (304, Verdict::Output, Verdict::Output),
            (400, Verdict::Fatal, Verdict::Output),
            (401, Verdict::Fatal, Verdict::Output),
            (404, Verdict::Fatal, Verdict::Output),
            (408, Verdict::Retry, Verdict::Retry),
            (409, Verdict::Fatal, Verdict::Output),
            (410, Verdict::Fatal, Verdict::Output),
            (422, Verdict::Fatal, Verdict::Output),
            (425, Verdict::Retry, Verdict::Retry),
            (429, Verdict::Retry, Verdict::Retry),
            (499, Verdict::Fatal, Verdict::Output),
            (500, Verdict::Retry, Verdict::Retry),
            (503, Verdict::Retry, Verdict::Retry),
            (599, Verdict::Retry, Verdict::Retry),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(verdict(status, true), expected, "{status}");
            assert_eq!(verdict(status, false), without_fail_on_status, "{status}");
        }
    }

    #[test]
    fn a_body_is_json_text_or_base64() {
        let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let (deepest, too_deep) = (deep(DEEPEST), deep(DEEPEST + 1));
        let brackets = format!("[\"\\\"{}\"]", "[".repeat(500));
        let json = "application/json";
        for (content_type, body, encoding) in [
            (
                json,
                "{\"id\": 12345678901234567890123, \"x\": 0.10}",
                BodyEncoding::Json,
            ),
            (
                "application/problem+json; charset=utf-8",
                "[]",
                BodyEncoding::Json,
            ),
            ("Application/JSON ;charset=utf-8", " null ", BodyEncoding::Json),
            (json, &deepest, BodyEncoding::Json),
            (json, &brackets, BodyEncoding::Json),
            (json, &too_deep, BodyEncoding::Text),
            (json, "", BodyEncoding::Text),
            (json, "{\"id\": 1", BodyEncoding::Text),
            (json, "{} {}", BodyEncoding::Text),
            ("text/plain", "{}", BodyEncoding::Text),
            ("application/jsonish", "{}", BodyEncoding::Text),
            ("text/html", "<p>ä</p>", BodyEncoding::Text),
            (json, "[\"\\u0000\"]", BodyEncoding::Text),
            (json, "[\"\\ud800\"]", BodyEncoding::Text),
            (json, "[1e400]", BodyEncoding::Text),
            (json, "{\"a\": 1, \"a\": 2}", BodyEncoding::Text),
        ] {
            let headers = headers(&[("content-type", content_type)]);
            let (encoded, found) = encode(&headers, body.as_bytes()).unwrap();
            assert_eq!(found, encoding, "{content_type}: {body}");
            if encoding == BodyEncoding::Json {
                // To the last digit: numbers do not go through a float.
                assert_eq!(encoded.get(), body.trim());
            } else {
                assert_eq!(serde_json::from_str::<String>(encoded.get()).unwrap(), body);
            }
        }
        let (encoded, found) = encode(&HeaderMap::new(), &[0xff, 0x00, 0xfe]).unwrap();
        assert_eq!((encoded.get(), found), ("\"/wD+\"", BodyEncoding::Base64));
        let (encoded, found) = encode(&HeaderMap::new(), b"a\0").unwrap();
        assert_eq!((encoded.get(), found), ("\"YQA=\"", BodyEncoding::Base64));
    }

    #[test]
    fn headers_that_came_several_times_are_joined() {
        let texts = texts(&headers(&[
            ("Vary", "accept"),
            ("Vary", "origin"),
            ("Set-Cookie", "a=1, x"),
            ("Set-Cookie", "b=2"),
            ("X-One", "1"),
        ]));
        let expected = [
            ("set-cookie", "a=1, x\nb=2"),
            ("vary", "accept, origin"),
            ("x-one", "1"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(texts, BTreeMap::from(expected));
    }
}
