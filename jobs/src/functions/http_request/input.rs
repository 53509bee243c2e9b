//! What a caller may ask `http_request` for, checked before the job is accepted.

use std::collections::BTreeMap;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::json::Json;

/// Headers that say how a message travels or where it goes: the client's own business. Letting a caller set them
/// would let one request pass for two, or for one to another host.
const NOT_THE_CALLERS: [&str; 11] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpRequestInput {
    #[serde(default)]
    pub(super) method: Method,
    /// Where to: `http` or `https`, without a user name or a password in it.
    #[schemars(with = "String", length(max = 8_000), extend("format" = "uri"))]
    pub(super) url: Address,
    /// Headers by name. Those of the connection itself, such as `host` and `content-length`, cannot be set.
    #[serde(default)]
    #[schemars(
        with = "BTreeMap<String, String>",
        extend("maxProperties" = 100, "additionalProperties" = { "type": "string", "maxLength": 8_192 })
    )]
    pub(super) headers: Headers,
    /// A text is sent as it is; any other JSON as JSON, with that `content-type` unless the headers name one.
    #[serde(default)]
    pub(super) body: Json,
    /// How long the answer may take, from the name's address to the last byte, redirects included.
    #[serde(default = "default_timeout")]
    #[schemars(range(min = 0.1, max = 600))]
    pub(super) timeout_seconds: f64,
    /// How many redirects to follow. With 0 a redirect is the answer.
    #[serde(default = "default_redirects")]
    #[schemars(range(max = 10))]
    pub(super) max_redirects: u8,
    /// Whether an answer with a status from 400 to 499 ends the job as dead. With `false` it is an output like any
    /// other. 408, 425, 429 and everything from 500 are tried again in any case.
    #[serde(default = "default_fail")]
    pub(super) fail_on_status: bool,
}

fn default_timeout() -> f64 {
    30.0
}

fn default_redirects() -> u8 {
    5
}

fn default_fail() -> bool {
    true
}

#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schemars(inline)]
pub(super) enum Method {
    #[default]
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
}

impl From<Method> for http::Method {
    fn from(method: Method) -> Self {
        match method {
            Method::Get => Self::GET,
            Method::Head => Self::HEAD,
            Method::Post => Self::POST,
            Method::Put => Self::PUT,
            Method::Patch => Self::PATCH,
            Method::Delete => Self::DELETE,
            Method::Options => Self::OPTIONS,
        }
    }
}

/// A URL that may be called as far as its text says; where its name leads shows later.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Address(pub(super) Url);

impl TryFrom<String> for Address {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let url = Url::parse(&text).map_err(|error| format!("the url cannot be read: {error}"))?;
        check_url(&url).map_err(|wrong| format!("the url {wrong}"))?;
        Ok(Self(url))
    }
}

/// What is wrong with a URL, as the end of a sentence. Holds for redirects as well.
pub(super) fn check_url(url: &Url) -> Result<(), String> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("has the scheme {:?}, not http or https", url.scheme()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "has a user name or a password in it; send them in an authorization header instead".to_owned(),
        );
    }
    Ok(())
}

/// Headers that can be sent.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>")]
pub(super) struct Headers(pub(super) HeaderMap);

impl TryFrom<BTreeMap<String, String>> for Headers {
    type Error = String;

