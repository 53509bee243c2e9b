//! RFC 9457 problems: the one shape of every error that leaves the server, also of those that Salvo itself finds.
//! Which status an error has is decided in [`crate::http::error`], not here.

use salvo::http::ResBody;
use salvo::http::header::{CONTENT_TYPE, HeaderValue};
use salvo::prelude::*;

use crate::http::dto::problems::Problem;
use crate::http::error::ApiError;
use crate::http::middleware::request_log;
use crate::http::state::AppState;

/// The media type of a problem.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// `error` as a problem of this request.
pub fn of(error: &ApiError, req: &Request, depot: &Depot) -> Problem {
    let path = req.uri().path();
    Problem {
        kind: format!("urn:problem-type:spiral:{}", error.code()),
        title: error.title().to_owned(),
        status: error.status().as_u16(),
        detail: error.to_string(),
        // A path where nothing is gets its problem outside of the layer by which `base_path::link` knows the base.
        instance: AppState::of(depot).map_or_else(
            |_none| path.to_owned(),
            |state| state.settings.base_path.link(path),
        ),
        code: error.code().to_owned(),
        request_id: request_log::request_id(depot).to_owned(),
        errors: error.fields().to_vec(),
    }
}

/// Writes `error` as the answer, with the headers that belong to its status.
pub fn render(error: &ApiError, req: &Request, depot: &Depot, res: &mut Response) {
    let problem = of(error, req, depot);
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let headers = res.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    for (name, value) in error.headers() {
        headers.insert(name, value);
    }
    res.status_code(error.status());
    res.body(ResBody::Once(body.into()));
}

/// The same for an error that comes before an endpoint is reached, which is told to the log as those of endpoints are.
pub fn refuse(error: &ApiError, req: &Request, depot: &Depot, res: &mut Response) {
    error.log();
    render(error, req, depot, res);
}

#[async_trait]
impl Writer for ApiError {
    async fn write(mut self, req: &mut Request, depot: &mut Depot, res: &mut Response) {
        self.log();
        render(&self, req, depot, res);
    }
}
