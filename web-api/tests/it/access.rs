//! Every path with every role: what each may do is what is declared, and nothing is without a declaration.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use web_api::auth::roles::{Access, Role};
use web_api::auth::settings::AccessSettings;
use web_api::http::{openapi, routes};

use crate::support::TestDatabase;
use crate::support::server::{ApiResponse, TestServer};

pub(crate) const ADMIN: &str = "admins-0123456789";
pub(crate) const VIEWER: &str = "viewers-0123456789";

/// A server with both tokens, and whatever else is set.
pub(crate) async fn locked(kind: TestDatabase, others: &[(&str, &str)]) -> TestServer {
    let lookup = |name: &str| match name {
        "SPIRAL_ADMIN_TOKEN" => Some(ADMIN.to_owned()),
        "SPIRAL_VIEWER_TOKEN" => Some(VIEWER.to_owned()),
        _ => others
            .iter()
            .find_map(|(other, text)| (*other == name).then(|| (*text).to_owned())),
    };
    let access = AccessSettings::from_lookup(&lookup).unwrap();
    TestServer::start_with(kind, |config| config.server.access = access).await
}

/// Signs in: the cookie, as a browser sends it back.
pub(crate) async fn sign_in(server: &TestServer, token: &str) -> String {
    let answer = server
        .post("/api/v1/session", json!({"token": token}).to_string())
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let cookie = answer.header("set-cookie").split(';').next().unwrap();
    cookie.to_owned()
}

