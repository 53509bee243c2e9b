//! The OpenAPI document, made from the endpoints. `web-api/openapi.json` is a committed copy of it, from
//! which the frontend's types are generated; a test compares the two.

mod bodies;
pub mod docs;
mod links;
mod tidy;

use salvo::http::Method;
use salvo::oapi::schema::Ref;
use salvo::oapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme};
use salvo::oapi::{
    Components, Content, Info, License, OpenApi, PathItem, PathItemType, RefOr, Response,
    SecurityRequirement, SecurityScheme, Server, Tag, ToSchema,
};

use crate::auth::roles::Access;
use crate::auth::sessions::COOKIE;
use crate::domain::base_path::BasePath;
use crate::http::dto::events::{JobPatch, Refresh};
use crate::http::dto::problems::Problem;
use crate::http::response::problem::PROBLEM_JSON;
use crate::http::routes;

const DESCRIPTION: &str = "Name a function, give it an input: the call becomes a job, a worker runs it, and every \
    client can follow it live. Times are RFC 3339 in UTC, ids are ULIDs, and every error is an \
    `application/problem+json` (RFC 9457) with a stable `code`.";

/// The document as an object.
pub fn document() -> OpenApi {
    let info = Info::new("Spiral", env!("CARGO_PKG_VERSION"))
        .description(DESCRIPTION)
        .license(License::new("MIT"));
    let mut document = OpenApi::with_info(info).merge_router(&routes::described());
    describe_events(&mut document.components);
    let token = Http::new(HttpAuthScheme::Bearer)
        .description("The token of admins (`SPIRAL_ADMIN_TOKEN`) or viewers (`SPIRAL_VIEWER_TOKEN`), where the server has any.");
    let token = SecurityScheme::Http(token);
    let session = ApiKeyValue::with_description(COOKIE, "The cookie set by `POST /api/v1/session`.");
    let session = SecurityScheme::ApiKey(ApiKey::Cookie(session));
    document = document
        .add_security_scheme("token", token)
        .add_security_scheme("session", session)
        // None or one of these; the server's settings decide which is required.
        .security([
            SecurityRequirement::default(),
            SecurityRequirement::new::<&str, [&str; 0], &str>("token", []),
            SecurityRequirement::new::<&str, [&str; 0], &str>("session", []),
        ])
        .tags([
            Tag::new("functions").description("List and call the functions."),
            Tag::new("jobs").description("Every call of a function, with its outcome."),
            Tag::new("workers").description("The processes that run jobs."),
            Tag::new("monitoring").description("The current state of the system, and statistics over time."),
            Tag::new("schedules").description("Recurring calls of functions."),
            Tag::new("batches").description("Groups of jobs with a callback."),
            Tag::new("audit").description("The changes of operators."),
            Tag::new("session").description("Sign in, sign out, and the role of the caller."),
            Tag::new("events").description("The live feed of all jobs."),
            Tag::new("values").description("The Fibonacci demo."),
            Tag::new("health").description("Liveness, readiness and metrics."),
        ]);
    for item in document.paths.values_mut() {
        add_default_problem(item);
    }
    for (method, path, access) in routes::declared() {
        describe_access(&mut document, &method, &path, access);
    }
    document
}

/// The document as text, the way it is committed.
pub fn text() -> Result<String, serde_json::Error> {
    text_at(&BasePath::default())
}

/// The same for a server below this base path.
pub fn text_at(base_path: &BasePath) -> Result<String, serde_json::Error> {
    let mut document = document();
    if !base_path.is_root() {
        document = document.servers([Server::new(base_path.as_str())]);
    }
    let mut document = serde_json::to_value(document)?;
    tidy::tidy(&mut document);
    bodies::close(&mut document);
    links::add(&mut document);
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

/// The types of the event stream, which no route refers to.
fn describe_events(components: &mut Components) {
    JobPatch::to_schema(components);
    Refresh::to_schema(components);
    Problem::to_schema(components);
}

/// Adds to an operation who has access.
fn describe_access(document: &mut OpenApi, method: &Method, path: &str, access: Access) {
    let kind = match *method {
        Method::GET => PathItemType::Get,
        Method::POST => PathItemType::Post,
        Method::PATCH => PathItemType::Patch,
        Method::DELETE => PathItemType::Delete,
        // Other methods are not in the document.
        _ => return,
    };
    let item = document.paths.get_mut(path);
    if let Some(operation) = item.and_then(|item| item.operations.get_mut(&kind)) {
        let told = operation.description.take().filter(|text| !text.is_empty());
        let told = told.map(|text| format!("{text}\n\n")).unwrap_or_default();
        operation.description = Some(format!("{told}{}", access.in_words()));
    }
}

/// Any other error is a problem too.
fn add_default_problem(item: &mut PathItem) {
    for operation in item.operations.values_mut() {
        let schema = RefOr::Ref(Ref::from_schema_name("Problem"));
        let response =
            Response::new("Anything else that went wrong.").add_content(PROBLEM_JSON, Content::new(schema));
        operation.responses.insert("default", response);
    }
}
