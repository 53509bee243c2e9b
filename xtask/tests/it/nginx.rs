//! Real nginx on the configuration that ships: what browsers and the API may rely on.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use tempfile::TempDir;
use xtask::nginx::{NO_RESOLVER, Nginx, Site};

use crate::names::NameServer;
use crate::stub::{self, Stub};

const SCRIPT: &str = "/assets/index-DcH3x_1a.js";

/// nginx with a small static build.
struct Served {
    nginx: Nginx,
    _root: TempDir,
}

impl Served {
    fn before(api: &str) -> Self {
        Self::before_name(api, NO_RESOLVER)
    }

    /// The same before an API that a name server knows.
    fn before_name(api: &str, resolver: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("assets")).unwrap();
        fs::write(
            root.path().join("index.html"),
            "<!doctype html><title>Spiral</title>",
        )
        .unwrap();
        fs::write(
            root.path().join(&SCRIPT[1..]),
            "export const spiral = 1;\n".repeat(200),
        )
        .unwrap();
        fs::write(
            root.path().join("favicon.svg"),
            "<svg xmlns='http://www.w3.org/2000/svg'/>",
        )
        .unwrap();
        fs::write(root.path().join(".secret"), "nobody's business").unwrap();
        let nginx = Nginx::start(&Site {
            api,
            resolver,
            root: root.path(),
        })
        .unwrap();
        Self { nginx, _root: root }
    }

    fn get(&self, path: &str) -> Answer {
        self.ask(&format!(
            "GET {path} HTTP/1.1\r\nhost: spiral.test\r\nconnection: close\r\n\r\n"
        ))
    }

    fn get_with(&self, path: &str, headers: &str) -> Answer {
        self.ask(&format!(
            "GET {path} HTTP/1.1\r\nhost: spiral.test\r\n{headers}connection: close\r\n\r\n"
        ))
    }

    fn post(&self, path: &str) -> Answer {
        let head = format!("POST {path} HTTP/1.1\r\nhost: spiral.test\r\ncontent-type: application/json\r\n");
        self.ask(&format!(
            "{head}connection: close\r\ncontent-length: 2\r\n\r\n{{}}"
        ))
    }

    fn ask(&self, request: &str) -> Answer {
        let mut stream = self.open(request);
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        Answer::read(&bytes)
    }

    fn open(&self, request: &str) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", self.nginx.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream
    }
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn read(bytes: &[u8]) -> Self {
        let split = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let head = String::from_utf8_lossy(&bytes[..split]).into_owned();
        let body = String::from_utf8_lossy(&bytes[split + 4..]).into_owned();
        Self {
            status: head[9..12].parse().unwrap(),
            head,
            body,
        }
    }

    fn headers(&self, name: &str) -> Vec<&str> {
        let of_name = |line: &&str| line.split(':').next().unwrap().eq_ignore_ascii_case(name);
        self.head
            .lines()
            .skip(1)
            .filter(of_name)
            .map(|line| line.split_once(": ").unwrap().1)
            .collect()
    }

    /// The one value of a header; twice the same header is a mistake.
    #[track_caller]
    fn header(&self, name: &str) -> &str {
        match self.headers(name)[..] {
            [value] => value,
            ref values => panic!("{name}: {values:?} in\n{}", self.head),
        }
    }

    #[track_caller]
    fn has_security_headers(&self) {
        let policy = self.header("content-security-policy");
        assert!(
            policy.contains("default-src 'self'; script-src 'self'; ")
                && policy.contains("frame-ancestors 'none'")
        );
        assert_eq!(self.header("x-content-type-options"), "nosniff");
        assert_eq!(self.header("referrer-policy"), "strict-origin-when-cross-origin");
        assert_eq!(self.header("cross-origin-opener-policy"), "same-origin");
        assert!(self.header("permissions-policy").contains("camera=()"));
        assert_eq!(self.header("server"), "nginx", "no version");
        assert!(!self.header("x-request-id").is_empty());
    }

    #[track_caller]
    fn is_problem(&self, status: u16, code: &str, instance: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.header("cache-control"), "no-store");
        let id = self.header("x-request-id");
        for part in [
            format!("{{\"type\":\"urn:problem-type:spiral:{code}\""),
            format!("\"status\":{status},"),
            format!("\"code\":\"{code}\""),
            format!("\"instance\":\"{instance}\""),
            format!("\"request_id\":\"{id}\""),
        ] {
            assert!(self.body.contains(&part), "{part} in {}", self.body);
        }
        self.has_security_headers();
    }
}

