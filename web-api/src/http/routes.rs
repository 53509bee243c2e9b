//! THE list of paths: every endpoint of the HTTP API, its address, and who has access.

use salvo::http::Method;
use salvo::prelude::*;
use salvo::routing::filters;

use crate::auth::roles::Access::{self, Call, Change, Enqueue, Open, Read, ReadPublic};
use crate::auth::roles::Scope;
use crate::http::middleware::audit::Audit;
use crate::http::middleware::authorize::Guard;

/// Every path of the API.
pub fn router() -> Router {
    let mut router = Router::new();
    for (prefix, places) in everything() {
        router = router.push(routed(prefix, places));
    }
    router
}

/// The paths that the OpenAPI document describes.
pub fn described() -> Router {
    let mut health = health();
    for place in &mut health {
        place.routes.retain(|route| route.method != Method::HEAD);
    }
    Router::new()
        .push(routed("", health))
        .push(routed("api/v1", v1()))
        .push(routed("api", demo()))
}

/// The access of every path and method.
pub fn declared() -> impl Iterator<Item = (Method, String, Access)> {
    everything().into_iter().flat_map(|(prefix, places)| {
        places.into_iter().flat_map(move |place| {
            let path = match prefix {
                "" => format!("/{}", place.path),
                prefix => format!("/{prefix}/{}", place.path),
            };
            let routes = place.routes.into_iter();
            routes.map(move |route| (route.method, path.clone(), route.access))
        })
    })
}

/// The methods of a path. Salvo alone would add the methods of a path with a parameter to those of a fixed
/// path that also matches it (`jobs/{id}` and `jobs/actions`).
pub fn methods_at(path: &str) -> Vec<Method> {
    let fitting = declared().filter_map(|(method, pattern, _)| Some((words_of(&pattern, path)?, method)));
    let fitting: Vec<(Vec<bool>, Method)> = fitting.collect();
    let best = fitting.iter().map(|(words, _)| words.clone()).max();
    let there = fitting
        .into_iter()
        .filter(|(words, _)| Some(words) == best.as_ref());
    there.map(|(_, method)| method).collect()
}

/// Which parts of the path are fixed in the pattern; the others are parameters. `None` when it does not
/// match.
fn words_of(pattern: &str, path: &str) -> Option<Vec<bool>> {
    let (mut pattern, mut path) = (pattern.split('/'), path.trim_end_matches('/').split('/'));
    let mut words = Vec::new();
    loop {
        match (pattern.next(), path.next()) {
            (None, None) => return Some(words),
            (Some(part), _) if part.starts_with("{**") => return Some(words),
            (Some(part), Some(found)) if part == found => words.push(true),
            (Some(part), Some(_)) if part.starts_with('{') => words.push(false),
            _ => return None,
        }
    }
}

