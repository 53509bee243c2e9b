//! Turns the errors that Salvo detects itself (no such route, wrong method, a panic) into problems.

use salvo::http::header::{ALLOW, HeaderValue};
use salvo::http::{Method, StatusCode};
use salvo::prelude::*;

use crate::http::error::ApiError;
use crate::http::response::problem::render;
use crate::http::routes;

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
