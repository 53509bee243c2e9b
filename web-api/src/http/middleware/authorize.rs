//! The authorization of every path: checks the caller's role, and refuses changes requested by pages of other
//! sites. [`crate::http::routes`] sets the access of each path; [`crate::auth::authenticator`] identifies the
//! caller.

use salvo::http::Method;
use salvo::http::header::{CACHE_CONTROL, HeaderValue};
use salvo::prelude::*;

use crate::auth::error::AuthError;
use crate::auth::roles::{Access, Caller, Scope};
use crate::auth::same_origin::is_of_this_site;
use crate::http::error::ApiError;
use crate::http::response::problem;
use crate::http::state::{AppState, Inner};

const FIBONACCI: &str = "fibonacci";

/// Checks whether the caller has access.
#[derive(Debug)]
pub struct Guard {
    access: Access,
    /// Accepts any name in `Host`, for probes that use the server's name in their own network.
    any_host: bool,
}

impl Guard {
    pub fn new(access: Access, any_host: bool) -> Self {
        Self { access, any_host }
    }

    async fn check(&self, req: &mut Request, depot: &Depot) -> Result<Caller, ApiError> {
        let state = AppState::of(depot)?;
        let reads = matches!(*req.method(), Method::GET | Method::HEAD | Method::OPTIONS);
        if !reads && !is_of_this_site(req.headers()) {
            return Err(ApiError::CrossSite);
        }
        let authenticator = &state.authenticator;
        let caller = match authenticator.caller(req) {
            // An open path is open to callers with a wrong token too.
            Err(AuthError::Unauthorized) if self.access == Access::Open => authenticator.visitor(req),
            caller => caller?,
        };
        if !self.any_host {
            authenticator.check_host_of(&caller, req)?;
        }
        if caller.role < self.access.role() {
            if !caller.is_visitor() {
                return Err(ApiError::Forbidden);
            }
            let scope = self.access.public().ok_or(ApiError::Unauthorized)?;
            if reads {
                authenticator.count_read(caller.address)?;
            }
            if !is_public(state, scope, req).await? {
                return Err(ApiError::Unauthorized);
            }
        }
        if self.access.changes() {
            if authenticator.settings().read_only {
                return Err(ApiError::ReadOnly);
            }
            if caller.is_visitor() {
                authenticator.count_call(caller.address)?;
            }
        }
        Ok(caller)
    }
}

/// Whether the request only concerns a public function.
async fn is_public(state: &Inner, scope: Scope, req: &mut Request) -> Result<bool, ApiError> {
    let authenticator = &state.authenticator;
    Ok(match scope {
        Scope::Endpoint => !authenticator.settings().public_functions.is_empty(),
        Scope::Fibonacci => authenticator.is_public(FIBONACCI),
        Scope::Function => req
            .param::<String>("name")
            .is_some_and(|name| authenticator.is_public(&name)),
        Scope::Parameter => {
            let named = || req.queries().flat_iter().filter(|(name, _)| *name == "function");
            named().next().is_some() && named().all(|(_, function)| authenticator.is_public(function))
        }
        Scope::Job => {
            let id = req.param::<String>("id").and_then(|id| id.parse().ok());
            match id {
                // A job that does not exist looks like one that the visitor may not see.
                Some(id) if !authenticator.settings().public_functions.is_empty() => state
                    .store
                    .job_get(id)
                    .await?
                    .is_some_and(|job| authenticator.is_public(&job.function)),
                _ => false,
            }
        }
    })
}

#[async_trait]
impl Handler for Guard {
    async fn handle(&self, req: &mut Request, depot: &mut Depot, res: &mut Response, ctrl: &mut FlowCtrl) {
        match self.check(req, depot).await {
            Ok(caller) => {
                depot.insert_typed(caller);
            }
            Err(error) => {
                problem::refuse(&error, req, depot, res);
                res.headers_mut()
                    .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
                ctrl.skip_rest();
            }
        }
    }
}
