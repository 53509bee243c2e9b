//! What a client gets of nginx and of the API behind it: neither memory for what it sends, nor a place for as long as it
//! likes.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use xtask::nginx::Bounds;

use super::Answer;
use super::Served;
use super::plain_api;
use crate::stub;
use crate::stub::Stub;

const MIB: usize = 1 << 20;
/// Longer than a busy machine takes to see that two seconds are over, and shorter than what holds by default.
const SOON: Duration = Duration::from_secs(20);

fn impatient() -> Bounds {
    Bounds {
        patience: 2,
        ..Bounds::default()
    }
}

fn head(path: &str, length: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nconnection: close\r\n\
         content-length: {length}\r\n\r\n"
    )
}

fn post(served: &Served, path: &str, length: usize) -> Answer {
    served.ask(&(head(path, length) + &"x".repeat(length)))
}

/// Reads until the other side ends the connection, which has to be soon.
fn rest(mut stream: TcpStream) -> Answer {
    let mut bytes = Vec::new();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.read_to_end(&mut bytes).unwrap();
    Answer::read(&bytes)
}

/// The other side ends the connection, with an answer or without.
fn ends(mut stream: TcpStream) {
    stream.set_read_timeout(Some(SOON)).unwrap();
    std::io::copy(&mut stream, &mut std::io::sink()).unwrap();
}

#[test]
fn a_body_goes_on_as_it_comes_and_nothing_of_it_is_kept() {
    const CLIENTS: usize = 16;
    let (arrived, arrivals) = mpsc::channel();
    let arrived = Mutex::new(arrived);
    // As the API does it: who somebody is stands in the head.
    let api = Stub::eager(move |_, stream| {
        arrived.lock().unwrap().send(()).unwrap();
        let problem = "{\"code\":\"unauthorized\"}";
        stub::json(stream, "401 Unauthorized", "connection: close\r\n", problem);
        std::io::copy(stream, &mut std::io::sink()).ok();
        false
    });
    let served = Served::before(&api.address);
    let half = "x".repeat(MIB);
    let clients: Vec<TcpStream> = (0..CLIENTS)
        .map(|_| served.open(&(head("/api/v1/batches", 16 * MIB) + &half)))
        .collect();
    for number in 0..CLIENTS {
        let arrival = arrivals.recv_timeout(SOON);
        assert!(
            arrival.is_ok(),
            "only {number} of {CLIENTS} were asked who they are"
        );
        assert_eq!(served.nginx.spooled(), 0, "bytes are kept");
    }
    for client in clients {
        assert_eq!(rest(client).status, 401);
    }
    assert_eq!(served.nginx.spooled(), 0, "bytes are kept");
}

#[test]
fn many_jobs_in_one_body_have_a_limit_of_their_own() {
    let api = plain_api();
    for (base, served) in [
        ("", Served::before(&api.address)),
        ("/ops/spiral", Served::below("/ops/spiral", &api.address)),
    ] {
        for path in [
            "/api/v1/batches",
            "/api/v1/batches/",
            "/api/v1/jobs:batch",
            "/api/v1/jobs%3Abatch",
        ] {
            let path = format!("{base}{path}");
            assert_eq!(post(&served, &path, 2 * MIB).status, 200, "{path}");
            assert_eq!(post(&served, &path, 17 * MIB).status, 413, "{path}");
        }
        // Nobody else gets it.
        for path in ["/api/v1/jobs", "/api/v1/jobs:batches", "/api/v1/session"] {
            let path = format!("{base}{path}");
            post(&served, &path, 2 * MIB).is_problem(413, "body_too_large", &path);
        }
    }
}

#[test]
fn a_client_that_stops_sending_is_let_go() {
    let (ended, end) = mpsc::channel();
    let ended = Mutex::new(ended);
    let api = Stub::eager(move |_, stream| {
        std::io::copy(stream, &mut std::io::sink()).ok();
        ended.lock().unwrap().send(()).unwrap();
        false
    });
    let served = Served::bounded(&api.address, impatient());
    let client = served.open(&(head("/api/v1/functions/echo/jobs", 1_000) + "{"));
    ends(client);
    assert!(end.recv_timeout(SOON).is_ok(), "the API is kept");
}

/// What nginx makes of an answer that nobody reads: the API hears of it.
fn unread(kind: &'static str) -> (Stub, Receiver<()>) {
    let (broken, breaks) = mpsc::channel();
    let broken = Mutex::new(broken);
    let api = Stub::start(move |_, stream| {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let event = format!("data: {}\n\n", "x".repeat(64 << 10));
        while stream.write_all(event.as_bytes()).is_ok() {}
        broken.lock().unwrap().send(()).unwrap();
        false
    });
    (api, breaks)
}

#[test]
fn a_client_that_stops_reading_is_let_go_and_nothing_is_kept_for_it() {
    for (path, kind) in [
        ("/api/v1/jobs", "application/json"),
        ("/api/v1/events", "text/event-stream"),
    ] {
        let (api, breaks) = unread(kind);
        let served = Served::bounded(&api.address, impatient());
        let client = served.open(&format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n"));
        assert!(breaks.recv_timeout(SOON).is_ok(), "{path}: the API is kept");
        assert_eq!(served.nginx.spooled(), 0, "{path}: bytes are kept");
        drop(client);
    }
}

#[test]
fn a_client_has_so_many_requests_at_the_same_time() {
    let api = plain_api();
    let bounds = Bounds {
        connections: 3,
        ..Bounds::default()
    };
    let served = Served::bounded(&api.address, bounds);
    let mut held = Vec::new();
    let refused = loop {
        // Each has a body to send yet; which one is refused, when all places are taken, is a matter of luck.
        held.push(served.open(&head("/api/v1/functions/echo/jobs", 10)));
        let answer = served.get("/api/v1/jobs");
        if answer.status == 429 {
            break answer;
        }
        xtask::interrupt::wait(Duration::from_millis(20), u32::MAX);
    };
    refused.is_problem(429, "too_many_requests", "/api/v1/jobs");
    assert_eq!(refused.header("retry-after"), "2");
    drop(held);
    while served.get("/api/v1/jobs").status != 200 {
        xtask::interrupt::wait(Duration::from_millis(20), u32::MAX);
    }
}

#[test]
fn attempts_to_sign_in_have_a_rate_and_a_look_at_who_one_is_has_none() {
    let api = plain_api();
    let served = Served::before(&api.address);
    let tries: Vec<u16> = (0..40).map(|_| served.post("/api/v1/session").status).collect();
    assert_eq!(tries[..20], [200; 20], "a few at once are nothing special");
    assert!(tries.contains(&429), "{tries:?}");
    assert!((0..40).all(|_| served.get("/api/v1/session").status == 200));
}
