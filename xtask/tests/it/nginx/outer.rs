//! The proxies that docs/deploy/behind-a-proxy.md shows, as they stand there, in front of Spiral's nginx.

use std::fs;
use std::io::{Read as _, Write as _};
use std::time::Duration;

use tempfile::TempDir;
use xtask::project;
use xtask::server::Server;
use xtask::{http, server};

use super::SCRIPT;
use super::Served;
use super::plain_api;
use crate::stub::Stub;

/// A company's nginx that sends on what is below a path.
struct Outer {
    port: u16,
    _server: Server,
    _folder: TempDir,
}

impl Outer {
    fn start(location: &str, inner: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = project::free_port().unwrap();
        let temp = folder.path().display();
        let user = if rustix::process::geteuid().is_root() {
            "user root;"
        } else {
            ""
        };
        let location = location.replace("spiral.internal:8080", &format!("127.0.0.1:{inner}"));
        assert!(location.contains(&format!("127.0.0.1:{inner}")), "{location}");
        let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {temp}/{kind};"))
            .concat();
        let text = format!(
            "{user} pid {temp}/nginx.pid; daemon off; error_log stderr; events {{}}
             http {{ access_log off; {paths} server {{ listen 127.0.0.1:{port}; {location} }} }}"
        );
        let file = folder.path().join("nginx.conf");
        fs::write(&file, text).unwrap();
        let mut command = server::command(project::find("nginx").unwrap());
        command.arg("-e").arg("stderr").arg("-c").arg(&file);
        let mut server = Server::start("outer nginx", &mut command, &folder.path().join("log")).unwrap();
        server
            .wait_until(Duration::from_secs(20), || http::accepts(port))
            .unwrap();
        Self {
            port,
            _server: server,
            _folder: folder,
        }
    }
}

/// The blocks of nginx's configuration in the page.
fn examples() -> Vec<String> {
    let page = fs::read_to_string(project::path("docs/deploy/behind-a-proxy.md")).unwrap();
    page.split("```nginx\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect()
}

#[test]
fn the_proxies_of_the_documentation_lead_to_everything() {
    let examples = examples();
    assert_eq!(examples.len(), 2);
    for (location, taken_away) in examples.iter().zip([false, true]) {
        let api = plain_api();
        let inner = Served::below("/spiral", &api.address);
        let outer = Outer::start(location, inner.nginx.port);
        let get = |path: &str| {
            let head = format!("GET {path} HTTP/1.1\r\nhost: ops.example.org\r\n");
            Served::answer(Served::open_at(
                outer.port,
                &format!("{head}connection: close\r\n\r\n"),
            ))
        };
        for page in ["/spiral/", "/spiral/jobs/01JD0000000000000000000000"] {
            let page = get(page);
            assert_eq!(page.status, 200);
            assert!(
                page.body.contains(&format!("src=\"/spiral{SCRIPT}\"")),
                "{}",
                page.body
            );
        }
        assert_eq!(get(&format!("/spiral{SCRIPT}")).status, 200);
        assert_eq!(get("/spiral").status, 301, "nginx does it by itself");
        assert_eq!(get("/other").status, 404, "what is beside it is somebody else's");
        assert_eq!(get("/spiral/api/v1/jobs?limit=1").body, "{\"ok\":true}");
        let request = api.requests.lock().unwrap().last().unwrap().clone();
        assert_eq!(request.line, "GET /api/v1/jobs?limit=1 HTTP/1.1");
        for (name, value) in [
            ("host", "ops.example.org"),
            ("x-forwarded-for", "127.0.0.1, 127.0.0.1"),
            ("x-forwarded-proto", "http"),
        ] {
            assert_eq!(
                request.header(name),
                Some(value),
                "{name}, taken away: {taken_away}"
            );
        }
        let seen = inner.logged("/api/v1/jobs");
        assert_eq!(seen.contains("\"uri\":\"/spiral/api"), !taken_away, "{seen}");
    }
}

#[test]
fn live_events_come_through_them_the_moment_they_happen() {
    let told = examples();
    // One that was not told to hold nothing back hears it from the API.
    let untold: Vec<String> = told
        .iter()
        .map(|location| location.replace("proxy_buffering off;", ""))
        .collect();
    assert!(told != untold);
    for location in told.iter().chain(&untold) {
        let api = Stub::start(|_, stream| {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-accel-buffering: no\r\n\r\n";
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(b"event: job\ndata: {\"first\":1}\n\n").unwrap();
            // Nothing more comes, and the connection stays.
            true
        });
        let inner = Served::below("/spiral", &api.address);
        let outer = Outer::start(location, inner.nginx.port);
        let mut stream = Served::open_at(
            outer.port,
            "GET /spiral/api/v1/events HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        );
        stream.set_read_timeout(Some(Duration::from_mins(2))).unwrap();
        let mut seen = String::new();
        while !seen.contains("{\"first\":1}") {
            let mut piece = [0; 1024];
            let length = stream.read(&mut piece).unwrap();
            assert!(length > 0, "it ended: {seen}");
            seen.push_str(&String::from_utf8_lossy(&piece[..length]));
        }
    }
}
