//! RFC 9457 problems: the one shape of every error that leaves the server, also of those that Salvo itself finds.
//! Which status an error has is decided in [`crate::http::error`], not here.

use salvo::http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use salvo::http::{Method, ResBody, StatusCode};
use salvo::oapi::ToSchema;
use salvo::prelude::*;
use serde::Serialize;

use crate::http::error::ApiError;
use crate::http::middleware::request_log;
use crate::http::routes;
use crate::http::state::AppState;

/// The media type of a problem.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// What went wrong (RFC 9457).
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "Problem"))]
pub struct Problem {
    /// A URI that stands for this kind of problem.
    #[serde(rename = "type")]
    #[salvo(schema(example = "urn:problem-type:spiral:invalid_input"))]
    pub kind: String,
    /// The kind of problem in a few words.
    #[salvo(schema(example = "The input is not valid"))]
    pub title: String,
    /// The HTTP status.
    #[salvo(schema(minimum = 400, maximum = 599, example = 422))]
    pub status: u16,
    /// What went wrong this time, and what to do about it.
    #[salvo(schema(example = "/input/index: must be between 0 and 10,000,000"))]
    pub detail: String,
    /// The path that was asked for.
    #[salvo(schema(example = "/api/v1/functions/fibonacci/jobs"))]
    pub instance: String,
    /// The kind of problem as one stable word, for programs.
    #[salvo(schema(example = "invalid_input"))]
    pub code: String,
    /// The id of the request, as in the header `X-Request-Id` and in the log.
    pub request_id: String,
    /// The fields that are wrong, each with its own message.
    pub errors: Vec<FieldError>,
}

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[salvo(schema(name = "FieldError"))]
pub struct FieldError {
    /// A JSON Pointer into the body (`/input/index`; empty for the body as a whole), or the name of a query parameter or header.
    #[salvo(schema(example = "/input/index"))]
    pub field: String,
    /// What is wrong with it, in words that can stand beside the field.
    #[salvo(schema(example = "must be between 0 and 10,000,000"))]
    pub message: String,
}

impl FieldError {
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            message: message.into(),
        }
    }
}

impl Problem {
    /// `error` as a problem of this request.
    pub fn of(error: &ApiError, req: &Request, depot: &Depot) -> Self {
        let path = req.uri().path();
        Self {
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
}

/// Writes `error` as the answer, with the headers that belong to its status.
pub fn render(error: &ApiError, req: &Request, depot: &Depot, res: &mut Response) {
    let problem = Problem::of(error, req, depot);
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

/// Turns the errors that Salvo finds by itself (no such route, wrong method, a panic) into problems.
#[handler]
pub async fn catch(req: &mut Request, depot: &mut Depot, res: &mut Response, ctrl: &mut FlowCtrl) {
    let status = res.status_code.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    render(&ApiError::from_status(status, req), req, depot, res);
    if status == StatusCode::METHOD_NOT_ALLOWED {
        let methods = routes::methods_at(req.uri().path());
        let names: Vec<&str> = methods.iter().map(Method::as_str).collect();
        if let Ok(allowed) = HeaderValue::from_str(&names.join(", ")) {
            res.headers_mut().insert(ALLOW, allowed);
        }
    }
    ctrl.skip_rest();
}