/// How somebody comes to be somebody.
#[derive(Debug, Clone)]
enum By {
    Nothing,
    Token(&'static str),
    Cookie(String),
}

async fn status(server: &TestServer, method: &Method, path: &str, by: &By) -> (u16, String) {
    let request = server.request(method.clone(), path);
    let request = match by {
        By::Nothing => request,
        By::Token(token) => request.bearer_auth(token),
        By::Cookie(cookie) => request.header("cookie", cookie),
    };
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    // Not to its end: that of the live feed never comes.
    let code = if matches!(status, 401 | 403 | 429) {
        let problem: Value = response.json().await.unwrap();
        problem["code"].as_str().unwrap().to_owned()
    } else {
        String::new()
    };
    (status, code)
}

/// A path with something in each of its places. There is no such thing, which only those learn who may look.
fn filled(path: &str) -> String {
    path.replace("{id}", "01ARZ3NDEKTSV4RRFFQ69G5FAV")
        .replace("{name}", "nothing-of-this-name")
        .replace("{**file}", "index.html")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_path_lets_in_whom_it_says_and_nobody_else() {
    let server = locked(TestDatabase::Sqlite, &[]).await;
    server.wait_until_ready().await;
    let who = [
        (Role::Anybody, By::Nothing),
        (
            Role::Anybody,
            By::Cookie("spiral_session=made-up-by-somebody".to_owned()),
        ),
        (Role::Viewer, By::Token(VIEWER)),
        (Role::Viewer, By::Cookie(sign_in(&server, VIEWER).await)),
        (Role::Admin, By::Token(ADMIN)),
        (Role::Admin, By::Cookie(sign_in(&server, ADMIN).await)),
    ];
    let mut tried = 0;
    for (method, path, access) in routes::declared() {
        let place = filled(&path);
        let needed = access.role();
        for (role, by) in &who {
            let (status, code) = status(&server, &method, &place, by).await;
            let expected = if *role >= needed {
                // Whatever else is wrong with this request, it is not who sends it.
                assert!(
                    !matches!(status, 401 | 403 | 405 | 429),
                    "{method} {path} as {role:?}: {status} {code}"
                );
                continue;
            } else if *role == Role::Anybody {
                (401, "unauthorized")
            } else {
                (403, "forbidden")
            };
            assert_eq!((status, code.as_str()), expected, "{method} {path} as {role:?}");
            tried += 1;
        }
        let wrong = status(&server, &method, &place, &By::Token("nobodys-0123456789")).await;
        if access == Access::Open {
            assert_ne!(wrong.0, 401, "{method} {path}");
        } else {
            assert_eq!(wrong, (401, "unauthorized".to_owned()), "{method} {path}");
        }
    }
    assert!(tried > 80, "only {tried} were refused");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_read_only_mode_nobody_changes_anything() {
    let server = locked(
        TestDatabase::Sqlite,
        &[
            ("SPIRAL_READ_ONLY", "true"),
            ("SPIRAL_PUBLIC_FUNCTIONS", "fibonacci"),
        ],
    )
    .await;
    server.wait_until_ready().await;
    for (method, path, access) in routes::declared() {
        let (status, code) = status(&server, &method, &filled(&path), &By::Token(ADMIN)).await;
        if access.changes() {
            assert_eq!((status, code.as_str()), (403, "read_only"), "{method} {path}");
        } else {
            assert!(!matches!(status, 401 | 403), "{method} {path}: {status} {code}");
        }
    }
    let call = server.post("/api/values", "{\"index\": 1}").await;
    call.problem(403, "read_only");
}

#[test]
fn every_operation_of_the_document_says_who_may_do_it() {
    let declared: BTreeSet<(String, String)> = routes::declared()
        .map(|(method, path, _)| (method.as_str().to_lowercase(), path))
        .collect();
    let document: Value = serde_json::from_str(&openapi::text().unwrap()).unwrap();
    let mut described = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            assert!(
                declared.contains(&(method.clone(), path.clone())),
                "{method} {path} declares no role"
            );
            let words = operation["description"].as_str().unwrap();
            assert!(words.contains("For "), "{method} {path}: {words}");
            described.insert((method.clone(), path.clone()));
        }
    }
    // What is not in the document: metrics, the document itself, and the other addresses of health.
    let outside = |path: &str| {
        path.ends_with("/metrics")
            || path.ends_with('z')
            || path.starts_with("/api/docs/")
            || path == "/api/openapi.json"
    };
    for (method, path) in declared.difference(&described) {
        assert!(outside(path), "{method} {path} is not in the document");
    }
}

#[test]
fn a_change_is_told_to_the_audit_log_under_the_name_of_its_operation() {
    let document: Value = serde_json::from_str(&openapi::text().unwrap()).unwrap();
    let mut changes = 0;
    for (method, path, access) in routes::declared() {
        if let Access::Change(action) = access {
            let operation = &document["paths"][&path][method.as_str().to_lowercase()];
            assert_eq!(operation["operationId"], action, "{method} {path}");
            changes += 1;
        } else if method != Method::GET && method != Method::HEAD {
            // Whoever adds a line here says why its changes need no entry: jobs are their own record.
            let without = [
                "/api/v1/functions/{name}/jobs",
                "/api/v1/jobs:batch",
                "/api/v1/batches",
                "/api/values",
                "/api/v1/session",
            ];
            assert!(
                without.contains(&path.as_str()),
                "{method} {path} is not in the audit log"
            );
        }
    }
    assert!(changes >= 15, "{changes}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_visitor_calls_public_functions_and_sees_their_jobs_alone() {
    let server = locked(
        TestDatabase::Sqlite,
        &[
            ("SPIRAL_PUBLIC_FUNCTIONS", "fibonacci"),
            ("SPIRAL_PUBLIC_CALLS_PER_MINUTE", "3"),
        ],
    )
    .await;
    server.wait_until_ready().await;
    let hidden = server
        .request(Method::POST, "/api/v1/functions/echo/jobs")
        .bearer_auth(ADMIN);
    let hidden = ApiResponse::of(hidden.json(&json!({"input": {"secret": 1}}))).await;
    assert_eq!(hidden.status, 202, "{}", hidden.text);
    let hidden = hidden.json()["id"].as_str().unwrap().to_owned();

    let job = server.call("fibonacci", &json!({"input": {"index": 90}})).await;
    let id = job["id"].as_str().unwrap();
    assert_eq!(server.post("/api/values", "{\"index\": 1}").await.status, 202);

    let functions = server.get("/api/v1/functions").await.json();
    let names: Vec<&str> = functions["functions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|function| function["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["fibonacci"]);
    let list = server.get("/api/v1/jobs?function=fibonacci").await.json();
    assert_eq!(list["jobs"].as_array().unwrap().len(), 2);
    for path in [
        format!("/api/v1/jobs/{id}"),
        format!("/api/v1/jobs/{id}/logs"),
        "/api/values/all".to_owned(),
        "/api/values/current".to_owned(),
    ] {
        assert_eq!(server.get(&path).await.status, 200, "{path}");
    }
    for path in [
        "/api/v1/jobs".to_owned(),
        "/api/v1/jobs?function=echo".to_owned(),
        "/api/v1/jobs?function=fibonacci&function=echo".to_owned(),
        "/api/v1/jobs?q=function:fibonacci".to_owned(),
        format!("/api/v1/jobs/{hidden}"),
        format!("/api/v1/jobs/{hidden}/result"),
        format!("/api/v1/jobs/{hidden}/logs"),
        "/api/v1/jobs/01ARZ3NDEKTSV4RRFFQ69G5FAV".to_owned(),
        "/api/v1/queues".to_owned(),
        "/api/v1/audit".to_owned(),
    ] {
        server.get(&path).await.problem(401, "unauthorized");
    }
    let stream = server
        .request(Method::GET, "/api/v1/events")
        .send()
        .await
        .unwrap();
    assert_eq!(stream.status(), 200);

    server
        .post("/api/v1/functions/echo/jobs", "{\"input\": 1}")
        .await
        .problem(401, "unauthorized");
    let cancel = server.post(&format!("/api/v1/jobs/{id}/cancel"), "").await;
    cancel.problem(401, "unauthorized");
    let first = "{\"input\": {\"index\": 1}, \"priority\": 1, \"queue\": \"default\"}";
    let options = server.post("/api/v1/functions/fibonacci/jobs", first).await;
    let problem = options.problem(403, "visitors_options");
    assert!(
        problem["detail"].as_str().unwrap().contains("priority, queue"),
        "{problem}"
    );

    let limited = server.post("/api/values", "{\"index\": 2}").await;
    limited.problem(429, "too_many_calls");
    let wait: u64 = limited.header("retry-after").parse().unwrap();
    assert!((1..=20).contains(&wait), "{wait}");
    let admin = server.request(Method::POST, "/api/values").bearer_auth(ADMIN);
    let admin = ApiResponse::of(admin.json(&json!({"index": 2}))).await;
    assert_eq!(admin.status, 202, "{}", admin.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_proxy_each_client_has_its_own_rate() {
    let server = locked(
        TestDatabase::Sqlite,
        &[
            ("SPIRAL_PUBLIC_FUNCTIONS", "fibonacci"),
            ("SPIRAL_PUBLIC_CALLS_PER_MINUTE", "1"),
            ("SPIRAL_PROXIES", "1"),
        ],
    )
    .await;
    let call = |chain: &'static str| {
        let request = server
            .request(Method::POST, "/api/values")
            .header("x-forwarded-for", chain);
        ApiResponse::of(request.json(&json!({"index": 3})))
    };
    assert_eq!(call("192.0.2.1").await.status, 202);
    call("192.0.2.1").await.problem(429, "too_many_calls");
    assert_eq!(call("192.0.2.2").await.status, 202);
    // What a client says of itself changes nothing.
    call("198.51.100.9, 192.0.2.1")
        .await
        .problem(429, "too_many_calls");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_public_function_that_there_is_not_is_an_error_at_the_start() {
    let server = locked(TestDatabase::Sqlite, &[("SPIRAL_PUBLIC_FUNCTIONS", "fibonaci")]).await;
    let error = server.ended().await.unwrap_err().to_string();
    assert!(
        error.contains("SPIRAL_PUBLIC_FUNCTIONS names \"fibonaci\""),
        "{error}"
    );
}