    fn try_from(texts: BTreeMap<String, String>) -> Result<Self, String> {
        let mut headers = HeaderMap::with_capacity(texts.len());
        for (name, value) in texts {
            let Ok(known) = name.parse::<HeaderName>() else {
                return Err(format!("{name:?} cannot be the name of a header"));
            };
            if NOT_THE_CALLERS.contains(&known.as_str()) {
                return Err(format!("the header {name:?} is set by the client itself"));
            }
            let Ok(value) = HeaderValue::from_str(&value) else {
                return Err(format!(
                    "the header {name:?} has a line break or another control character in its value"
                ));
            };
            if headers.insert(known, value).is_some() {
                return Err(format!("the header {name:?} is there twice"));
            }
        }
        Ok(Self(headers))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::catalog::{Catalog, FunctionSettings};

    fn problems(input: &Value) -> Vec<(String, String)> {
        let catalog = Catalog::new(&FunctionSettings::default()).unwrap();
        let checked = catalog
            .get("http_request")
            .unwrap()
            .check_input(&input.clone().into());
        let problems = checked.err().unwrap_or_default().into_iter();
        problems
            .map(|problem| (problem.pointer, problem.message))
            .collect()
    }

    #[test]
    fn good_inputs_pass() {
        for input in [
            json!({ "url": "https://example.org" }),
            json!({ "url": "HTTP://example.org:8080/a?b=c#d", "method": "DELETE", "body": null }),
            json!({ "url": "http://[2606:4700::1]/", "headers": {}, "body": "text", "timeout_seconds": 0.5 }),
            json!({ "url": "http://bücher.example/", "headers": { "X-One": "ü", "accept": "*/*" }, "body": [1],
                    "max_redirects": 0, "fail_on_status": false, "method": "POST" }),
        ] {
            assert_eq!(problems(&input), [], "{input}");
        }
    }

    #[test]
    fn what_can_never_be_sent_is_refused_before_there_is_a_job() {
        let url = |url: &str| json!({ "url": url });
        let with = |field: &str, value: Value| json!({ "url": "http://a.b", field: value });
        let methods = r#"must be one of "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS""#;
        let seconds = "must be a number from 0.1 to 600";
        let credentials =
            "the url has a user name or a password in it; send them in an authorization header instead";
        let control = "the header \"x\" has a line break or another control character in its value";
        for (input, pointer, message) in [
            (json!({}), "/url", "is missing"),
            (
                url("/relative"),
                "/url",
                "the url cannot be read: relative URL without a base",
            ),
            (
                url("ftp://a.b"),
                "/url",
                "the url has the scheme \"ftp\", not http or https",
            ),
            (
                url("file:///etc"),
                "/url",
                "the url has the scheme \"file\", not http or https",
            ),
            (url("http://"), "/url", "the url cannot be read: empty host"),
            (
                url("http://[::1"),
                "/url",
                "the url cannot be read: invalid IPv6 address",
            ),
            (url("http://me@a.b"), "/url", credentials),
            (url("http://:secret@a.b"), "/url", credentials),
            (with("method", json!("get")), "/method", methods),
            (with("method", json!("CONNECT")), "/method", methods),
            (with("timeout_seconds", json!(0)), "/timeout_seconds", seconds),
            (with("timeout_seconds", json!(601)), "/timeout_seconds", seconds),
            (
                with("max_redirects", json!(11)),
                "/max_redirects",
                "must be a whole number from 0 to 10",
            ),
            (
                with("headers", json!({ "x": 1 })),
                "/headers/x",
                "must be a string",
            ),
            (
                with("headers", json!({ "a b": "1" })),
                "/headers",
                "\"a b\" cannot be the name of a header",
            ),
            (with("headers", json!({ "x": "1\r\ny: 2" })), "/headers", control),
            (with("headers", json!({ "x": "\u{0}" })), "/headers", control),
            (
                with("headers", json!({ "X": "1", "x": "2" })),
                "/headers",
                "the header \"x\" is there twice",
            ),
            (
                with("headers", json!({ "Host": "localhost" })),
                "/headers",
                "the header \"Host\" is set by the client itself",
            ),
            (
                with("headers", json!({ "Transfer-Encoding": "chunked" })),
                "/headers",
                "the header \"Transfer-Encoding\" is set by the client itself",
            ),
        ] {
            assert_eq!(
                problems(&input),
                [(pointer.to_owned(), message.to_owned())],
                "{input}"
            );
        }
        let many: BTreeMap<String, String> = (0..101).map(|n| (format!("x-{n}"), String::new())).collect();
        assert_eq!(
            problems(&json!({ "url": "http://a.b", "headers": many }))[0].0,
            "/headers"
        );
    }

    #[test]
    fn the_schema_tells_the_defaults_and_limits() {
        let schema = schemars::schema_for!(HttpRequestInput).to_value();
        let field = |name: &str| schema["properties"][name].clone();
        assert_eq!(field("method")["default"], "GET");
        assert_eq!(field("method")["enum"][2], "POST");
        assert_eq!(field("url")["format"], "uri");
        assert_eq!(field("timeout_seconds")["default"], 30.0);
        assert_eq!(field("max_redirects")["maximum"], 10);
        assert_eq!(field("fail_on_status")["default"], true);
        assert_eq!(schema["required"], json!(["url"]));
        assert_eq!(schema["additionalProperties"], false);
    }
}
