//! Before several servers of the API, which come and go.

use std::time::Duration;

use super::Answer;
use super::Served;
use super::plain_api;
use crate::names::NameServer;
use crate::stub;
use crate::stub::Stub;

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
    // Several in a row: its processes learn of it one after the other.
    eventually("nobody is left", || {
        (0..10).all(|_| served.get("/api/v1/functions").status == 502)
    });
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
