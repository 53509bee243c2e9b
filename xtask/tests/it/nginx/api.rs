//! What goes on to the API, and what comes back.

use std::io::{Read as _, Write as _};
use std::sync::Mutex;
use std::sync::mpsc;

use super::Answer;
use super::Served;
use super::nobody;
use super::plain_api;
use crate::stub;
use crate::stub::Stub;

#[test]
fn the_api_gets_what_it_needs_to_know() {
    let api = plain_api();
    let served = Served::before(&api.address);
    let answer = served.get_with(
        "/api/v1/jobs?state=dead&limit=1",
        "x-request-id: my-id.7\r\nx-forwarded-for: 10.0.0.1\r\n",
    );
    assert_eq!((answer.status, answer.body.as_str()), (200, "{\"ok\":true}"));
    assert_eq!(answer.header("x-request-id"), "my-id.7");
    assert_eq!(answer.header("cache-control"), "no-store");
    answer.has_security_headers();
    let request = api.requests.lock().unwrap()[0].clone();
    assert_eq!(request.line, "GET /api/v1/jobs?state=dead&limit=1 HTTP/1.1");
    for (name, value) in [
        ("host", "spiral.test"),
        ("x-request-id", "my-id.7"),
        ("x-forwarded-for", "10.0.0.1, 127.0.0.1"),
        ("x-forwarded-host", "spiral.test"),
        ("x-forwarded-proto", "http"),
        ("x-real-ip", "127.0.0.1"),
    ] {
        assert_eq!(request.header(name), Some(value), "{name}");
    }
    assert_eq!(request.header("connection"), Some("close"));
}

#[test]
fn an_indecent_request_id_is_replaced() {
    let api = plain_api();
    let served = Served::before(&api.address);
    for id in ["\"quoted\"", "a b", &"x".repeat(129), ""] {
        let answer = served.get_with("/api/healthz", &format!("x-request-id: {id}\r\n"));
        let own = answer.header("x-request-id");
        assert!(
            own.len() == 32 && own.chars().all(|c| c.is_ascii_hexdigit()),
            "{own}"
        );
    }
}

#[test]
fn what_the_api_says_itself_is_not_said_twice() {
    let api = Stub::start(|_, stream| {
        let headers = "x-request-id: other\r\nx-content-type-options: nosniff\r\ncontent-security-policy: none\r\n\
                       cache-control: max-age=5\r\nretry-after: 17\r\n";
        stub::json(
            stream,
            "503 Service Unavailable",
            headers,
            "{\"code\":\"redis_unavailable\"}",
        )
    });
    let served = Served::before(&api.address);
    let answer = served.get("/api/v1/jobs");
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (503, "{\"code\":\"redis_unavailable\"}")
    );
    assert_eq!(
        (answer.header("cache-control"), answer.header("retry-after")),
        ("max-age=5", "17")
    );
    assert_ne!(answer.header("x-request-id"), "other");
    answer.has_security_headers();
}

#[test]
fn a_body_past_the_limit_is_a_problem_that_never_reaches_the_api() {
    let api = plain_api();
    let served = Served::before(&api.address);
    let post = |length: usize| {
        let head =
            "POST /api/v1/functions/fibonacci/jobs HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
        let body = "x".repeat(length);
        served.ask(&format!(
            "{head}connection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        ))
    };
    post(20 << 20).is_problem(413, "body_too_large", "/api/v1/functions/fibonacci/jobs");
    post((1 << 20) + 1).is_problem(413, "body_too_large", "/api/v1/functions/fibonacci/jobs");
    assert_eq!(post(1 << 20).status, 200, "the limit itself is allowed");
    assert_eq!(api.requests.lock().unwrap().len(), 1);
}

#[test]
fn an_api_that_is_away_is_a_problem_with_a_time_to_come_back() {
    let served = Served::before(&nobody());
    let answer = served.get("/api/v1/jobs?limit=1");
    answer.is_problem(502, "unavailable", "/api/v1/jobs");
    assert_eq!(answer.header("retry-after"), "2");
    served
        .get("/api/v1/events")
        .is_problem(502, "unavailable", "/api/v1/events");
    // What the caller wrote into the path cannot break out of the JSON text.
    served
        .get("/api/v1/\"},{\"x\":\"")
        .is_problem(502, "unavailable", "/api/v1/");
}

#[test]
fn live_events_arrive_while_the_stream_is_open() {
    let (go_on, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let api = Stub::start(move |_, stream| {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(b"event: job\ndata: {\"first\":1}\n\n").unwrap();
        wait.lock().unwrap().recv().unwrap();
        stream.write_all(b"event: job\ndata: {\"second\":2}\n\n").unwrap();
        false
    });
    let served = Served::before(&api.address);
    let headers =
        "host: x\r\naccept: text/event-stream\r\naccept-encoding: gzip, br\r\nlast-event-id: default:1-0\r\n";
    let mut stream = served.open(&format!(
        "GET /api/v1/events HTTP/1.1\r\n{headers}connection: close\r\n\r\n"
    ));
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains("first") {
        let mut block = [0; 4096];
        let length = stream.read(&mut block).unwrap();
        assert_ne!(length, 0, "{}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&block[..length]);
    }
    // The API has not said its second event yet: the first was not held back for it.
    go_on.send(()).unwrap();
    stream.read_to_end(&mut seen).unwrap();
    let answer = Answer::read(&seen);
    assert!(answer.body.contains("second"));
    assert!(answer.headers("content-encoding").is_empty());
    assert_eq!(answer.header("content-type"), "text/event-stream");
    assert_eq!(answer.header("cache-control"), "no-cache");
    answer.has_security_headers();
    assert_eq!(
        api.requests.lock().unwrap()[0].header("last-event-id"),
        Some("default:1-0")
    );
}

#[test]
fn metrics_are_not_for_the_public() {
    let api = plain_api();
    let served = Served::before(&api.address);
    for path in [
        "/api/metrics",
        "/api/metrics/",
        "/api//metrics",
        "/api/v1/../metrics",
        "/api/%6detrics",
        "/API/../api/Metrics",
    ] {
        let answer = served.get(path);
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(
            answer.header("content-type"),
            "application/problem+json",
            "{path}"
        );
        assert!(answer.body.contains("\"code\":\"not_found\""), "{path}");
    }
    assert_eq!(
        served.get("/nginx-health").status,
        204,
        "nginx's own health is another thing"
    );
    for path in ["/metrics", "/metrics/", "/healthz", "/readyz"] {
        assert_eq!(served.get(path).status, 404, "{path}");
    }
    assert!(api.requests.lock().unwrap().is_empty());
    assert_eq!(served.get("/api/healthz").status, 200);
}

#[test]
fn each_request_is_one_line_of_json_in_the_log() {
    let served = Served::before(&nobody());
    served.get_with(
        "/jobs",
        "user-agent: say \"hi\"\\\r\nx-request-id: seen-in-the-log\r\n",
    );
    let log = served.logged("seen-in-the-log");
    let line = log.lines().find(|line| line.contains("seen-in-the-log")).unwrap();
    assert!(line.starts_with("{\"time\":\"") && line.ends_with('}'), "{line}");
    for part in [
        "\"status\":200,",
        "\"uri\":\"/jobs\"",
        "\"user_agent\":\"say \\\"hi\\\"\\\\\"",
    ] {
        assert!(line.contains(part), "{part} in {line}");
    }
}
