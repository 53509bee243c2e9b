//! Real nginx on the configuration that ships: what browsers and the API may rely on.

mod api;
mod below;
mod bounds;
mod outer;
mod pages;
mod replicas;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use tempfile::TempDir;
use xtask::nginx::Bounds;
use xtask::nginx::NO_RESOLVER;
use xtask::nginx::Nginx;
use xtask::nginx::Site;

use crate::stub;
use crate::stub::Stub;

const SCRIPT: &str = "/assets/index-DcH3x_1a.js";

/// nginx with a small static build.
struct Served {
    nginx: Nginx,
    _root: TempDir,
}

impl Served {
    /// The log once this is in it: nginx writes a line after the answer.
    fn logged(&self, text: &str) -> String {
        for _ in 0..100 {
            let log = self.nginx.log();
            if log.contains(text) {
                return log;
            }
            xtask::interrupt::wait(Duration::from_millis(20), u32::MAX);
        }
        panic!("{text} is not in the log: {}", self.nginx.log());
    }

    fn before(api: &str) -> Self {
        Self::before_name(api, NO_RESOLVER)
    }

    /// The same below a base path.
    fn below(base_path: &str, api: &str) -> Self {
        Self::start(base_path, api, NO_RESOLVER)
    }

    /// The same before an API that a name server knows.
    fn before_name(api: &str, resolver: &str) -> Self {
        Self::start("", api, resolver)
    }

    /// The same for clients who may ask for less.
    fn bounded(api: &str, bounds: Bounds) -> Self {
        Self::start_with("", api, NO_RESOLVER, bounds)
    }

    fn start(base_path: &str, api: &str, resolver: &str) -> Self {
        Self::start_with(base_path, api, resolver, Bounds::default())
    }

    fn start_with(base_path: &str, api: &str, resolver: &str, bounds: Bounds) -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("assets")).unwrap();
        fs::write(
            root.path().join("index.html"),
            format!("<!doctype html><title>Spiral</title><script src=\"{SCRIPT}\"></script>"),
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
        let site = Site {
            bounds,
            api,
            resolver,
            root: root.path(),
        };
        let nginx = Nginx::start_below(base_path, &site).unwrap();
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
        Self::answer(self.open(request))
    }

    fn answer(mut stream: TcpStream) -> Answer {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        Answer::read(&bytes)
    }

    fn open(&self, request: &str) -> TcpStream {
        Self::open_at(self.nginx.port, request)
    }

    fn open_at(port: u16, request: &str) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
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
