//! One request of a call, and the next one when the answer is a redirect: what is sent again, and what is not.

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_LANGUAGE, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LOCATION, CONTENT_TYPE, HeaderMap,
    HeaderName, HeaderValue, LOCATION, USER_AGENT,
};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::Full;
use url::Url;

use super::input::{HttpRequestInput, check_url};
use crate::job::JobId;

/// Lets a server see that two attempts are the same call.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// What still goes along when a redirect leads to another origin. All else (authorization, cookies, keys under
/// names of their own) was meant for the first one.
const FOR_EVERYBODY: [HeaderName; 5] = [
    ACCEPT,
    ACCEPT_LANGUAGE,
    CONTENT_ENCODING,
    CONTENT_TYPE,
    USER_AGENT,
];

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Hop {
    method: Method,
    pub(super) url: Url,
    headers: HeaderMap,
    body: Bytes,
    /// Where the call began, when this is not its first request.
    redirected_from: Option<(Method, Url)>,
}

impl Hop {
    /// The request that the caller asked for.
    pub(super) fn first(input: HttpRequestInput, job: JobId) -> Self {
        let mut headers = input.headers.0;
        let method = Method::from(input.method);
        let body = input.body;
        let (body, content_type) = match body.as_str() {
            Some(text) => (Bytes::from(text.into_owned()), Some("text/plain; charset=utf-8")),
            None if body.is_null() => (Bytes::new(), None),
            // To the last digit, as the caller sent it.
            None => (Bytes::from(body.text().to_owned()), Some("application/json")),
        };
        if let Some(content_type) = content_type {
            headers
                .entry(CONTENT_TYPE)
                .or_insert(HeaderValue::from_static(content_type));
        }
        headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        let user_agent = concat!("spiral/", env!("CARGO_PKG_VERSION"));
        headers
            .entry(USER_AGENT)
            .or_insert(HeaderValue::from_static(user_agent));
        // Safe methods change nothing; any other may be tried again after the server has acted on it.
        if !method.is_safe()
            && let Ok(key) = HeaderValue::from_str(&job.to_string())
        {
            headers.entry(IDEMPOTENCY_KEY).or_insert(key);
        }
        Self {
            method,
            url: input.url.0,
            headers,
            body,
            redirected_from: None,
        }
    }

    /// As the HTTP library takes it.
    pub(super) fn request(&self) -> Result<Request<Full<Bytes>>, http::Error> {
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = Uri::try_from(self.url.as_str())?;
        *request.headers_mut() = self.headers.clone();
        Ok(request)
    }

    /// The request that an answer leads to. `None` when it is no redirect.
    ///
    /// # Errors
    /// Says where the redirect leads and why that cannot be followed.
    pub(super) fn next(&self, status: StatusCode, headers: &HeaderMap) -> Result<Option<Self>, String> {
        let follows = matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308);
        let Some(location) = headers.get(LOCATION).filter(|_| follows) else {
            return Ok(None);
        };
        let location = String::from_utf8_lossy(location.as_bytes());
        let url = self
            .url
            .join(&location)
            .map_err(|error| format!("{location:?}, which cannot be read: {error}"))?;
        check_url(&url).map_err(|wrong| format!("an address that {wrong}"))?;

