//! The path below which everything lies where Spiral has only a part of a host: `/spiral` for
//! `https://ops.example.org/spiral/`. A proxy may take it away from requests or pass it on: both are understood, and what
//! is asked for at the root, as probes do, is answered there.

use std::fmt;
use std::str::FromStr;

use salvo::http::Method;
use salvo::http::uri::{PathAndQuery, Uri};
use salvo::prelude::*;
use salvo::routing::{Filter, PathState};
use tokio::task_local;

/// What lies at the root. Below one of these nobody could tell whether a proxy has taken the base path away already.
const TAKEN: [&str; 6] = ["api", "assets", "healthz", "readyz", "metrics", "nginx-health"];
/// Longer is a mistake.
const LONGEST: usize = 200;

task_local! {
    /// That of the server whose request the task answers.
    static CURRENT: BasePath;
}

/// `/spiral`, or nothing for the root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BasePath(String);

/// Why a text is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BasePathError {
    #[error(
        "{0:?} is no path such as /spiral: it begins with a slash, does not end with one, and between slashes has letters, \
         digits, '-', '_', '~' and '.', which cannot be the first"
    )]
    Shape(String),
    #[error("{0:?} begins with what Spiral itself has at the root ({list}): take another one", list = TAKEN.join(", "))]
    Taken(String),
}

impl FromStr for BasePath {
    type Err = BasePathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~' | b'.');
        let fits = |part: &str| !part.is_empty() && !part.starts_with('.') && part.bytes().all(legal);
        let parts = text.strip_prefix('/').filter(|parts| parts.split('/').all(fits));
        match parts {
            Some(parts) if text.len() <= LONGEST => {
                let first = parts.split('/').next().unwrap_or_default();
                if TAKEN.iter().any(|taken| first.eq_ignore_ascii_case(taken)) {
                    return Err(BasePathError::Taken(text.to_owned()));
                }
                Ok(Self(text.to_owned()))
            }
            _ => Err(BasePathError::Shape(text.to_owned())),
        }
    }
}

impl fmt::Display for BasePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl BasePath {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Where callers reach what lies at `path` here.
    pub fn link(&self, path: &str) -> String {
        format!("{self}{path}")
    }

    /// The router of a server below this path: it takes the path away from requests that bring it.
    pub fn mount(&self, router: Router) -> Router {
        if self.is_root() {
            router
        } else {
            Router::with_filter(Below(self.clone())).push(router)
        }
    }

    /// The address without this path, when it begins with it.
    fn without(&self, uri: &Uri) -> Option<Uri> {
        let rest = uri.path_and_query()?.as_str().strip_prefix(&self.0)?;
        let rest = match rest.bytes().next() {
            Some(b'/') => rest.to_owned(),
            None | Some(b'?') => format!("/{rest}"),
            Some(_) => return None,
        };
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = Some(PathAndQuery::from_str(&rest).ok()?);
        Uri::from_parts(parts).ok()
    }
}

/// Where callers reach what lies at `path` of the server whose request this task answers.
pub fn link(path: &str) -> String {
    CURRENT
        .try_with(|base| base.link(path))
        .unwrap_or_else(|_outside| path.to_owned())
}

/// The outer layer for [`link`].
#[async_trait]
impl Handler for BasePath {
    async fn handle(&self, req: &mut Request, depot: &mut Depot, res: &mut Response, ctrl: &mut FlowCtrl) {
        CURRENT.scope(self.clone(), ctrl.call_next(req, depot, res)).await;
    }
}

/// Lets everything through, without the base path. A layer could not do it: those run when the route is found.
#[derive(Debug)]
struct Below(BasePath);

#[async_trait]
impl Filter for Below {
    async fn filter(&self, req: &mut Request, state: &mut PathState<'_>) -> bool {
        if let Some(uri) = self.0.without(req.uri()) {
            *state = PathState::from_owned_path(uri.path().to_owned());
            *req.uri_mut() = uri;
        }
        true
    }

    /// Asked when no route has the request's method, to see which methods others have: after `filter`, with the path as
    /// it came.
    async fn filter_for_method(
        &self,
        req: &mut Request,
        state: &mut PathState<'_>,
        _method: &Method,
    ) -> Option<bool> {
        *state = PathState::from_owned_path(req.uri().path().to_owned());
        Some(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_path_is_a_plain_path_or_nothing() {
        for good in ["", "/spiral", "/ops/spiral-2", "/a.b/c_d~e", "/ops/api"] {
            assert_eq!(good.parse::<BasePath>().unwrap().as_str(), good);
        }
        for bad in [
            "/",
            "spiral",
            "/spiral/",
            "//spiral",
            "/a//b",
            "/a b",
            "/..",
            "/a/.b",
            "/a?b",
            "/a#b",
            "/%61",
            "/ä",
            "/a\"b",
            "/a;b",
            "https://ops.example.org/spiral",
        ] {
            let error = bad.parse::<BasePath>().unwrap_err();
            assert!(matches!(error, BasePathError::Shape(_)), "{bad}");
            assert!(error.to_string().contains("such as /spiral"), "{error}");
        }
        for taken in ["/api", "/assets/x", "/Metrics", "/healthz"] {
            let error = taken.parse::<BasePath>().unwrap_err();
            assert!(matches!(error, BasePathError::Taken(_)), "{taken}");
        }
        assert!(format!("/{}", "x".repeat(200)).parse::<BasePath>().is_err());
    }

    #[test]
    fn it_is_taken_from_addresses_that_begin_with_it() {
        let base: BasePath = "/spiral".parse().unwrap();
        let without = |uri: &str| base.without(&uri.parse().unwrap()).map(|uri| uri.to_string());
        for (with, rest) in [
            ("/spiral", "/"),
            ("/spiral/", "/"),
            ("/spiral?x=/y", "/?x=/y"),
            ("/spiral/api/v1/jobs?q=a%20b", "/api/v1/jobs?q=a%20b"),
            ("/spiral/spiral/x", "/spiral/x"),
            ("http://host/spiral/jobs", "http://host/jobs"),
        ] {
            assert_eq!(without(with).as_deref(), Some(rest), "{with}");
        }
        for other in ["/", "/spirals", "/api/spiral/x", "/Spiral/x", "*"] {
            assert_eq!(without(other), None, "{other}");
        }
    }

    #[tokio::test]
    async fn links_are_those_of_the_server_that_answers() {
        assert_eq!(link("/api/v1/jobs"), "/api/v1/jobs");
        let base: BasePath = "/spiral".parse().unwrap();
        let told = CURRENT.scope(base, async { link("/api/v1/jobs") }).await;
        assert_eq!(told, "/spiral/api/v1/jobs");
    }
}
