//! A successful response: a status, a body, usually JSON, and a few headers.

pub mod problem;

use std::hash::Hasher as _;

use fnv::FnvHasher;
use salvo::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_NONE_MATCH, LOCATION,
};
use salvo::http::{ResBody, StatusCode};
use salvo::oapi::{Components, EndpointOutRegister, Operation};
use salvo::prelude::*;
use serde::Serialize;

use crate::domain::base_path;
use crate::http::error::ApiError;

const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// The successful response of a handler.
#[derive(Debug)]
pub struct ApiResponse {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Vec<u8>,
    tagged: bool,
}

impl ApiResponse {
    pub fn json<T: Serialize>(status: StatusCode, body: &T) -> Result<Self, ApiError> {
        let body = serde_json::to_vec(body).map_err(ApiError::internal)?;
        let headers = vec![
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            // The data changes: clients may keep a response, but must revalidate it.
            (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        ];
        Ok(Self {
            status,
            headers,
            body,
            tagged: false,
        })
    }

    pub fn ok<T: Serialize>(body: &T) -> Result<Self, ApiError> {
        Self::json(StatusCode::OK, body)
    }

    /// A page for a browser.
    pub fn html(text: String) -> Self {
        Self {
            status: StatusCode::OK,
            headers: vec![
                (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
                (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
            ],
            body: text.into_bytes(),
            tagged: false,
        }
    }

    /// Adds the address of the new resource: a path of this server, written with the base path.
    #[must_use]
    pub fn location(mut self, path: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(&base_path::link(path)) {
            self.headers.push((LOCATION, value));
        }
        self
    }

    /// Marks the response as that of an earlier call with the same idempotency key.
    #[must_use]
    pub fn replayed(mut self, replayed: bool) -> Self {
        if replayed {
            self.headers
                .push((IDEMPOTENT_REPLAYED, HeaderValue::from_static("true")));
        }
        self
    }

    /// Adds an `ETag`, and responds 304 without a body to a client that has this response already.
    #[must_use]
    pub fn tagged(mut self) -> Self {
        self.tagged = true;
        self
    }
}

/// A hash with the length: enough to recognize an unchanged response.
fn tag_of(body: &[u8]) -> String {
    let mut hasher = FnvHasher::default();
    hasher.write(body);
    format!("\"{:016x}-{:x}\"", hasher.finish(), body.len())
}

/// Whether one of the tags in `If-None-Match` is `tag`, by the weak comparison of RFC 9110.
fn matches(header: &str, tag: &str) -> bool {
    header
        .split(',')
        .map(str::trim)
        .any(|one| one == "*" || one.trim_start_matches("W/") == tag)
}

#[async_trait]
impl Writer for ApiResponse {
    async fn write(mut self, req: &mut Request, _depot: &mut Depot, res: &mut Response) {
        for (name, value) in self.headers.drain(..) {
            res.headers_mut().insert(name, value);
        }
        res.status_code(self.status);
        if self.tagged {
            let tag = tag_of(&self.body);
            let known = req
                .headers()
                .get(IF_NONE_MATCH)
                .and_then(|value| value.to_str().ok());
            let known = known.is_some_and(|header| matches(header, &tag));
            if let Ok(value) = HeaderValue::from_str(&tag) {
                res.headers_mut().insert(ETAG, value);
            }
            if known {
                res.status_code(StatusCode::NOT_MODIFIED);
                return;
            }
        }
        res.body(ResBody::Once(self.body.into()));
    }
}

impl EndpointOutRegister for ApiResponse {
    /// Every endpoint declares its responses itself.
    fn register(_components: &mut Components, _operation: &mut Operation) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_found_among_others_weak_or_strong() {
        let tag = tag_of(b"{}");
        assert!(matches(&tag, &tag));
        assert!(matches(&format!("\"other\", W/{tag}"), &tag));
        assert!(matches("*", &tag));
        assert!(!matches("\"other\"", &tag));
        assert_ne!(tag, tag_of(b"[]"));
    }
}