        let mut next = self.clone();
        // As browsers do it (WHATWG Fetch, "HTTP-redirect fetch").
        let to_get = match status {
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => next.method == Method::POST,
            StatusCode::SEE_OTHER => next.method != Method::GET && next.method != Method::HEAD,
            _ => false,
        };
        if to_get {
            next.method = Method::GET;
            next.body = Bytes::new();
            for name in [CONTENT_TYPE, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LOCATION] {
                next.headers.remove(name);
            }
            next.headers.remove(IDEMPOTENCY_KEY);
        }
        if url.origin() != self.url.origin() {
            next.headers = FOR_EVERYBODY
                .into_iter()
                .filter_map(|name| Some((next.headers.get(&name)?.clone(), name)))
                .map(|(value, name)| (name, value))
                .collect();
        }
        let before = std::mem::replace(&mut next.url, url);
        next.redirected_from
            .get_or_insert_with(|| (self.method.clone(), before));
        Ok(Some(next))
    }

    pub(super) fn method(&self) -> &Method {
        &self.method
    }

    /// The request in a message: without the query, which may hold secrets.
    pub(super) fn shown(&self) -> String {
        let Self { method, url, .. } = self;
        match &self.redirected_from {
            None => format!("{method} {}", shown(url)),
            Some((first, from)) if first == method => {
                format!("{method} {} (redirected from {})", shown(url), shown(from))
            }
            Some((first, from)) => format!(
                "{method} {} (redirected from {first} {})",
                shown(url),
                shown(from)
            ),
        }
    }
}

