//! Whether a browser sends a request on behalf of a page of this site.
//!
//! Browsers send `Sec-Fetch-Site`; older ones, and those on plain HTTP, send `Origin`. A client that sends
//! neither is not a browser, so another site cannot make it send a user's cookie.

use salvo::http::HeaderMap;
use salvo::http::header::{HOST, ORIGIN};
use salvo::http::uri::Uri;

const SEC_FETCH_SITE: &str = "sec-fetch-site";

pub fn is_of_this_site(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get(SEC_FETCH_SITE) {
        return site == "same-origin" || site == "none";
    }
    let Some(origin) = headers.get(ORIGIN) else {
        return true;
    };
    let origin = origin.to_str().ok().and_then(|origin| origin.parse::<Uri>().ok());
    let page = origin.as_ref().and_then(Uri::authority);
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    matches!((page, host), (Some(page), Some(host)) if page.as_str().eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(lines: &[(&'static str, &str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.insert(*name, value.parse().unwrap());
        }
        is_of_this_site(&headers)
    }

    #[test]
    fn a_browser_says_where_a_request_comes_from() {
        assert!(asked(&[("sec-fetch-site", "same-origin")]));
        assert!(asked(&[("sec-fetch-site", "none")]));
        assert!(!asked(&[("sec-fetch-site", "cross-site")]));
        assert!(!asked(&[("sec-fetch-site", "same-site")]));
        let ours = ("host", "spiral.example:8080");
        assert!(asked(&[ours, ("origin", "http://spiral.example:8080")]));
        assert!(asked(&[ours]));
        for other in [
            "http://evil.example:8080",
            "http://spiral.example",
            "null",
            "http://spiral.example:8080.evil.example",
        ] {
            assert!(!asked(&[ours, ("origin", other)]), "{other}");
        }
    }
}
