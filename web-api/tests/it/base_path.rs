//! Below a base path: requests are understood with it and without it, and every address in an answer begins with it.

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::access::ADMIN;
use crate::all_in_one::build;
use crate::support::TestDatabase;
use crate::support::binary::Running;
use crate::support::server::{ApiResponse, TestServer};

async fn below(base_path: &str) -> TestServer {
    TestServer::start_with(TestDatabase::Sqlite, |config| {
        config.server.base_path = base_path.parse().unwrap();
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whether_a_proxy_passes_it_on_or_takes_it_away() {
    let server = below("/ops/spiral").await;
    server.start_worker();
    server.wait_until_ready().await;
    for base in ["", "/ops/spiral"] {
        for path in [
            "/healthz",
            "/readyz",
            "/metrics",
            "/api/healthz",
            "/api/v1/jobs?limit=1",
        ] {
            assert_eq!(
                server.get(&format!("{base}{path}")).await.status,
                200,
                "{base}{path}"
            );
        }
        let call = format!("{base}/api/v1/functions/fibonacci/jobs");
        let accepted = server
            .post(&call, json!({"input": {"index": 90}}).to_string())
            .await;
        assert_eq!(accepted.status, 202, "{}", accepted.text);
        let id = accepted.json()["id"].as_str().unwrap().to_owned();
        let location = accepted.header("location");
        assert_eq!(location, format!("/ops/spiral/api/v1/jobs/{id}"));
        let done = server.job_in_state(&id, "completed").await;
        let result = format!("/ops/spiral/api/v1/jobs/{id}/result");
        assert_eq!(done["result_url"], result);
        assert_eq!(
            server.get(location).await.json()["result_url"],
            result,
            "where it leads to"
        );
        let whole = server
            .request(Method::GET, &result)
            .header("accept", "text/plain");
        assert_eq!(ApiResponse::of(whole).await.text.trim(), "2880067194370816120");

        let missing = server.get(&format!("{base}/api/v1/nothing?x=1")).await;
        assert_eq!(
            missing.problem(404, "not_found")["instance"],
            "/ops/spiral/api/v1/nothing"
        );
        let unknown = server
            .post(&format!("{base}/api/v1/functions/none/jobs"), "{\"input\": 1}")
            .await;
        let unknown = unknown.problem(404, "unknown_function");
        assert_eq!(unknown["instance"], "/ops/spiral/api/v1/functions/none/jobs");
        assert!(
            unknown["detail"]
                .as_str()
                .unwrap()
                .contains("GET /ops/spiral/api/v1/functions"),
            "{unknown}"
        );
        let wrong = ApiResponse::of(server.request(Method::DELETE, &format!("{base}/api/v1/queues"))).await;
        wrong.problem(405, "method_not_allowed");
        assert_eq!(wrong.header("allow"), "GET");
    }
    // Once is enough, and what only looks alike is something else.
    for other in [
        "/ops/spiral/ops/spiral/healthz",
        "/ops/spirals/healthz",
        "/ops/healthz",
    ] {
        server.get(other).await.problem(404, "not_found");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn programs_and_people_find_their_way_from_the_documents() {
    let server = below("/spiral").await;
    let document = server.get("/spiral/api/openapi.json").await.json();
    assert_eq!(document["servers"], json!([{"url": "/spiral"}]));
    let plain: Value = serde_json::from_str(include_str!("../../openapi.json")).unwrap();
    assert_eq!(document["paths"], plain["paths"]);
    assert!(plain.get("servers").is_none());

    // What the page refers to is told from where it stands, so it fits whatever stands before it.
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let docs = client.get(format!("http://{}/spiral/api/docs", server.address));
    let docs = ApiResponse::of(docs).await;
    assert_eq!((docs.status.as_u16(), docs.header("location")), (308, "docs/"));
    let page = server.get("/spiral/api/docs/").await.text;
    assert!(
        !page.contains("=\"/") && page.contains("\"./start.js\""),
        "{page}"
    );
    assert_eq!(server.get("/spiral/api/docs/swagger-ui.css").await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_session_is_for_what_lies_there() {
    let server = TestServer::start_with(TestDatabase::Sqlite, |config| {
        let lookup = |name: &str| (name == "SPIRAL_ADMIN_TOKEN").then(|| ADMIN.to_owned());
        config.server.access = web_api::auth::settings::AccessSettings::from_lookup(&lookup).unwrap();
        config.server.base_path = "/spiral".parse().unwrap();
    })
    .await;
    for path in ["/spiral/api/v1/session", "/api/v1/session"] {
        let answer = server.post(path, json!({"token": ADMIN}).to_string()).await;
        let cookie = answer.header("set-cookie").to_owned();
        assert!(cookie.contains("; Path=/spiral;"), "{cookie}");
        let out = server
            .request(Method::DELETE, path)
            .header("cookie", cookie.split(';').next().unwrap());
        let out = ApiResponse::of(out).await;
        assert_eq!(out.status, 204);
        assert!(
            out.header("set-cookie").contains("; Path=/spiral;"),
            "{:?}",
            out.headers
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_in_one_sends_the_page_with_it() {
    let folder = TempDir::new().unwrap();
    let build = build(folder.path());
    let arguments = ["--static", build.to_str().unwrap()];
    let data = folder.path().join("data");
    let plain = Running::start(&data, &arguments).await;
    let before = plain.get("/jobs").await;
    assert!(
        before.text.contains("src=\"/assets/index-abc123.js\""),
        "{}",
        before.text
    );
    plain.stop().await;

    let spiral = Running::start_with(&data, &arguments, &[("SPIRAL_BASE_PATH", "/ops/spiral")]).await;
    assert!(
        spiral
            .log()
            .contains(&format!("address=http://{}/ops/spiral ", spiral.address())),
        "{}",
        spiral.log()
    );
    for path in ["", "/", "/jobs", "/jobs/deeper?tab=1", "/index.html"] {
        for asked in [format!("/ops/spiral{path}"), path.to_owned()] {
            let page = spiral.get(&asked).await;
            assert_eq!(page.status, 200, "{asked}");
            assert_eq!(page.header("cache-control"), "no-cache", "{asked}");
            assert!(page.header("content-type").starts_with("text/html"), "{asked}");
            assert!(
                page.text.contains("src=\"/ops/spiral/assets/index-abc123.js\""),
                "{asked}: {}",
                page.text
            );
            assert!(
                page.header("content-security-policy")
                    .contains("script-src 'self';"),
                "{asked}"
            );
        }
    }
    for base in ["", "/ops/spiral"] {
        let asset = spiral.get(&format!("{base}/assets/index-abc123.js")).await;
        assert_eq!(
            (asset.status.as_u16(), asset.header("cache-control")),
            (200, "public, max-age=31536000, immutable")
        );
        assert_eq!(spiral.get(&format!("{base}/favicon.svg")).await.status, 200);
        for missing in ["/assets/index-old.js", "/api/nothing"] {
            spiral
                .get(&format!("{base}{missing}"))
                .await
                .problem(404, "not_found");
        }
    }

    // A browser keeps the page as long as it is the same, and the one from before is another.
    let page = spiral.get("/ops/spiral/jobs").await;
    let asked_again = |tag: &str| {
        let request = reqwest::Client::new().get(format!("http://{}/ops/spiral/jobs", spiral.address()));
        ApiResponse::of(request.header("if-none-match", tag.to_owned()))
    };
    assert_eq!(asked_again(page.header("etag")).await.status, 304);
    assert_eq!(asked_again(before.header("etag")).await.status, 200);
    spiral.stop().await;
}
