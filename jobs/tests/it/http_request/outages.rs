//! Servers that do not answer, and callers that do not wait.

use std::time::{Duration, Instant};

use jobs::queue::Cancelled;
use serde_json::json;
use tokio::net::TcpListener;

use super::{Caller, FIRST_BACKOFF};
use crate::http_server::{HttpServer, Reply, answer, answer_bytes};
use crate::support::eventually;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_too_slow_is_tried_again() {
    let mut caller = Caller::new().await;
    let server = HttpServer::start(|asked, _| match asked.what.as_str() {
        "GET /head" => Reply::Hang(Vec::new()),
        "GET /body" => Reply::Hang(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345".to_vec()),
        _ => answer("302 On", &[("Location", "/head")], ""),
    })
    .await;
    for path in ["/head", "/body", "/redirect"] {
        let begun = Instant::now();
        let input = json!({ "url": server.url(path), "timeout_seconds": 0.3 });
        let (_, message) = caller.call(input).await.retry();
        assert_eq!(
            message,
            format!(
                "GET {} got no complete answer within 300ms (timeout_seconds)",
                server.url(path)
            )
        );
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "{path}: {:?}",
            begun.elapsed()
        );
    }
    eventually("all three connections are closed", || async {
        server.gone() == 3
    })
    .await;
    caller.worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_fails_is_tried_again() {
    let mut caller = Caller::new().await;
    let server = HttpServer::start(|asked, _| match asked.what.as_str() {
        "GET /nothing" => Reply::Bytes(Vec::new()),
        "GET /half" => Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345".to_vec()),
        _ => Reply::Bytes(b"SSH-2.0-OpenSSH\r\n\r\n".to_vec()),
    })
    .await;
    let (_, message) = caller
        .call(json!({ "url": server.url("/nothing") }))
        .await
        .retry();
    let expected = format!(
        "GET {} got no answer: connection closed before message completed",
        server.url("/nothing")
    );
    assert_eq!(message, expected);
    let (_, message) = caller.call(json!({ "url": server.url("/half") })).await.retry();
    let expected = format!(
        "the answer to GET {} broke off after 5 bytes: ",
        server.url("/half")
    );
    assert!(message.starts_with(&expected), "{message}");
    let (_, message) = caller.call(json!({ "url": server.url("/ssh") })).await.retry();
    let expected = format!(
        "GET {} got no answer: invalid HTTP version parsed",
        server.url("/ssh")
    );
    assert_eq!(message, expected);

    // A port that nobody listens on any more.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let free = listener.local_addr().unwrap();
    drop(listener);
    let (wait, message) = caller
        .call(json!({ "url": format!("http://{free}/") }))
        .await
        .retry();
    assert!(wait <= FIRST_BACKOFF, "{wait:?}");
    let expected = format!("GET http://{free}/ could not connect: ");
    assert!(
        message.starts_with(&expected) && message.contains("Connection refused"),
        "{message}"
    );
    caller.worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_cancelled_hangs_up() {
    let mut caller = Caller::new().await;
    let server = HttpServer::start(|_, _| Reply::Hang(answer_bytes("200 OK", &[], b"")[..20].to_vec())).await;
    let job = caller
        .push(&json!({ "url": server.url("/"), "timeout_seconds": 600 }))
        .await;
    eventually("the server is asked", || async { server.asked().len() == 1 }).await;
    assert_eq!(server.gone(), 0);
    let queue = caller.env.queue.clone();
    let marked = caller.env.queues.cancel(&queue, &[job.id]).await.unwrap();
    assert_eq!(marked, [Cancelled::Marked]);
    eventually("the client has gone", || async { server.gone() == 1 }).await;
    caller.watch.until_finished(1).await;
    assert_eq!(caller.watch.story(job.id), ["queued", "cancelled"]);
    caller.env.assert_clean().await;
    caller.worker.stop().await;
}
