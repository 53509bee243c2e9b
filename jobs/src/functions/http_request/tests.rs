//! What the guard does to whole calls, with rules that let a test be both the public internet and not.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures::FutureExt;
use futures::future;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use super::guard::{LookUp, Rule};
use crate::functions::http_request::*;

/// In these tests 127.0.0.1 is a public address, and 127.0.0.2 is a private one.
const PUBLIC: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const PRIVATE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

fn rule(address: IpAddr) -> Option<&'static str> {
    (address != PUBLIC).then_some("a private address")
}

/// A server that gives one answer to everybody and notes what came.
struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    _serving: AbortOnDropHandle<()>,
}

impl Server {
    async fn start(on: IpAddr, port: u16, answer: String) -> Self {
        let listener = TcpListener::bind((on, port)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&seen);
        let serving = tokio::spawn(async move {
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                noted.lock().unwrap().push(String::new());
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") && client.read_buf(&mut request).await.unwrap() > 0 {}
                let request = String::from_utf8(request).unwrap();
                *noted.lock().unwrap().last_mut().unwrap() = request.lines().next().unwrap().to_owned();
                client.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Self {
            address,
            seen,
            _serving: AbortOnDropHandle::new(serving),
        }
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

fn ok() -> String {
    "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi".to_owned()
}

fn redirect_to(location: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
}

/// Each look-up takes the next of these answers; the last one stays.
fn changing(answers: &[IpAddr]) -> (LookUp, Arc<AtomicUsize>) {
    let answers = answers.to_vec();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let look_up: LookUp = Arc::new(move |_| {
        let turn = counted.fetch_add(1, Ordering::SeqCst);
        let answer = answers[turn.min(answers.len() - 1)];
        future::ready(Ok(vec![answer])).boxed()
    });
    (look_up, count)
}

async fn call(function: &HttpRequest, input: Value) -> Result<Value, JobError> {
    let output = function
        .run(JobContext::alone(), serde_json::from_value(input).unwrap())
        .await?;
    Ok(serde_json::to_value(output).unwrap())
}

fn function(look_up: LookUp, rule: Rule) -> HttpRequest {
    HttpRequest::reaching(look_up, rule, 1_000)
}

fn fatal(result: Result<Value, JobError>) -> String {
    match result {
        Err(JobError::Fatal(message)) => message,
        other => panic!("not fatal: {other:?}"),
    }
}

#[tokio::test]
async fn a_redirect_to_a_private_address_is_refused_and_never_connected_to() {
    let (look_up, _) = changing(&[PRIVATE]);
    let function = function(look_up, rule);
    let private = Server::start(PRIVATE, 0, ok()).await;
    let port = private.address.port();
    for (location, expected) in [
        (
            format!("http://127.0.0.2:{port}/x"),
            "127.0.0.2 is a private address",
        ),
        (
            format!("http://0x7f000002:{port}/x"),
            "127.0.0.2 is a private address",
        ),
        (format!("//2130706434:{port}/x"), "127.0.0.2 is a private address"),
        (
            format!("http://[::ffff:127.0.0.2]:{port}/x"),
            "[::ffff:7f00:2] is a private address",
        ),
        (
            format!("http://inside.example:{port}/x"),
            "inside.example leads to a private address",
        ),
    ] {
        let public = Server::start(PUBLIC, 0, redirect_to(&location)).await;
        let url = format!("http://{}/start", public.address);
        let message = fatal(call(&function, json!({ "url": url })).await);
        assert!(message.contains(expected), "{location}: {message}");
        assert!(
            message.contains(&format!("(redirected from {url}) was not sent")),
            "{location}: {message}"
        );
        assert!(
            message.contains("SPIRAL_HTTP_ALLOW_PRIVATE=true"),
            "{location}: {message}"
        );
        assert_eq!(public.seen(), ["GET /start HTTP/1.1"], "{location}");
    }
    assert_eq!(private.seen(), [""; 0]);
}

#[tokio::test]
async fn a_name_that_changes_its_mind_is_looked_up_once_for_a_connection() {
    let public = Server::start(PUBLIC, 0, ok()).await;
    let private = Server::start(PRIVATE, public.address.port(), ok()).await;
    let (look_up, count) = changing(&[PUBLIC, PRIVATE]);
    let function = function(look_up, rule);
    let input = json!({ "url": format!("http://rebound.example:{}/", public.address.port()) });
    // What was checked is what is connected to.
    assert_eq!(call(&function, input.clone()).await.unwrap()["body"], "hi");
    assert_eq!(count.load(Ordering::SeqCst), 1);
    // The next connection is checked anew.
    let message = fatal(call(&function, input).await);
    assert!(
        message.contains("rebound.example leads to a private address"),
        "{message}"
    );
    assert_eq!(count.load(Ordering::SeqCst), 2);
    assert_eq!(public.seen(), ["GET / HTTP/1.1"]);
    assert_eq!(private.seen(), [""; 0]);
}

#[tokio::test]
async fn a_name_that_changes_its_mind_within_a_redirect_is_seen() {
    let (look_up, count) = changing(&[PUBLIC, PRIVATE]);
    let function = function(look_up, rule);
    let public = Server::start(PUBLIC, 0, redirect_to("/again")).await;
    let port = public.address.port();
    let private = Server::start(PRIVATE, port, ok()).await;
    let message = fatal(
        call(
            &function,
            json!({ "url": format!("http://rebound.example:{port}/") }),
        )
        .await,
    );
    assert!(
        message.contains("rebound.example leads to a private address"),
        "{message}"
    );
    assert_eq!(count.load(Ordering::SeqCst), 2);
    assert_eq!(private.seen(), [""; 0]);
}

#[tokio::test]
async fn of_several_addresses_a_private_one_is_not_even_the_last_resort() {
    let private = Server::start(PRIVATE, 0, ok()).await;
    let look_up: LookUp = Arc::new(|_| future::ready(Ok(vec![PRIVATE, PUBLIC])).boxed());
    let function = function(look_up, rule);
    // Nobody listens on the public one.
    let input = json!({ "url": format!("http://both.example:{}/", private.address.port()) });
    let Err(JobError::Retry(message)) = call(&function, input).await else {
        panic!("no retry");
    };
    assert!(message.contains("could not connect"), "{message}");
    assert_eq!(private.seen(), [""; 0]);
}

#[tokio::test]
async fn a_name_that_is_not_found_is_tried_again() {
    let look_up: LookUp = Arc::new(|_| future::ready(Err(std::io::Error::other("no such name"))).boxed());
    let result = call(
        &function(look_up, rule),
        json!({ "url": "https://nowhere.example/a?b" }),
    )
    .await;
    assert_eq!(
        result,
        Err(JobError::retry(
            "GET https://nowhere.example/a could not connect: dns error: the name nowhere.example was not found: no such name"
        ))
    );
}