/// A URL up to its path.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn first(input: Value) -> Hop {
        Hop::first(
            serde_json::from_value(input).unwrap(),
            "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap(),
        )
    }

    fn redirect(hop: &Hop, status: u16, location: &str) -> Result<Option<Hop>, String> {
        let headers =
            HeaderMap::from_iter([(LOCATION, HeaderValue::from_bytes(location.as_bytes()).unwrap())]);
        hop.next(StatusCode::from_u16(status).unwrap(), &headers)
    }

    fn header<'a>(hop: &'a Hop, name: &str) -> &'a str {
        hop.headers
            .get(name)
            .map(|value| value.to_str().unwrap())
            .unwrap_or_default()
    }

    #[test]
    fn json_is_sent_as_the_caller_wrote_it() {
        let text = r#"{"url": "https://a.example", "method": "POST", "body": {"id": 12345678901234567890123, "x": 1.50}}"#;
        let hop = Hop::first(
            serde_json::from_str(text).unwrap(),
            "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap(),
        );
        assert_eq!(hop.body, r#"{"id":12345678901234567890123,"x":1.50}"#);
        assert_eq!(header(&hop, "content-type"), "application/json");
    }

    fn post() -> Hop {
        first(json!({
            "url": "https://one.example/a/b?key=k", "method": "POST", "body": { "n": 1 },
            "headers": { "Authorization": "Bearer secret", "X-Api-Key": "secret", "Cookie": "c=1", "Accept": "text/html" },
        }))
    }

    #[test]
    fn a_body_gets_the_type_that_fits_it_and_the_caller_has_the_last_word() {
        for (body, sent, content_type) in [
            (json!(null), "", ""),
            (json!("a \"text\""), "a \"text\"", "text/plain; charset=utf-8"),
            (json!({ "a": [1, null] }), "{\"a\":[1,null]}", "application/json"),
            (json!(false), "false", "application/json"),
        ] {
            let hop = first(json!({ "url": "http://a.b", "body": body }));
            assert_eq!(
                (&hop.body[..], header(&hop, "content-type")),
                (sent.as_bytes(), content_type)
            );
        }
        let own = json!({ "url": "http://a.b", "body": "a=1", "headers": { "Content-Type": "x/y", "User-Agent": "me" } });
        let hop = first(own);
        assert_eq!(
            (header(&hop, "content-type"), header(&hop, "user-agent")),
            ("x/y", "me")
        );
        assert!(header(&first(json!({ "url": "http://a.b" })), "user-agent").starts_with("spiral/"));
    }

    #[test]
    fn what_changes_something_carries_the_job_as_its_key() {
        for (method, key) in [
            ("GET", ""),
            ("HEAD", ""),
            ("OPTIONS", ""),
            ("POST", "01ARZ3NDEKTSV4RRFFQ69G5FAV"),
            ("PUT", "01ARZ3NDEKTSV4RRFFQ69G5FAV"),
            ("PATCH", "01ARZ3NDEKTSV4RRFFQ69G5FAV"),
            ("DELETE", "01ARZ3NDEKTSV4RRFFQ69G5FAV"),
        ] {
            let hop = first(json!({ "url": "http://a.b", "method": method }));
            assert_eq!(header(&hop, "idempotency-key"), key, "{method}");
        }
        let own = json!({ "url": "http://a.b", "method": "POST", "headers": { "Idempotency-Key": "mine" } });
        assert_eq!(header(&first(own), "idempotency-key"), "mine");
    }

    #[test]
    fn a_redirect_keeps_or_drops_the_body_as_its_status_says() {
        for (status, method, body) in [
            (301, "GET", ""),
            (302, "GET", ""),
            (303, "GET", ""),
            (307, "POST", "{\"n\":1}"),
            (308, "POST", "{\"n\":1}"),
        ] {
            let next = redirect(&post(), status, "/c").unwrap().unwrap();
            assert_eq!(next.url.as_str(), "https://one.example/c", "{status}");
            assert_eq!(
                (next.method.as_str(), &next.body[..]),
                (method, body.as_bytes()),
                "{status}"
            );
            assert_eq!(
                header(&next, "content-type").is_empty(),
                body.is_empty(),
                "{status}"
            );
            assert_eq!(
                header(&next, "idempotency-key").is_empty(),
                body.is_empty(),
                "{status}"
            );
            assert_eq!(header(&next, "x-api-key"), "secret", "{status}");
        }
        for (method, status, expected) in [
            ("PUT", 302, "PUT"),
            ("PUT", 303, "GET"),
            ("HEAD", 303, "HEAD"),
            ("DELETE", 301, "DELETE"),
        ] {
            let hop = first(json!({ "url": "http://a.b", "method": method }));
            let next = redirect(&hop, status, "/").unwrap().unwrap();
            assert_eq!(next.method.as_str(), expected, "{method} {status}");
        }
    }

    #[test]
    fn another_origin_gets_no_secret() {
        for elsewhere in [
            "https://two.example/",
            "//two.example/",
            "http://one.example/",
            "https://one.example:8443/",
            "https://sub.one.example/",
        ] {
            let next = redirect(&post(), 307, elsewhere).unwrap().unwrap();
            let mut names: Vec<&str> = next.headers.keys().map(HeaderName::as_str).collect();
            names.sort_unstable();
            assert_eq!(names, ["accept", "content-type", "user-agent"], "{elsewhere}");
            assert_eq!(header(&next, "accept"), "text/html", "{elsewhere}");
        }
        let same = redirect(&post(), 307, "https://ONE.example:443/x")
            .unwrap()
            .unwrap();
        assert_eq!(header(&same, "authorization"), "Bearer secret");
    }

    #[test]
    fn what_is_no_redirect_leads_nowhere() {
        for status in [200, 201, 300, 304, 305, 400, 500] {
            assert!(redirect(&post(), status, "/c").unwrap().is_none(), "{status}");
        }
        assert!(
            post()
                .next(StatusCode::FOUND, &HeaderMap::new())
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn a_redirect_that_cannot_be_followed_says_why() {
        for (location, message) in [
            ("ftp://one.example/", "an address that has the scheme \"ftp\""),
            ("file:///etc/passwd", "an address that has the scheme \"file\""),
            (
                "https://me:pw@one.example/",
                "an address that has a user name or a password",
            ),
            ("https://", "\"https://\", which cannot be read: empty host"),
        ] {
            let error = redirect(&post(), 302, location).unwrap_err();
            assert!(error.starts_with(message), "{location}: {error}");
        }
    }

    #[test]
    fn a_message_shows_where_it_began_and_no_query() {
        assert_eq!(post().shown(), "POST https://one.example/a/b");
        let second = redirect(&post(), 307, "c?key=k").unwrap().unwrap();
        let third = redirect(&second, 303, "https://two.example/#x").unwrap().unwrap();
        assert_eq!(
            third.shown(),
            "GET https://two.example/ (redirected from POST https://one.example/a/b)"
        );
    }
}
