//! The names under which a server answers requests that need authorization.
//!
//! A page on `evil.example` can make that name resolve to 127.0.0.1, or to a machine in the local network, a
//! moment after it was loaded (DNS rebinding). For the browser, page and server are then of one site; only
//! the name in `Host` is different. DNS cannot change where an address or `localhost` points.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use salvo::http::HeaderMap;
use salvo::http::header::HOST;
use salvo::http::uri::{Authority, Uri};

/// A public address of the server, such as `https://spiral.example.org`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    text: String,
    host: String,
}

/// Why a text is not such an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address such as https://spiral.example.org")]
pub struct PublicUrlError(String);

impl FromStr for PublicUrl {
    type Err = PublicUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || PublicUrlError(text.to_owned());
        let url: Uri = text.parse().map_err(|_unreadable| error())?;
        let host = match (url.scheme_str(), url.authority(), url.query()) {
            (Some("http" | "https"), Some(authority), None) if !authority.as_str().contains('@') => {
                plain(authority.host())
            }
            _ => return Err(error()),
        };
        if host.is_empty() {
            return Err(error());
        }
        Ok(Self {
            text: text.to_owned(),
            host,
        })
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The name that a request was sent to, when it is not a known one. A request without a name was not sent by
/// a browser.
pub(crate) fn unknown(headers: &HeaderMap, uri: &Uri, public: Option<&PublicUrl>) -> Option<String> {
    let named = headers
        .get_all(HOST)
        .iter()
        .map(|host| host.to_str().ok().and_then(|host| host.parse::<Authority>().ok()));
    // HTTP/2, and requests to a proxy, have the name in the URI.
    let named = named.chain(uri.authority().cloned().map(Some));
    for host in named {
        let host = host.map(|host| plain(host.host())).unwrap_or_default();
        if !is_known(&host, public) {
            return Some(host);
        }
    }
    None
}

fn is_known(host: &str, public: Option<&PublicUrl>) -> bool {
    let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    host == "localhost"
        || host.parse::<Ipv4Addr>().is_ok()
        || inner.is_some_and(|inner| inner.parse::<Ipv6Addr>().is_ok())
        || public.is_some_and(|public| public.host == host)
}

/// A name in the form in which names are compared.
fn plain(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(host: &str, public: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        let public = public.map(|url| url.parse().unwrap());
        unknown(&headers, &"/api/v1/jobs".parse().unwrap(), public.as_ref()).is_some()
    }

    #[test]
    fn addresses_and_localhost_are_known_and_names_are_not() {
        for known in [
            "localhost",
            "LOCALHOST.:8080",
            "127.0.0.1:8080",
            "192.168.1.20",
            "[::1]:8080",
            "[2001:db8::1]",
        ] {
            assert!(!refused(known, None), "{known}");
        }
        for other in [
            "evil.example",
            "evil.example:8080",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "127.1",
            "web-api:8080",
            "",
            "a b",
        ] {
            assert!(refused(other, None), "{other}");
            assert!(refused(other, Some("https://spiral.example.org")), "{other}");
        }
        let public = Some("https://Spiral.example.org/below");
        assert!(!refused("spiral.example.org", public) && !refused("SPIRAL.example.org.:443", public));
        assert!(refused("other.example.org", public));
    }

    #[test]
    fn all_that_a_request_says_of_its_host_has_to_be_known() {
        let mut headers = HeaderMap::new();
        let at = |headers: &HeaderMap, uri: &str| unknown(headers, &uri.parse().unwrap(), None);
        assert_eq!(at(&headers, "/"), None, "no browser leaves it out");
        assert_eq!(
            at(&headers, "http://evil.example/").as_deref(),
            Some("evil.example")
        );
        headers.append(HOST, "localhost".parse().unwrap());
        headers.append(HOST, "evil.example".parse().unwrap());
        assert_eq!(at(&headers, "/").as_deref(), Some("evil.example"));
    }

    #[test]
    fn a_public_url_is_an_address_of_the_web() {
        for bad in [
            "spiral.example.org",
            "ftp://spiral.example.org",
            "https://",
            "https://me@spiral.example.org",
            "https://spiral.example.org/?a=b",
            "*",
        ] {
            assert!(bad.parse::<PublicUrl>().is_err(), "{bad}");
        }
    }
}
