//! Requests may arrive with the base path, or without it when a proxy has stripped it; both are accepted.
//! Probes that ask at the root get their response there.

use std::str::FromStr;

use salvo::http::Method;
use salvo::http::uri::{PathAndQuery, Uri};
use salvo::prelude::*;
use salvo::routing::{Filter, PathState};

use crate::domain::base_path::{self, BasePath};

/// The router of a server below this path: it strips the path from requests that have it.
pub fn mount(base: &BasePath, router: Router) -> Router {
    if base.is_root() {
        router
    } else {
        Router::with_filter(Below(base.clone())).push(router)
    }
}

/// The address without the base path, when it starts with it.
fn without(base: &BasePath, uri: &Uri) -> Option<Uri> {
    let rest = uri.path_and_query()?.as_str().strip_prefix(base.as_str())?;
    let rest = match rest.bytes().next() {
        Some(b'/') => rest.to_owned(),
        None | Some(b'?') => format!("/{rest}"),
        Some(_) => return None,
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::from_str(&rest).ok()?);
    Uri::from_parts(parts).ok()
}

/// The outer layer for [`base_path::link`].
#[async_trait]
impl Handler for BasePath {
    async fn handle(&self, req: &mut Request, depot: &mut Depot, res: &mut Response, ctrl: &mut FlowCtrl) {
        base_path::below(self.clone(), ctrl.call_next(req, depot, res)).await;
    }
}

/// Matches every request, and strips the base path. A layer could not do it, because layers run after
/// routing.
#[derive(Debug)]
struct Below(BasePath);

#[async_trait]
impl Filter for Below {
    async fn filter(&self, req: &mut Request, state: &mut PathState<'_>) -> bool {
        if let Some(uri) = without(&self.0, req.uri()) {
            *state = PathState::from_owned_path(uri.path().to_owned());
            *req.uri_mut() = uri;
        }
        true
    }

    /// Called when no route has the request's method, to find the methods of other routes: after `filter`,
    /// with the original path.
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
    fn it_is_taken_from_addresses_that_begin_with_it() {
        let base: BasePath = "/spiral".parse().unwrap();
        let without = |uri: &str| without(&base, &uri.parse().unwrap()).map(|uri| uri.to_string());
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
}
