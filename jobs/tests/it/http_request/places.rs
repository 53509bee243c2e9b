//! Where a call may go: redirects, and addresses that are refused.

use std::io::ErrorKind as IoErrorKind;

use serde_json::json;

use super::Caller;
use crate::http_server::{HttpServer, answer};

#[tokio::test(flavor = "multi_thread")]
async fn redirects_are_followed_up_to_a_limit() {
    let mut caller = Caller::new().await;
    let server = HttpServer::start(|asked, _| {
        let step: u32 = asked.what.rsplit('/').next().unwrap().parse().unwrap();
        match step {
            0 => answer("200 OK", &[], asked.what.as_bytes()),
            _ => answer("307 On", &[("Location", &format!("{}", step - 1))], "moved"),
        }
    })
    .await;
    let input = json!({ "url": server.url("/a/5"), "method": "POST", "body": "x" });
    let output = caller.call(input).await.output();
    assert_eq!(
        (&output["body"], &output["url"]),
        (&json!("POST /a/0"), &json!(server.url("/a/0")))
    );
    assert!(server.asked().iter().all(|asked| asked.body == "x"));

    let message = caller.call(json!({ "url": server.url("/a/6") })).await.dead();
    let expected = format!(
        "GET {} (redirected from {}) leads to {}, one redirect more than max_redirects allows (5)",
        server.url("/a/1"),
        server.url("/a/6"),
        server.url("/a/0")
    );
    assert_eq!(message, expected);

    let input = json!({ "url": server.url("/a/6"), "max_redirects": 6 });
    assert_eq!(caller.call(input).await.output()["status"], 200);

    // None at all: the redirect is the answer.
    let input = json!({ "url": server.url("/a/6"), "max_redirects": 0 });
    let output = caller.call(input).await.output();
    assert_eq!(
        (&output["status"], &output["headers"]["location"]),
        (&json!(307), &json!("5"))
    );
    caller.worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_to_another_server_takes_no_secret_along() {
    let mut caller = Caller::new().await;
    let other = HttpServer::start(|_, _| answer("200 OK", &[], "")).await;
    let there = other.url("/there");
    let first = HttpServer::start(move |_, _| answer("308 There", &[("Location", &there)], "")).await;
    let input = json!({
        "url": first.url("/"), "method": "POST", "body": {},
        "headers": { "Authorization": "Bearer t", "Cookie": "c=1", "X-Api-Key": "k", "Accept": "text/html" },
    });
    caller.call(input).await.output();
    let asked = &other.asked()[0];
    assert_eq!((asked.what.as_str(), asked.body.as_str()), ("POST /there", "{}"));
    assert_eq!(asked.header("accept"), "text/html");
    for secret in [
        "authorization",
        "cookie",
        "x-api-key",
        "idempotency-key",
        "referer",
    ] {
        assert_eq!(asked.header(secret), "", "{secret}");
    }
    caller.worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn this_machine_is_refused_in_every_spelling_and_never_connected_to() {
    let mut caller = Caller::with(false).await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    for (host, reason) in [
        ("127.0.0.1", "127.0.0.1 is a loopback address"),
        ("127.1", "127.0.0.1 is a loopback address"),
        ("2130706433", "127.0.0.1 is a loopback address"),
        ("0x7f000001", "127.0.0.1 is a loopback address"),
        ("0177.0.0.1", "127.0.0.1 is a loopback address"),
        ("0", "0.0.0.0 is an unspecified address"),
        ("[::1]", "[::1] is a loopback address"),
        ("[::ffff:127.0.0.1]", "[::ffff:7f00:1] is a loopback address"),
        ("169.254.169.254", "169.254.169.254 is a link-local address"),
        ("localhost", "localhost leads to a loopback address"),
        ("LOCALHOST", "localhost leads to a loopback address"),
    ] {
        let message = caller
            .call(json!({ "url": format!("http://{host}:{port}/"), "timeout_seconds": 20 }))
            .await
            .dead();
        let expected = format!(
            "was not sent: {reason}, and only addresses of the public internet may be called (unless the workers run \
             with SPIRAL_HTTP_ALLOW_PRIVATE=true)"
        );
        assert!(message.ends_with(&expected), "{host}: {message}");
    }
    // Whoever had connected would be waiting here by now.
    assert_eq!(listener.accept().unwrap_err().kind(), IoErrorKind::WouldBlock);
    caller.worker.stop().await;
}
