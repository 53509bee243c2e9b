//! THE list of paths: every endpoint of the HTTP API and where it is reached.

mod events;
mod functions;
mod health;
mod jobs;
mod results;
mod values;

use salvo::prelude::*;

/// The paths that the OpenAPI document describes.
pub fn described() -> Router {
    Router::new()
        .push(Router::with_path("healthz").get(health::healthz))
        .push(Router::with_path("readyz").get(health::readyz))
        .push(
            Router::with_path("api")
                .push(
                    Router::with_path("v1")
                        .push(Router::with_path("functions").get(functions::list))
                        .push(Router::with_path("functions/{name}/jobs").post(functions::call))
                        .push(Router::with_path("jobs").get(jobs::list))
                        .push(Router::with_path("jobs/{id}").get(jobs::get))
                        .push(Router::with_path("jobs/{id}/result").get(results::get))
                        .push(Router::with_path("events").get(events::follow)),
                )
                .push(Router::with_path("values").post(values::ask))
                .push(Router::with_path("values/all").get(values::all))
                .push(Router::with_path("values/current").get(values::current)),
        )
}
