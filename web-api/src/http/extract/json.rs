//! Reads a request's JSON body: media type, size, syntax, and duplicate fields. The endpoints check the
//! meaning of the fields; [`Fields`] helps them to report errors.

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use jobs::json::Object;
use salvo::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use salvo::http::mime::{self, Mime};
use salvo::http::{HeaderMap, ReqBody};
use salvo::prelude::*;

use crate::http::error::ApiError;
pub use crate::http::extract::fields::Fields;

/// How long a body may take to arrive.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// How much of a body that is too large is read and discarded, so that the caller can read the response.
const DRAIN_AT_MOST: u64 = 64 << 20;
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// The body as a JSON object; `example` is a valid body for the error message.
pub async fn object(req: &mut Request, limit: u64, example: &str) -> Result<Object, ApiError> {
    parse_object(&json_bytes(req, limit).await?, example)
}

/// The raw body, whose headers say that it is JSON.
pub async fn json_bytes(req: &mut Request, limit: u64) -> Result<Bytes, ApiError> {
    if let Err(error) = check_headers(req.headers(), false) {
        drain(req).await;
        return Err(error);
    }
    read(req, limit).await
}

/// The raw body, whose headers say that it is JSON or JSON lines, and whether it is JSON lines.
pub async fn json_or_lines(req: &mut Request, limit: u64) -> Result<(Bytes, bool), ApiError> {
    match check_headers(req.headers(), true) {
        Ok(lines) => Ok((read(req, limit).await?, lines)),
        Err(error) => {
            drain(req).await;
            Err(error)
        }
    }
}

/// The second half of [`object`], for large bodies that are parsed on a blocking thread.
pub fn parse_object(bytes: &[u8], example: &str) -> Result<Object, ApiError> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        let message = format!("The body is empty. Send a JSON object, such as {example}.");
        return Err(ApiError::InvalidJson { message });
    }
    let body = crate::http::extract::strict_json::parse(bytes).map_err(|error| match error {
        crate::http::extract::strict_json::ParseError::Syntax(message) => ApiError::InvalidJson { message },
        crate::http::extract::strict_json::ParseError::Unkept(unkept) => {
            ApiError::invalid_input(&unkept.pointer, unkept.flaw.to_string())
        }
    })?;
    if body.starts_with('{') {
        return serde_json::from_str(body).map_err(ApiError::internal);
    }
    let message = format!("must be a JSON object, such as {example}, not {}", kind(body));
    Err(ApiError::invalid_input("", message))
}

/// A kind of JSON value in words.
fn kind(json: &str) -> &'static str {
    match json.bytes().next() {
        Some(b'n') => "null",
        Some(b't' | b'f') => "true or false",
        Some(b'"') => "a text",
        Some(b'[') => "an array",
        _ => "a number",
    }
}

/// Whether the body is JSON lines, where that is allowed.
fn check_headers(headers: &HeaderMap, lines_allowed: bool) -> Result<bool, ApiError> {
    let text = |name| {
        headers
            .get(name)
            .map(|value| value.to_str().unwrap_or("?").trim().to_ascii_lowercase())
    };
    let kind = text(CONTENT_TYPE).unwrap_or_default();
    let media_type: Option<Mime> = kind
        .parse()
        .ok()
        .filter(|kind: &Mime| kind.type_() == mime::APPLICATION);
    let is_json = |kind: &Mime| kind.subtype() == mime::JSON || kind.suffix() == Some(mime::JSON);
    let is_lines = |kind: &Mime| matches!(kind.subtype().as_str(), "x-ndjson" | "ndjson");
    let lines = lines_allowed && media_type.as_ref().is_some_and(is_lines);
    if !lines && !media_type.as_ref().is_some_and(is_json) {
        let given = if kind.is_empty() {
            "there is none".to_owned()
        } else {
            format!("it is {kind:?}")
        };
        let or_lines = if lines_allowed {
            " or application/x-ndjson"
        } else {
            ""
        };
        let message = format!("The header Content-Type must be application/json{or_lines}, but {given}.");
        return Err(ApiError::UnsupportedMediaType { message });
    }
    if let Some(charset) = media_type.as_ref().and_then(|kind| kind.get_param(mime::CHARSET))
        && !matches!(charset.as_str(), "utf-8" | "utf8" | "us-ascii")
    {
        let message = format!("JSON is written in UTF-8, but the header Content-Type says {charset}.");
        return Err(ApiError::UnsupportedMediaType { message });
    }
    match text(CONTENT_ENCODING).as_deref() {
        None | Some("" | "identity") => Ok(lines),
        Some(coding) => {
            let message =
                format!("The body must not be compressed, but the header Content-Encoding says {coding:?}.");
            Err(ApiError::UnsupportedMediaType { message })
        }
    }
}

