//! Signing in with a browser: the cookie, what it is good for, and what it withstands.

use reqwest::Method;
use serde_json::json;

use crate::access::{ADMIN, VIEWER, locked, sign_in};
use crate::support::TestDatabase;
use crate::support::server::{ApiResponse, TestServer};

async fn with_cookie(server: &TestServer, method: Method, path: &str, cookie: &str) -> ApiResponse {
    ApiResponse::of(server.request(method, path).header("cookie", cookie)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_is_who_one_is_until_one_signs_out() {
    let server = locked(TestDatabase::Sqlite, &[("SPIRAL_PUBLIC_FUNCTIONS", "fibonacci")]).await;
    let nobody = server.get("/api/v1/session").await.json();
    assert_eq!(
        nobody,
        json!({"role": "anybody", "locked": true, "read_only": false, "may_read": false, "may_change": false,
            "public_functions": ["fibonacci"]})
    );
    let answer = server
        .post("/api/v1/session", json!({"token": VIEWER}).to_string())
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let set = answer.header("set-cookie");
    for part in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"] {
        assert!(set.contains(part), "{part} is missing: {set}");
    }
    assert!(!set.contains("Secure") && !set.contains(VIEWER), "{set}");
    let viewer = answer.json();
    assert_eq!(
        (&viewer["role"], &viewer["may_read"], &viewer["may_change"]),
        (&json!("viewer"), &json!(true), &json!(false))
    );
    assert!(viewer["session_until"].is_string());

    let cookie = set.split(';').next().unwrap();
    let told = with_cookie(&server, Method::GET, "/api/v1/session", cookie).await;
    assert_eq!(told.json()["role"], "viewer");
    let list = with_cookie(&server, Method::GET, "/api/v1/jobs", cookie).await;
    assert_eq!(list.status, 200);
    let pause = with_cookie(&server, Method::POST, "/api/v1/queues/default/pause", cookie).await;
    pause.problem(403, "forbidden");

    let out = with_cookie(&server, Method::DELETE, "/api/v1/session", cookie).await;
    assert_eq!(out.status, 204);
    assert!(
        out.header("set-cookie").contains("spiral_session=; ")
            && out.header("set-cookie").contains("Max-Age=0")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_holds_with_another_process_and_ends_with_its_token() {
    let one = locked(TestDatabase::Sqlite, &[]).await;
    let other = locked(TestDatabase::Sqlite, &[]).await;
    let cookie = sign_in(&one, ADMIN).await;
    let pause = with_cookie(&other, Method::POST, "/api/v1/queues/default/pause", &cookie).await;
    assert_eq!(pause.status, 200, "{}", pause.text);
    let rotated = TestServer::start_with(TestDatabase::Sqlite, |config| {
        let lookup = |name: &str| (name == "SPIRAL_ADMIN_TOKEN").then(|| "another-0123456789".to_owned());
        config.server.access = web_api::auth::settings::AccessSettings::from_lookup(&lookup).unwrap();
    })
    .await;
    with_cookie(&rotated, Method::GET, "/api/v1/jobs", &cookie)
        .await
        .problem(401, "unauthorized");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_tokens_are_refused_and_soon_not_even_looked_at() {
    let server = locked(TestDatabase::Sqlite, &[("SPIRAL_PROXIES", "1")]).await;
    let attempt = |token: &str, address: &'static str| {
        let request = server
            .request(Method::POST, "/api/v1/session")
            .header("x-forwarded-for", address);
        ApiResponse::of(request.json(&json!({ "token": token })))
    };
    let mut refused = 0;
    let limited = loop {
        let answer = attempt("nobodys-0123456789", "192.0.2.1").await;
        assert_eq!(answer.header("set-cookie"), "");
        if answer.status == 429 {
            break answer;
        }
        answer.problem(401, "wrong_token");
        refused += 1;
        assert!(refused < 100, "nothing stops the attempts");
    };
    assert!(refused >= 10, "{refused}");
    limited.problem(429, "too_many_attempts");
    let wait: u64 = limited.header("retry-after").parse().unwrap();
    assert!((1..=6).contains(&wait), "{wait}");
    attempt(ADMIN, "192.0.2.1")
        .await
        .problem(429, "too_many_attempts");
    assert_eq!(attempt(ADMIN, "192.0.2.2").await.status, 200, "others may");
    for (body, code) in [("{}", "invalid_input"), ("{\"token\": 5}", "invalid_input")] {
        server.post("/api/v1/session", body).await.problem(422, code);
    }
    let long = json!({"token": "x".repeat(5_000)}).to_string();
    server
        .post("/api/v1/session", long)
        .await
        .problem(413, "body_too_large");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_another_site_cannot_use_the_session() {
    let server = locked(TestDatabase::Sqlite, &[]).await;
    let cookie = sign_in(&server, ADMIN).await;
    let pause = |name: &'static str, value: String| {
        let request = server
            .request(Method::POST, "/api/v1/queues/default/pause")
            .header("cookie", &cookie);
        ApiResponse::of(request.header(name, value))
    };
    for site in ["cross-site", "same-site"] {
        pause("sec-fetch-site", site.to_owned())
            .await
            .problem(403, "cross_site");
    }
    for origin in ["https://example.org", "null"] {
        pause("origin", origin.to_owned())
            .await
            .problem(403, "cross_site");
    }
    let ours = format!("http://{}", server.address);
    assert_eq!(pause("origin", ours).await.status, 200);
    let elsewhere = server
        .request(Method::POST, "/api/v1/session")
        .header("sec-fetch-site", "cross-site");
    let elsewhere = ApiResponse::of(elsewhere.json(&json!({"token": ADMIN}))).await;
    elsewhere.problem(403, "cross_site");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn downloads_and_the_live_feed_work_with_the_session() {
    let server = locked(TestDatabase::Sqlite, &[]).await;
    server.start_worker();
    server.wait_until_ready().await;
    let cookie = sign_in(&server, ADMIN).await;
    let call = server
        .request(Method::POST, "/api/values?wait=30s")
        .header("cookie", &cookie);
    let value = ApiResponse::of(call.json(&json!({"index": 90}))).await;
    assert_eq!(value.status, 200, "{}", value.text);
    let path = format!(
        "/api/v1/jobs/{}/result?download=1",
        value.json()["job"]["id"].as_str().unwrap()
    );
    let file = with_cookie(&server, Method::GET, &path, &cookie).await;
    assert_eq!(
        (file.status.as_u16(), file.text.trim()),
        (200, "2880067194370816120")
    );
    server.get(&path).await.problem(401, "unauthorized");
    let stream = server
        .request(Method::GET, "/api/v1/events")
        .header("cookie", &cookie);
    let stream = stream.send().await.unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tls_the_cookie_never_goes_without_it() {
    let server = locked(TestDatabase::Sqlite, &[("SPIRAL_PROXIES", "1")]).await;
    let request = server
        .request(Method::POST, "/api/v1/session")
        .header("x-forwarded-proto", "https")
        .header("x-forwarded-prefix", "/spiral");
    let answer = ApiResponse::of(request.json(&json!({"token": ADMIN}))).await;
    let cookie = answer.header("set-cookie");
    assert!(
        cookie.contains("Secure") && cookie.contains("Path=/spiral"),
        "{cookie}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_tokens_everybody_is_an_admin() {
    let server = TestServer::idle(TestDatabase::Sqlite).await;
    let told = server.get("/api/v1/session").await.json();
    assert_eq!(
        (&told["role"], &told["locked"], &told["may_change"]),
        (&json!("admin"), &json!(false), &json!(true))
    );
    let answer = server.post("/api/v1/session", "{\"token\": \"x\"}").await;
    answer.problem(409, "no_login");
}
