//! The OpenAPI document, and a page to read it. The page loads its script from a file, so that the strict
//! Content-Security-Policy of the other pages applies to it too.

use std::sync::OnceLock;

use bytes::Bytes;
use salvo::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, LOCATION};
use salvo::http::{ResBody, StatusCode};
use salvo::oapi::swagger_ui::SwaggerUi;
use salvo::prelude::*;

use crate::http::error::ApiError;
use crate::http::openapi;
use crate::http::state::AppState;

const PAGE: &str = r#"<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Spiral: the API</title>
    <link rel="stylesheet" href="./swagger-ui.css">
    <link rel="icon" type="image/svg+xml" href="../../icon.svg">
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="./swagger-ui-bundle.js"></script>
    <script src="./start.js"></script>
  </body>
</html>
"#;

const SCRIPT: &str = r##"window.addEventListener("load", () => {
  window.ui = SwaggerUIBundle({
    url: "../openapi.json",
    dom_id: "#swagger-ui",
    deepLinking: true,
    validatorUrl: null,
    presets: [SwaggerUIBundle.presets.apis],
    layout: "BaseLayout",
  });
});
"##;

/// The OpenAPI document, made on the first request.
#[derive(Debug, Default)]
pub(crate) struct Document(OnceLock<Result<Bytes, String>>);

#[handler]
impl Document {
    fn handle(&self, depot: &mut Depot, res: &mut Response) -> Result<(), ApiError> {
        let base_path = &AppState::of(depot)?.settings.base_path;
        let text = self.0.get_or_init(|| {
            openapi::text_at(base_path)
                .map(Bytes::from)
                .map_err(|error| error.to_string())
        });
        let text = text
            .as_ref()
            .map_err(|error| ApiError::internal(error.as_str()))?;
        send(res, "application/json", text.clone());
        Ok(())
    }
}

/// The page at `/api/docs/` and its files.
#[derive(Debug)]
pub(crate) struct Docs(SwaggerUi);

impl Docs {
    pub(crate) fn new() -> Self {
        Self(SwaggerUi::new("../openapi.json"))
    }
}

#[async_trait]
impl Handler for Docs {
    async fn handle(&self, req: &mut Request, depot: &mut Depot, res: &mut Response, ctrl: &mut FlowCtrl) {
        let file = req.params().tail().unwrap_or_default();
        match file {
            "" if !req.uri().path().ends_with('/') => {
                res.status_code(StatusCode::PERMANENT_REDIRECT);
                res.headers_mut()
                    .insert(LOCATION, HeaderValue::from_static("docs/"));
            }
            "" | "index.html" => send(
                res,
                "text/html; charset=utf-8",
                Bytes::from_static(PAGE.as_bytes()),
            ),
            "start.js" => send(
                res,
                "text/javascript; charset=utf-8",
                Bytes::from_static(SCRIPT.as_bytes()),
            ),
            _ => self.0.handle(req, depot, res, ctrl).await,
        }
    }
}

fn send(res: &mut Response, kind: &'static str, body: Bytes) {
    res.headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    res.headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    res.body(ResBody::Once(body));
}