async fn read(req: &mut Request, limit: u64) -> Result<Bytes, ApiError> {
    let announced = req
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit) {
        drain(req).await;
        return Err(too_large(limit));
    }
    let mut body = req.take_body();
    let mut bytes = Vec::new();
    let reading = async {
        while let Some(frame) = body.next().await {
            let frame = frame.map_err(|error| ApiError::InvalidJson {
                message: format!("The body broke off: {error}."),
            })?;
            if let Ok(data) = frame.into_data() {
                if bytes.len() as u64 + data.len() as u64 > limit {
                    return Err(too_large(limit));
                }
                bytes.extend_from_slice(&data);
            }
        }
        Ok(())
    };
    let result = tokio::time::timeout(READ_TIMEOUT, reading)
        .await
        .unwrap_or(Err(ApiError::BodyTooSlow));
    if let Err(error) = result {
        drain_body(body).await;
        return Err(error);
    }
    Ok(Bytes::from(bytes))
}

fn too_large(limit: u64) -> ApiError {
    let limit = if limit.is_multiple_of(1 << 20) {
        format!("{} MiB", limit >> 20)
    } else {
        format!("{limit} bytes")
    };
    ApiError::BodyTooLarge { limit }
}

/// The outer layer for bodies that were not read, because the response did not depend on them: an unknown
/// caller, for example. A client, or nginx, that is still sending would not read the response.
#[handler]
pub async fn discard_unread(req: &mut Request, depot: &mut Depot, res: &mut Response, ctrl: &mut FlowCtrl) {
    ctrl.call_next(req, depot, res).await;
    drain(req).await;
}

/// Reads what the client is still sending: a client that is writing does not read, and would only see a
/// broken connection. A client that waits for `100 Continue` has sent nothing yet, and must not be asked for
/// its body.
async fn drain(req: &mut Request) {
    if req.headers().get(EXPECT).is_none() {
        drain_body(req.take_body()).await;
    }
}

async fn drain_body(mut body: ReqBody) {
    let mut drained = 0_u64;
    let draining = async {
        while let Some(Ok(frame)) = body.next().await {
            drained += frame.data_ref().map_or(0, |data| data.len() as u64);
            if drained > DRAIN_AT_MOST {
                break;
            }
        }
    };
    // A timeout changes nothing: the response is the same.
    tokio::time::timeout(DRAIN_TIMEOUT, draining)
        .await
        .unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use salvo::http::HeaderValue;

    use super::*;

    fn check(content_type: Option<&'static str>) -> Result<(), ApiError> {
        let mut headers = HeaderMap::new();
        if let Some(text) = content_type {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(text));
        }
        check_headers(&headers, false).map(drop)
    }

    #[test]
    fn json_is_json_in_all_its_spellings() {
        for good in [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "application/json;charset=\"utf-8\"",
            "application/vnd.spiral+json",
        ] {
            assert!(check(Some(good)).is_ok(), "{good}");
        }
    }

    #[test]
    fn what_a_simple_form_of_another_site_can_send_is_refused() {
        for bad in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "text/json",
            "",
        ] {
            assert!(check(Some(bad)).is_err(), "{bad}");
        }
        let message = check(None).unwrap_err().to_string();
        assert_eq!(
            message,
            "The header Content-Type must be application/json, but there is none."
        );
        assert!(check(Some("application/json; charset=latin1")).is_err());
    }

    #[test]
    fn a_compressed_body_is_refused() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        assert!(
            check_headers(&headers, false)
                .map(drop)
                .unwrap_err()
                .to_string()
                .contains("\"gzip\"")
        );
    }

    #[test]
    fn limits_are_told_in_round_numbers() {
        assert!(too_large(1 << 20).to_string().contains("1 MiB"));
        assert!(too_large(1_000).to_string().contains("1000 bytes"));
    }
}
