//! Who may do what: the access token, where there is one, and no changes by pages of other sites.

use salvo::http::Method;
use salvo::http::header::{AUTHORIZATION, CACHE_CONTROL, HeaderName, HeaderValue};
use salvo::prelude::*;

use crate::config::Token;
use crate::error::ApiError;
use crate::problem;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Stands before every path of the API.
#[derive(Debug)]
pub struct Guard {
    token: Option<Token>,
}

impl Guard {
    pub fn new(token: Option<Token>) -> Self {
        Self { token }
    }

    fn check(&self, req: &Request) -> Result<(), ApiError> {
        let changes = !matches!(*req.method(), Method::GET | Method::HEAD | Method::OPTIONS);
        // A browser that is too old to say where a request comes from still cannot send JSON without asking first.
        if changes
            && req
                .headers()
                .get(SEC_FETCH_SITE)
                .is_some_and(|site| site == "cross-site")
        {
            return Err(ApiError::CrossSite);
        }
        match &self.token {
            Some(token) if !bearer(req).is_some_and(|given| token.matches(given)) => {
                Err(ApiError::Unauthorized)
            }
            _ => Ok(()),
        }
    }
}

/// The token of `Authorization: Bearer TOKEN`.
fn bearer(req: &Request) -> Option<&str> {
    let (scheme, token) = req.headers().get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[async_trait]
impl Handler for Guard {
    async fn handle(&self, req: &mut Request, depot: &mut Depot, res: &mut Response, ctrl: &mut FlowCtrl) {
        if let Err(error) = self.check(req) {
            problem::render(&error, req, depot, res);
            res.headers_mut()
                .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            ctrl.skip_rest();
        }
    }
}
