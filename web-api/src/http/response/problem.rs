//! RFC 9457 problems: the format of every error response, including those that Salvo makes itself.
//! [`crate::http::error`] decides the status of an error.

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
        // The problem of an unknown path is made outside of the layer that sets the base path for
        // `base_path::link`.
        instance: AppState::of(depot).map_or_else(
            |_none| path.to_owned(),
            |state| state.settings.base_path.link(path),
        ),
        code: error.code().to_owned(),
        request_id: request_log::request_id(depot).to_owned(),
        errors: error.fields().to_vec(),
    }
}

/// Writes `error` as the response, with the headers of its status.
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

/// The same for an error that occurs before an endpoint is reached; it is logged like the errors of
/// endpoints.
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
