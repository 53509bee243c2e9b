//! The static pages.

use super::SCRIPT;
use super::Served;
use super::nobody;
use super::plain_api;
use crate::stub;
use crate::stub::Stub;

#[test]
fn hashed_assets_are_kept_for_a_year_and_the_page_is_asked_for_again() {
    let served = Served::before(&nobody());
    let script = served.get(SCRIPT);
    assert_eq!(
        (script.status, script.header("content-type")),
        (200, "text/javascript; charset=utf-8")
    );
    assert_eq!(
        script.header("cache-control"),
        "public, max-age=31536000, immutable"
    );
    script.has_security_headers();

    let page = served.get("/");
    assert_eq!(
        (page.status, page.header("content-type")),
        (200, "text/html; charset=utf-8")
    );
    assert_eq!(page.header("cache-control"), "no-cache");
    page.has_security_headers();

    let tag = page.header("etag").to_owned();
    let again = served.get_with("/", &format!("if-none-match: {tag}\r\n"));
    assert_eq!((again.status, again.header("cache-control")), (304, "no-cache"));
    assert_eq!(served.get("/favicon.svg").header("cache-control"), "no-cache");
}

#[test]
fn pages_of_the_application_fall_back_to_the_page_and_assets_do_not() {
    let served = Served::before(&nobody());
    for path in [
        "/jobs",
        "/jobs/01JD0000000000000000000000",
        "/functions/fibonacci?index=90",
        "/apiary",
    ] {
        let page = served.get(path);
        assert_eq!(page.status, 200, "{path}");
        assert!(page.body.contains("<title>Spiral</title>"), "{path}");
        assert_eq!(page.header("cache-control"), "no-cache", "{path}");
    }
    for path in [
        "/assets/gone-abc123.js",
        "/assets/",
        "/.secret",
        "/assets/.secret",
    ] {
        let missing = served.get(path);
        assert_eq!(missing.status, 404, "{path}");
        assert_eq!(
            missing.header("cache-control"),
            "no-cache",
            "a missing asset may be there after a deploy"
        );
        assert!(!missing.body.contains("Spiral"), "{path}");
        missing.has_security_headers();
    }
}

#[test]
fn texts_are_compressed() {
    let api = Stub::start(|_, stream| {
        stub::json(
            stream,
            "200 OK",
            "",
            &format!("{{\"value\":\"{}\"}}", "1234567890".repeat(1000)),
        )
    });
    let served = Served::before(&api.address);
    for path in [SCRIPT, "/api/v1/jobs/x/result"] {
        let answer = served.get_with(path, "accept-encoding: gzip\r\n");
        assert_eq!(answer.header("content-encoding"), "gzip", "{path}");
        assert_eq!(answer.header("vary"), "Accept-Encoding", "{path}");
        assert!(served.get(path).headers("content-encoding").is_empty(), "{path}");
    }
}

#[test]
fn no_page_may_run_a_script_of_its_own_html_not_even_the_documentation() {
    let api = plain_api();
    let served = Served::before(&api.address);
    for path in ["/api/docs", "/api/docs/index.html", "/api/v1/jobs"] {
        served.get(path).has_security_headers();
    }
}
