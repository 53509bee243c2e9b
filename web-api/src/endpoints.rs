//! THE list of paths: every endpoint of the HTTP API and where it is reached.

mod batches;
mod call;
mod cancel;
mod docs;
mod events;
mod failures;
mod filter;
mod functions;
mod health;
mod job_actions;
mod jobs;
mod many_calls;
mod options;
mod output;
mod overview;
mod queues;
mod results;
mod schedules;
mod stats;
mod values;
mod workers;

use salvo::prelude::*;

use crate::config::Token;
use crate::guard::Guard;

/// Every path of the API. With a token, only those that tell nothing are open to everybody.
pub fn router(token: Option<&Token>) -> Router {
    let guard = || Guard::new(token.cloned());
    Router::new()
        .push(health())
        .push(Router::with_path("metrics").hoop(guard()).get(health::metrics))
        .push(
            Router::with_path("api")
                .push(health())
                .push(Router::with_path("metrics").hoop(guard()).get(health::metrics))
                .push(Router::with_path("openapi.json").get(docs::document))
                .push(Router::with_path("docs/{**file}").get(docs::Docs::new())),
        )
        .push(api().hoop(guard()))
}

/// The paths that the OpenAPI document describes.
pub fn described() -> Router {
    Router::new()
        .push(Router::with_path("healthz").get(health::healthz))
        .push(Router::with_path("readyz").get(health::readyz))
        .push(api())
}

fn api() -> Router {
    Router::with_path("api")
        .push(
            Router::with_path("v1")
                .push(Router::with_path("functions").get(functions::list))
                .push(Router::with_path("functions/{name}/jobs").post(functions::call))
                .push(
                    Router::with_path("batches")
                        .get(batches::list)
                        .post(batches::make),
                )
                .push(Router::with_path("batches/{id}").get(batches::get))
                .push(Router::with_path("batches/{id}/cancel").post(batches::cancel))
                .push(Router::with_path("jobs").get(jobs::list))
                .push(Router::with_path("jobs:batch").post(many_calls::make))
                .push(
                    Router::with_path("jobs/actions")
                        .get(job_actions::list)
                        .post(job_actions::begin),
                )
                .push(
                    Router::with_path("jobs/actions/{id}")
                        .get(job_actions::get)
                        .delete(job_actions::stop),
                )
                .push(
                    Router::with_path("jobs/{id}")
                        .get(jobs::get)
                        .patch(jobs::actions::change)
                        .delete(jobs::actions::delete),
                )
                .push(Router::with_path("jobs/{id}/retry").post(jobs::actions::retry))
                .push(Router::with_path("jobs/{id}/run-now").post(jobs::actions::run_now))
                .push(Router::with_path("jobs/{id}/cancel").post(cancel::cancel))
                .push(Router::with_path("jobs/{id}/result").get(results::get))
                .push(Router::with_path("jobs/{id}/logs").get(jobs::logs))
                .push(Router::with_path("failures").get(failures::list))
                .push(Router::with_path("overview").get(overview::read))
                .push(Router::with_path("stats").get(stats::read))
                .push(Router::with_path("workers").get(workers::list))
                .push(Router::with_path("queues").get(queues::list))
                .push(
                    Router::with_path("queues/{name}")
                        .get(queues::get)
                        .patch(queues::change),
                )
                .push(Router::with_path("queues/{name}/pause").post(queues::pause))
                .push(Router::with_path("queues/{name}/resume").post(queues::resume))
                .push(
                    Router::with_path("schedules")
                        .get(schedules::list)
                        .post(schedules::create),
                )
                .push(Router::with_path("schedules/preview").get(schedules::preview::preview))
                .push(
                    Router::with_path("schedules/{id}")
                        .get(schedules::get)
                        .patch(schedules::change)
                        .delete(schedules::delete),
                )
                .push(Router::with_path("schedules/{id}/pause").post(schedules::actions::pause))
                .push(Router::with_path("schedules/{id}/resume").post(schedules::actions::resume))
                .push(Router::with_path("schedules/{id}/run").post(schedules::actions::run))
                .push(Router::with_path("events").get(events::follow)),
        )
        .push(Router::with_path("values").post(values::ask))
        .push(Router::with_path("values/all").get(values::all))
        .push(Router::with_path("values/current").get(values::current))
}

/// Load balancers ask with HEAD as well.
fn health() -> Router {
    Router::new()
        .push(
            Router::with_path("healthz")
                .get(health::healthz)
                .head(health::healthz),
        )
        .push(
            Router::with_path("readyz")
                .get(health::readyz)
                .head(health::readyz),
        )
}