fn everything() -> [(&'static str, Vec<Endpoint>); 6] {
    [
        ("", health()),
        ("", metrics()),
        ("api/v1", v1()),
        ("api", demo()),
        ("api", [health(), metrics()].into_iter().flatten().collect()),
        ("api", documents()),
    ]
}

fn v1() -> Vec<Endpoint> {
    vec![
        at("functions").get(ReadPublic(Scope::Endpoint), crate::http::v1::functions::list),
        at("functions/{name}/jobs").post(Call(Scope::Function), crate::http::v1::functions::call),
        at("batches")
            .get(Read, crate::http::v1::batches::list)
            .post(Enqueue, crate::http::v1::batches::make),
        at("batches/{id}").get(Read, crate::http::v1::batches::get),
        at("batches/{id}/cancel").post(Change("cancel_batch"), crate::http::v1::batches::cancel),
        at("jobs").get(ReadPublic(Scope::Parameter), crate::http::v1::jobs::list),
        at("jobs:batch").post(Enqueue, crate::http::v1::functions::bulk_call::make),
        at("jobs/actions")
            .get(Read, crate::http::v1::bulk_actions::list)
            .post_audited(Change("begin_job_action"), crate::http::v1::bulk_actions::begin),
        at("jobs/actions/{id}")
            .get(Read, crate::http::v1::bulk_actions::get)
            .delete(Change("stop_job_action"), crate::http::v1::bulk_actions::stop),
        at("jobs/{id}")
            .get(ReadPublic(Scope::Job), crate::http::v1::jobs::get)
            .patch(Change("change_job"), crate::http::v1::jobs::actions::change)
            .delete(Change("delete_job"), crate::http::v1::jobs::actions::delete),
        at("jobs/{id}/retry").post(Change("retry_job"), crate::http::v1::jobs::actions::retry),
        at("jobs/{id}/run-now").post(Change("run_job_now"), crate::http::v1::jobs::actions::run_now),
        at("jobs/{id}/cancel").post(Change("cancel_job"), crate::http::v1::jobs::cancel::cancel),
        at("jobs/{id}/result").get(ReadPublic(Scope::Job), crate::http::v1::jobs::result::get),
        at("jobs/{id}/logs").get(ReadPublic(Scope::Job), crate::http::v1::jobs::logs),
        at("failures").get(Read, crate::http::v1::failures::list),
        at("tags").get(Read, crate::http::v1::tags::list),
        at("overview").get(Read, crate::http::v1::overview::read),
        at("stats").get(Read, crate::http::v1::stats::read),
        at("workers").get(Read, crate::http::v1::workers::list),
        at("queues").get(Read, crate::http::v1::queues::list),
        at("queues/{name}")
            .get(Read, crate::http::v1::queues::get)
            .patch(Change("set_queue_limits"), crate::http::v1::queues::change),
        at("queues/{name}/pause").post(Change("pause_queue"), crate::http::v1::queues::pause),
        at("queues/{name}/resume").post(Change("resume_queue"), crate::http::v1::queues::resume),
        at("schedules")
            .get(Read, crate::http::v1::schedules::list)
            .post(Change("create_schedule"), crate::http::v1::schedules::create),
        at("schedules/preview").get(Read, crate::http::v1::schedules::preview::preview),
        at("schedules/{id}")
            .get(Read, crate::http::v1::schedules::get)
            .patch(Change("change_schedule"), crate::http::v1::schedules::change)
            .delete(Change("delete_schedule"), crate::http::v1::schedules::delete),
        at("schedules/{id}/pause").post(
            Change("pause_schedule"),
            crate::http::v1::schedules::actions::pause,
        ),
        at("schedules/{id}/resume").post(
            Change("resume_schedule"),
            crate::http::v1::schedules::actions::resume,
        ),
        at("schedules/{id}/run").post(Change("run_schedule"), crate::http::v1::schedules::actions::run),
        at("events").get(ReadPublic(Scope::Endpoint), crate::http::v1::events::follow),
        at("audit").get(Read, crate::http::v1::audit::list),
        at("session")
            .get(Open, crate::http::v1::session::get)
            .post(Open, crate::http::v1::session::sign_in)
            .delete(Open, crate::http::v1::session::sign_out),
    ]
}

/// The routes of the original demo.
fn demo() -> Vec<Endpoint> {
    vec![
        at("values").post(Call(Scope::Fibonacci), crate::http::demo::ask),
        at("values/all").get(ReadPublic(Scope::Fibonacci), crate::http::demo::all),
        at("values/current").get(ReadPublic(Scope::Fibonacci), crate::http::demo::current),
    ]
}

/// Load balancers use HEAD as well.
fn health() -> Vec<Endpoint> {
    vec![
        at("healthz")
            .under_any_name()
            .get(Open, crate::http::health::healthz)
            .head(Open, crate::http::health::healthz),
        at("readyz")
            .under_any_name()
            .get(Open, crate::http::health::readyz)
            .head(Open, crate::http::health::readyz),
    ]
}

fn metrics() -> Vec<Endpoint> {
    vec![
        at("metrics")
            .under_any_name()
            .get(Read, crate::http::health::metrics),
    ]
}

fn documents() -> Vec<Endpoint> {
    vec![
        at("openapi.json").get(Open, crate::http::openapi::docs::Document::default()),
        at("docs/{**file}").get(Open, crate::http::openapi::docs::Docs::new()),
    ]
}

/// A path and its endpoints. An endpoint cannot be added without its access.
struct Endpoint {
    path: &'static str,
    any_host: bool,
    routes: Vec<Route>,
}

struct Route {
    method: Method,
    access: Access,
    router: Router,
}

fn at(path: &'static str) -> Endpoint {
    Endpoint {
        path,
        any_host: false,
        routes: Vec::new(),
    }
}

impl Endpoint {
    /// For probes and collectors, which reach the server by a name of a container network, or by address.
    fn under_any_name(self) -> Self {
        Self {
            any_host: true,
            ..self
        }
    }

    fn get(self, access: Access, handler: impl Handler) -> Self {
        self.with(Method::GET, access, handler)
    }

    fn head(self, access: Access, handler: impl Handler) -> Self {
        self.with(Method::HEAD, access, handler)
    }

    fn post(self, access: Access, handler: impl Handler) -> Self {
        self.with(Method::POST, access, handler)
    }

    /// A POST that may change nothing: its handler decides what is written to the audit log.
    fn post_audited(self, access: Access, handler: impl Handler) -> Self {
        self.audited(Method::POST, access, Audit::by_handler, handler)
    }

    fn patch(self, access: Access, handler: impl Handler) -> Self {
        self.with(Method::PATCH, access, handler)
    }

    fn delete(self, access: Access, handler: impl Handler) -> Self {
        self.with(Method::DELETE, access, handler)
    }

    fn with(self, method: Method, access: Access, handler: impl Handler) -> Self {
        self.audited(method, access, Audit::new, handler)
    }

    fn audited(
        mut self,
        method: Method,
        access: Access,
        audit: fn(&'static str) -> Audit,
        handler: impl Handler,
    ) -> Self {
        let guarded = Router::with_filter(filters::MethodFilter(method.clone()))
            .hoop(Guard::new(access, self.any_host));
        let router = match access {
            Change(action) => guarded.hoop(audit(action)),
            Open | Read | ReadPublic(_) | Call(_) | Enqueue => guarded,
        };
        self.routes.push(Route {
            method,
            access,
            router: router.goal(handler),
        });
        self
    }
}

fn routed(prefix: &'static str, places: Vec<Endpoint>) -> Router {
    let mut router = if prefix.is_empty() {
        Router::new()
    } else {
        Router::with_path(prefix)
    };
    for place in places {
        let mut path = Router::with_path(place.path);
        for route in place.routes {
            path = path.push(route.router);
        }
        router = router.push(path);
    }
    router
}