/// An API that answers everything with a small JSON document.
fn plain_api() -> Stub {
    Stub::start(|_, stream| stub::json(stream, "200 OK", "", "{\"ok\":true}"))
}

/// An address on which nobody listens.
fn nobody() -> String {
    format!("127.0.0.1:{}", xtask::project::free_port().unwrap())
}

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

/// A name of several servers, each at an address of its own on the loopback network.
const NAME: &str = "web-api.test";

/// Waits until the requests of `served` reach the servers that they should reach.
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..200 {
        if holds() {
            return;
        }
        xtask::interrupt::wait(Duration::from_millis(50), u32::MAX);
    }
    panic!("{what}: not within ten seconds");
}

#[test]
fn servers_that_come_and_go_are_found_by_their_name() {
    let one = plain_api();
    let port = one.port();
    let names = NameServer::start(vec![one.ip()]);
    let served = Served::before_name(&format!("{NAME}:{port}"), &names.address);
    assert_eq!(served.get("/api/v1/functions").status, 200);

    let other = Stub::start_on("127.0.0.2", port, |_, stream| {
        stub::json(stream, "200 OK", "", "{}")
    });
    names.set(vec![one.ip(), other.ip()]);
    eventually("the new server is found", || {
        served.get("/api/v1/functions").status == 200 && other.count() > 0
    });
    names.set(vec![other.ip()]);
    eventually("the old server is left alone", || {
        let before = one.count();
        (0..5).for_each(|_| assert_eq!(served.get("/api/v1/functions").status, 200));
        one.count() == before
    });
    names.set(Vec::new());
    eventually("nobody is left", || served.get("/api/v1/functions").status == 502);
    served
        .get("/api/v1/jobs")
        .is_problem(502, "unavailable", "/api/v1/jobs");
}

#[test]
fn a_server_that_refuses_connections_costs_no_request_not_even_a_post() {
    let api = plain_api();
    // Nobody listens at the other address: the server there has ended and the name server does not know yet.
    let names = NameServer::start(vec!["127.0.0.3".parse().unwrap(), api.ip()]);
    let served = Served::before_name(&format!("{NAME}:{}", api.port()), &names.address);
    for _ in 0..20 {
        assert_eq!(served.post("/api/v1/functions/echo/jobs").status, 200);
        assert_eq!(served.get("/api/v1/functions").status, 200);
    }
    assert_eq!(api.count(), 40);
}

#[test]
fn a_server_that_dies_with_a_request_costs_a_post_and_nothing_that_may_be_done_twice() {
    let api = plain_api();
    let dying = Stub::start_on("127.0.0.2", api.port(), |_, _| false);
    let names = NameServer::start(vec![dying.ip(), api.ip()]);
    let served = Served::before_name(&format!("{NAME}:{}", api.port()), &names.address);
    for _ in 0..20 {
        assert_eq!(served.get("/api/v1/jobs").status, 200);
    }
    assert!(
        dying.count() > 0,
        "none of 20 requests came to one of two servers"
    );

    let (before, taken) = (api.count(), dying.count());
    let answers: Vec<Answer> = (0..20)
        .map(|_| served.post("/api/v1/functions/echo/jobs"))
        .collect();
    let lost = answers.iter().filter(|answer| answer.status == 502).count();
    assert_eq!(
        lost,
        dying.count() - taken,
        "each is answered by whom it was sent to"
    );
    assert_eq!(api.count() - before, 20 - lost, "none is sent twice");
    assert!(lost > 0, "none of 20 requests came to one of two servers");
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
fn no_page_may_run_a_script_of_its_own_html_not_even_the_documentation() {
    let api = plain_api();
    let served = Served::before(&api.address);
    for path in ["/api/docs", "/api/docs/index.html", "/api/v1/jobs"] {
        served.get(path).has_security_headers();
    }
}

#[test]
fn each_request_is_one_line_of_json_in_the_log() {
    let served = Served::before(&nobody());
    served.get_with(
        "/jobs",
        "user-agent: say \"hi\"\\\r\nx-request-id: seen-in-the-log\r\n",
    );
    let mut log = String::new();
    for _ in 0..100 {
        log = served.nginx.log();
        if log.contains("seen-in-the-log") {
            break;
        }
        xtask::interrupt::wait(Duration::from_millis(20), u32::MAX);
    }
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
