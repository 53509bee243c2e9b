//! The OpenAPI document, made from the endpoints. `web-api/openapi.json` is a committed copy of it, from which the
//! frontend's types are generated; a test compares the two.

mod tidy;

use salvo::oapi::schema::Ref;
use salvo::oapi::security::{Http, HttpAuthScheme};
use salvo::oapi::{
    Components, Content, Info, License, OpenApi, PathItem, RefOr, Response, SecurityRequirement,
    SecurityScheme, Tag, ToSchema,
};

use crate::endpoints;
use crate::problem::{PROBLEM_JSON, Problem};
use crate::wire::event::{JobPatch, Refresh};

const DESCRIPTION: &str = "Name a function, give it an input: the call becomes a job, a worker runs it, and every \
    client can follow it live. Times are RFC 3339 in UTC, ids are ULIDs, and every error is an \
    `application/problem+json` (RFC 9457) with a stable `code`.";

/// The document as an object.
pub fn document() -> OpenApi {
    let info = Info::new("Spiral", env!("CARGO_PKG_VERSION"))
        .description(DESCRIPTION)
        .license(License::new("MIT"));
    let mut document = OpenApi::with_info(info).merge_router(&endpoints::described());
    describe_events(&mut document.components);
    let token = Http::new(HttpAuthScheme::Bearer)
        .description("The access token (`SPIRAL_TOKEN`), where the server has one.");
    let token = SecurityScheme::Http(token);
    document = document
        .add_security_scheme("token", token)
        // Either no token, or this one: which of the two is the server's setting.
        .security([
            SecurityRequirement::default(),
            SecurityRequirement::new::<&str, [&str; 0], &str>("token", []),
        ])
        .tags([
            Tag::new("functions").description("What can be called, and calling it."),
            Tag::new("jobs").description("Every call, and what became of it."),
            Tag::new("workers").description("The processes that run jobs."),
            Tag::new("monitoring").description("How everything is, and what happened over time."),
            Tag::new("schedules").description("Calls that the clock makes again and again."),
            Tag::new("batches").description("Many calls as one."),
            Tag::new("events").description("All jobs, live."),
            Tag::new("values").description("The Fibonacci demo."),
            Tag::new("health").description("For load balancers and people on call."),
        ]);
    for item in document.paths.values_mut() {
        add_default_problem(item);
    }
    document
}

/// The document as text, the way it is committed and served.
pub fn text() -> Result<String, serde_json::Error> {
    let mut document = serde_json::to_value(document())?;
    tidy::tidy(&mut document);
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

/// The shapes inside the event stream, which no route mentions by itself.
fn describe_events(components: &mut Components) {
    JobPatch::to_schema(components);
    Refresh::to_schema(components);
    Problem::to_schema(components);
}

/// Whatever else may happen, it comes as a problem.
fn add_default_problem(item: &mut PathItem) {
    for operation in item.operations.values_mut() {
        let schema = RefOr::Ref(Ref::from_schema_name("Problem"));
        let response =
            Response::new("Anything else that went wrong.").add_content(PROBLEM_JSON, Content::new(schema));
        operation.responses.insert("default", response);
    }
}
