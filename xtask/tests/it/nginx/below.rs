//! Below a base path: whether the proxy in front passes it on or takes it away, everything is found, and every address
//! that leaves begins with it.

use super::SCRIPT;
use super::Served;
use super::nobody;
use super::plain_api;

const BASE: &str = "/ops/spiral";

#[test]
fn the_page_names_its_files_below_the_base_path_however_it_was_asked_for() {
    let served = Served::below(BASE, &nobody());
    for path in [
        "",
        "/",
        "/jobs",
        "/jobs/01JD0000000000000000000000",
        "/index.html",
    ] {
        for asked in [format!("{BASE}{path}"), path.to_owned()] {
            let asked = if asked.is_empty() { "/" } else { &asked };
            let page = served.get(asked);
            assert_eq!(
                (page.status, page.header("cache-control")),
                (200, "no-cache"),
                "{asked}"
            );
            assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
            let script = format!("<script src=\"{BASE}{SCRIPT}\">");
            assert!(page.body.contains(&script), "{asked}: {}", page.body);
            page.has_security_headers();
        }
    }
    for asked in [format!("{BASE}{SCRIPT}"), SCRIPT.to_owned()] {
        let script = served.get(&asked);
        assert_eq!(script.status, 200, "{asked}");
        assert_eq!(
            script.header("cache-control"),
            "public, max-age=31536000, immutable"
        );
        assert!(
            script.body.starts_with("export const"),
            "files are sent as they are"
        );
    }
    assert_eq!(served.get(&format!("{BASE}/assets/gone.js")).status, 404);
    assert_eq!(served.get(&format!("{BASE}/.secret")).status, 404);
    assert_eq!(served.get("/page-below-the-base-path").status, 404);
}

#[test]
fn a_page_that_a_browser_has_from_before_the_base_path_was_set_is_sent_anew() {
    let before = Served::before(&nobody()).get("/");
    let served = Served::below(BASE, &nobody());
    let page = served.get_with(
        "/",
        &format!(
            "if-none-match: {}\r\nif-modified-since: {}\r\n",
            before.header("etag"),
            before.header("last-modified")
        ),
    );
    assert_eq!(page.status, 200);
    assert!(page.headers("etag").is_empty() && page.headers("last-modified").is_empty());
}

#[test]
fn the_api_gets_its_own_paths() {
    let api = plain_api();
    let served = Served::below(BASE, &api.address);
    for (asked, told) in [
        ("/ops/spiral/api/v1/jobs?q=a%20b", "/api/v1/jobs?q=a%20b"),
        ("/api/v1/jobs?q=a%20b", "/api/v1/jobs?q=a%20b"),
        ("/ops/spiral/api/v1/events", "/api/v1/events"),
        ("/ops/spiral/api", "/api"),
    ] {
        assert_eq!(served.get(asked).status, 200, "{asked}");
        let request = api.requests.lock().unwrap().last().unwrap().clone();
        assert_eq!(request.line, format!("GET {told} HTTP/1.1"), "{asked}");
    }
    assert_eq!(served.post("/ops/spiral/api/v1/batches").status, 200);
    // One that only looks alike is a page.
    let asked = api.requests.lock().unwrap().len();
    for other in [
        "/ops/spirals/api/v1/jobs",
        "/ops/api/v1/jobs",
        "/OPS/spiral/api/v1/jobs",
    ] {
        assert!(
            served.get(other).body.contains("<title>Spiral</title>"),
            "{other}"
        );
    }
    assert_eq!(api.requests.lock().unwrap().len(), asked);
}

#[test]
fn what_is_for_operators_stays_hidden_and_problems_tell_the_path_that_callers_see() {
    let served = Served::below(BASE, &nobody());
    for path in [
        "/metrics",
        "/healthz",
        "/readyz",
        "/api/metrics",
        "/api/v1/../metrics",
    ] {
        for asked in [format!("{BASE}{path}"), path.to_owned()] {
            assert_eq!(served.get(&asked).status, 404, "{asked}");
        }
    }
    for twice in [
        "/ops/spiral/ops/spiral/api/metrics",
        "/ops/spiral/x/../api/metrics",
    ] {
        assert!(
            !served.get(twice).body.contains("unavailable"),
            "{twice} went on to the API"
        );
    }
    for asked in ["/ops/spiral/api/v1/jobs?limit=1", "/api/v1/jobs?limit=1"] {
        served
            .get(asked)
            .is_problem(502, "unavailable", "/ops/spiral/api/v1/jobs");
    }
    assert_eq!(served.get("/nginx-health").status, 204);
}

#[test]
fn without_a_base_path_addresses_go_on_as_they_came() {
    let api = plain_api();
    let served = Served::before(&api.address);
    served.get("/api/v1/jobs/a%2Fb%20c//d");
    let request = api.requests.lock().unwrap()[0].clone();
    assert_eq!(request.line, "GET /api/v1/jobs/a%2Fb%20c//d HTTP/1.1");
}
