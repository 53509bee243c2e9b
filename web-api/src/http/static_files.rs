//! The static frontend, served as nginx serves it: assets with a hash in their name are cached for a year,
//! everything else is revalidated, and a path without a file gets the application's page. The page refers to
//! its files from the root; below a base path it is sent with that path before each address.

use std::path::{Path, PathBuf};

use anyhow::bail;
use salvo::http::StatusCode;
use salvo::http::header::{CACHE_CONTROL, HeaderValue};
use salvo::prelude::*;
use salvo::routing::{Filter as _, filters};
use salvo::serve_static::StaticDir;

use crate::domain::base_path::BasePath;
use crate::http::error::ApiError;
use crate::http::response::ApiResponse;

/// All paths outside the API.
pub(crate) fn router(folder: &Path, base_path: &BasePath) -> anyhow::Result<Router> {
    let page = folder.join("index.html");
    if !page.is_file() {
        bail!(
            "there is no {}: build the frontend first (`cargo xtask up` does), or leave out --static",
            page.display()
        );
    }
    let folder = folder.canonicalize()?;
    let read = || filters::get().or(filters::head());
    let assets = StaticDir::new([folder.join("assets")]);
    let pages = Pages {
        page: folder.join("index.html"),
        base_path: base_path.clone(),
        files: StaticDir::new([folder]),
    };
    Ok(Router::with_hoop(caching)
        .push(Router::with_path("assets/{**file}").filter(read()).goal(assets))
        .push(
            Router::with_filter_fn(|req, _| !belongs_to_api(req.uri().path()))
                .path("{**file}")
                .filter(read())
                .goal(pages),
        ))
}

/// Files, and the application's page for every other path.
struct Pages {
    files: StaticDir,
    page: PathBuf,
    base_path: BasePath,
}

#[async_trait]
impl Handler for Pages {
    async fn handle(&self, req: &mut Request, depot: &mut Depot, res: &mut Response, ctrl: &mut FlowCtrl) {
        let file = req.params().tail().unwrap_or_default();
        if !matches!(file, "" | "index.html") {
            self.files.handle(req, depot, res, ctrl).await;
            if res.status_code != Some(StatusCode::NOT_FOUND) {
                return;
            }
            res.take_body();
        }
        // Read on each request, so that a new build is served without a restart.
        let answer = match tokio::fs::read_to_string(&self.page).await {
            Ok(page) => ApiResponse::html(below(&self.base_path, page)).tagged(),
            Err(error) => return ApiError::internal(error).write(req, depot, res).await,
        };
        answer.write(req, depot, res).await;
    }
}

/// The page with the base path before every address in it. nginx does the same, in templates/default.conf.template.
fn below(base_path: &BasePath, page: String) -> String {
    if base_path.is_root() {
        page
    } else {
        page.replace("=\"/", &format!("=\"{base_path}/"))
    }
}

/// Paths of the API and of the assets, which never get the application's page.
fn belongs_to_api(path: &str) -> bool {
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    matches!(first, "api" | "healthz" | "readyz" | "metrics" | "assets")
}

#[handler]
async fn caching(req: &mut Request, depot: &mut Depot, res: &mut Response, ctrl: &mut FlowCtrl) {
    ctrl.call_next(req, depot, res).await;
    let found = matches!(
        res.status_code,
        None | Some(StatusCode::OK | StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED)
    );
    let asset = req.uri().path().starts_with("/assets/");
    let value = if found && asset {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    res.headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static(value));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_and_api_do_not_mix() {
        for api in [
            "/api",
            "/api/",
            "/api/nothing",
            "/healthz",
            "/metrics/",
            "/assets/x.js",
        ] {
            assert!(belongs_to_api(api), "{api}");
        }
        for page in ["/", "/jobs", "/apitude", "/jobs/api"] {
            assert!(!belongs_to_api(page), "{page}");
        }
    }

    #[test]
    fn a_folder_without_a_build_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let error = router(folder.path(), &BasePath::default())
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains("index.html: build the frontend first"), "{error}");
    }
}
