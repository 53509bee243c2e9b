//! Keeps connections away from addresses that may not be called. The check sits where a connection is
//! made: a name is looked up once, and only addresses that passed are connected to, so there is no time between
//! check and use in which a name could lead elsewhere.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::{self, BoxFuture, FutureExt};
use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower::{BoxError, Service};

/// Says what an address is, if it may not be called.
pub(super) type Rule = fn(IpAddr) -> Option<&'static str>;

/// Finds the addresses of a name.
pub(super) type LookUp = Arc<dyn Fn(&str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync>;

/// Looks names up as every program of this machine does.
pub(super) fn system_look_up() -> LookUp {
    Arc::new(|name| {
        let name = name.to_owned();
        async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        }
        .boxed()
    })
}

/// The address may not be called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{host} {verb} {what}")]
pub(super) struct Refused {
    host: String,
    verb: &'static str,
    what: &'static str,
}

/// The name could not be turned into an address.
#[derive(Debug, thiserror::Error)]
#[error("the name {0} was not found")]
struct NotFound(String, #[source] io::Error);

/// Opens connections, to addresses that may be called alone.
#[derive(Clone)]
pub(super) struct Guard {
    inner: HttpConnector<Names>,
    rule: Rule,
}

impl Guard {
    pub(super) fn new(look_up: LookUp, rule: Rule) -> Self {
        let mut inner = HttpConnector::new_with_resolver(Names { look_up, rule });
        // TLS lies around it.
        inner.enforce_http(false);
        inner.set_nodelay(true);
        inner.set_connect_timeout(Some(super::CONNECT_WITHIN));
        Self { inner, rule }
    }

    /// An address in the URL itself, which the connector takes without looking it up. The URL parser has brought
    /// every spelling of it (decimal, octal, hexadecimal, short) into this one form.
    fn refused(&self, to: &Uri) -> Option<Refused> {
        let host = to.host()?;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let what = (self.rule)(bare.parse().ok()?)?;
        Some(Refused {
            host: host.to_owned(),
            verb: "is",
            what,
        })
    }
}

impl Service<Uri> for Guard {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        match self.refused(&to) {
            Some(refused) => future::ready(Err(refused.into())).boxed(),
            None => self
                .inner
                .call(to)
                .map(|result| result.map_err(Into::into))
                .boxed(),
        }
    }
}

/// Names to addresses that may be called.
#[derive(Clone)]
pub(super) struct Names {
    look_up: LookUp,
    rule: Rule,
}

impl Service<Name> for Names {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let found = (self.look_up)(name.as_str());
        let rule = self.rule;
        async move {
            let host = name.to_string();
            let found = found.await.map_err(|error| NotFound(host.clone(), error))?;
            let mut allowed = found.clone();
            allowed.retain(|address| rule(*address).is_none());
            if allowed.is_empty() {
                return Err(match found.iter().find_map(|address| rule(*address)) {
                    Some(what) => {
                        // The log has the address, the job's error has not: a caller must not learn from it how
                        // a network looks inside.
                        tracing::warn!(host, addresses = ?found, "http_request was kept from calling a name");
                        Refused {
                            host,
                            verb: "leads to",
                            what,
                        }
                        .into()
                    }
                    None => NotFound(host, io::Error::other("it has no address")).into(),
                });
            }
            let addresses: Vec<SocketAddr> = allowed
                .into_iter()
                .map(|address| SocketAddr::new(address, 0))
                .collect();
            Ok(addresses.into_iter())
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;
    use crate::functions::http_request::addresses::not_public;

    #[test]
    fn every_spelling_of_an_address_is_seen_through() {
        let nobody: LookUp = Arc::new(|name| panic!("{name} was looked up"));
        let guard = Guard::new(Arc::clone(&nobody), not_public);
        let open = Guard::new(nobody, |_| None);
        for (text, what) in [
            ("http://127.0.0.1/", "a loopback address"),
            ("http://127.1/", "a loopback address"),
            ("http://0/", "an unspecified address"),
            ("http://2130706433/", "a loopback address"),
            ("http://0x7f000001/", "a loopback address"),
            ("http://0x7f.0.0.0x1/", "a loopback address"),
            ("http://017700000001/", "a loopback address"),
            ("http://0177.0.0.01/", "a loopback address"),
            ("http://127.0.0.1./", "a loopback address"),
            ("http://%31%32%37.0.0.1/", "a loopback address"),
            ("http://\u{ff11}27.0.0.1/", "a loopback address"),
            ("http://127\u{3002}0\u{3002}0\u{3002}1/", "a loopback address"),
            ("http://2852039166/", "a link-local address"),
            ("http://[::1]/", "a loopback address"),
            ("http://[0:0:0:0:0:0:0:1]:81/", "a loopback address"),
            ("http://[::ffff:127.0.0.1]/", "a loopback address"),
            ("http://[::ffff:7f00:1]/", "a loopback address"),
            ("http://[64:ff9b::a00:1]/", "a private address"),
            ("https://10.0.0.1:8443/x", "a private address"),
        ] {
            let url = Url::parse(text).unwrap();
            let uri: Uri = url.as_str().parse().unwrap();
            assert_eq!(
                guard.refused(&uri).map(|refused| refused.what),
                Some(what),
                "{text}"
            );
            assert_eq!(open.refused(&uri), None, "{text}");
        }
        for text in ["http://8.8.8.8/", "http://[2606:4700::1]/", "http://example.org/"] {
            assert_eq!(guard.refused(&text.parse().unwrap()), None, "{text}");
        }
    }

    /// What a name becomes when it stands for these addresses.
    async fn names(found: &[&str], rule: Rule) -> Result<Vec<String>, String> {
        let found: Vec<IpAddr> = found.iter().map(|address| address.parse().unwrap()).collect();
        let mut names = Names {
            look_up: Arc::new(move |_| future::ready(Ok(found.clone())).boxed()),
            rule,
        };
        match names.call("intranet.example".parse().unwrap()).await {
            Ok(addresses) => Ok(addresses.map(|address| address.ip().to_string()).collect()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[tokio::test]
    async fn of_a_names_addresses_only_public_ones_are_left() {
        assert_eq!(names(&["8.8.8.8"], not_public).await.unwrap(), ["8.8.8.8"]);
        assert_eq!(
            names(&["10.0.0.1", "8.8.8.8", "::1", "2606:4700::1"], not_public)
                .await
                .unwrap(),
            ["8.8.8.8", "2606:4700::1"]
        );
        assert_eq!(
            names(&["::1", "10.0.0.1"], not_public).await.unwrap_err(),
            "intranet.example leads to a loopback address"
        );
        assert_eq!(
            names(&["::1", "10.0.0.1"], |_| None).await.unwrap(),
            ["::1", "10.0.0.1"]
        );
        assert_eq!(
            names(&[], not_public).await.unwrap_err(),
            "the name intranet.example was not found"
        );
    }
}
