//! What a server answers, and what becomes of the job.

use std::io::Write;

use chrono::{DateTime, Utc};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use super::{Caller, FIRST_BACKOFF};
use crate::http_server::{HttpServer, Reply, answer};
use crate::support::eventually;

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_the_output() {
    let mut caller = Caller::new().await;
    let server = HttpServer::start(|asked, _| match asked.what.as_str() {
        "GET /json" => answer(
            "200 OK",
            &[("Content-Type", "application/json"), ("X-One", "1")],
            "{\"id\": 7}",
        ),
        "GET /text?a=b" => answer("203 Whatever", &[("content-type", "text/plain")], "grüß dich"),
        "GET /bytes" => answer("200 OK", &[], [0xff, 0xfe]),
        "HEAD /json" => Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 999999\r\n\r\n".to_vec()),
        _ => answer("204 No Content", &[], ""),
    })
    .await;
    let output = caller.call(json!({ "url": server.url("/json") })).await.output();
    assert_eq!(
        output,
        json!({
            "status": 200, "url": server.url("/json"), "body": { "id": 7 }, "body_encoding": "json",
            "headers": { "connection": "close", "content-length": "9", "content-type": "application/json", "x-one": "1" },
        })
    );
    let output = caller
        .call(json!({ "url": server.url("/text?a=b#c") }))
        .await
        .output();
    assert_eq!(
        (&output["status"], &output["body"]),
        (&json!(203), &json!("grüß dich"))
    );
    assert_eq!(output["body_encoding"], "text");
    let output = caller.call(json!({ "url": server.url("/bytes") })).await.output();
    assert_eq!(
        (&output["body"], &output["body_encoding"]),
        (&json!("//4="), &json!("base64"))
    );
    let output = caller
        .call(json!({ "url": server.url("/json"), "method": "HEAD" }))
        .await
        .output();
    assert_eq!(
        (&output["body"], &output["headers"]["content-length"]),
        (&json!(""), &json!("999999"))
    );
    let output = caller
        .call(json!({ "url": server.url("/"), "method": "OPTIONS" }))
        .await
        .output();
    assert_eq!((&output["status"], &output["body"]), (&json!(204), &json!("")));
    caller.env.assert_clean().await;
    caller.worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_that_may_pass_is_tried_again_as_the_server_asks() {
    let mut caller = Caller::new().await;
    let server = HttpServer::start(|asked, _| {
        let date = |seconds: i64| {
            let time: DateTime<Utc> = Utc::now() + chrono::Duration::seconds(seconds);
            time.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
        };
        let (status, retry_after) = match asked.what.as_str() {
            "GET /busy" => ("429 Too Many Requests", "100".to_owned()),
            "GET /down" => ("503 Service Unavailable", date(200)),
            "GET /long" => ("500 Internal Server Error", "86400".to_owned()),
            "GET /past" => ("502 Bad Gateway", date(-200)),
            "GET /junk" => ("408 Request Timeout", "soon".to_owned()),
            _ => ("425 Too Early", "0".to_owned()),
        };
        answer(status, &[("Retry-After", &retry_after)], "not\r\n  now\u{0}")
    })
    .await;
    // The wait runs from before the finish is noted, and dates have whole seconds.
    for (path, status, wait) in [
        ("/busy", "429 Too Many Requests", 98..=100),
        ("/down", "503 Service Unavailable", 196..=200),
        ("/long", "500 Internal Server Error", 3_598..=3_600),
        ("/past", "502 Bad Gateway", 0..=FIRST_BACKOFF.as_secs()),
        ("/junk", "408 Request Timeout", 0..=FIRST_BACKOFF.as_secs()),
        ("/early", "425 Too Early", 0..=FIRST_BACKOFF.as_secs()),
    ] {
        for fail_on_status in [true, false] {
            let input = json!({ "url": server.url(path), "fail_on_status": fail_on_status });
            let (waits, message) = caller.call(input).await.retry();
            assert!(wait.contains(&waits.as_secs()), "{path}: {waits:?}");
            assert_eq!(
                message,
                format!("GET {} answered {status}: not now", server.url(path))
            );
        }
    }
    caller.worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_ends_the_job_unless_it_is_wanted_as_an_answer() {
    let mut caller = Caller::new().await;
    let server = HttpServer::start(|_, _| {
        answer(
            "422 Unprocessable Entity",
            &[("content-type", "application/json")],
            "{\"field\": \"age\"}",
        )
    })
    .await;
    let message = caller
        .call(json!({ "url": server.url("/?token=t"), "method": "POST" }))
        .await
        .dead();
    let expected = format!(
        "POST {} answered 422 Unprocessable Entity (not tried again; with fail_on_status false such an answer is an \
         output): {{\"field\": \"age\"}}",
        server.url("/")
    );
    assert_eq!(message, expected);
    let input = json!({ "url": server.url("/"), "fail_on_status": false });
    let output = caller.call(input).await.output();
    assert_eq!(
        (&output["status"], &output["body"]["field"]),
        (&json!(422), &json!("age"))
    );
    caller.worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_too_large_ends_the_job_and_is_not_read_to_its_end() {
    let mut caller = Caller::new().await;
    let server = HttpServer::start(|asked, _| match asked.what.as_str() {
        "GET /most" => answer("200 OK", &[], "x".repeat(10_000)),
        "GET /said" => Reply::Hang(b"HTTP/1.1 200 OK\r\ncontent-length: 10001\r\n\r\n".to_vec()),
        "GET /failing" => {
            Reply::Endless(b"HTTP/1.1 500 Oh\r\ntransfer-encoding: chunked\r\n\r\n3\r\nno \r\n".to_vec())
        }
        _ => Reply::Endless(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec()),
    })
    .await;
    let output = caller.call(json!({ "url": server.url("/most") })).await.output();
    assert_eq!(output["body"].as_str().unwrap().len(), 10_000);
    for path in ["/said", "/endless"] {
        let message = caller.call(json!({ "url": server.url(path) })).await.dead();
        let expected = format!(
            "the answer to GET {} is larger than 10000 bytes: ask for less of it, or raise \
             SPIRAL_HTTP_MAX_RESPONSE_BYTES on the workers",
            server.url(path)
        );
        assert_eq!(message, expected);
    }
    // An error is an error, however much is said of it.
    let (_, message) = caller
        .call(json!({ "url": server.url("/failing") }))
        .await
        .retry();
    let begin = format!(
        "GET {} answered 500 Internal Server Error: no xxx",
        server.url("/failing")
    );
    assert!(
        message.starts_with(&begin) && message.len() < begin.len() + 600,
        "{message}"
    );
    eventually("all three connections are closed", || async {
        server.gone() == 3
    })
    .await;
    // What the sockets' buffers took, and not more.
    assert!(server.sent() < 64 << 20, "{} bytes were taken", server.sent());
    caller.worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_is_a_text_whatever_its_charset_and_compression() {
    let mut caller = Caller::new().await;
    let server = HttpServer::start(|asked, _| {
        let gzip = |bytes: &[u8]| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        };
        let packed = ("content-encoding", "gzip");
        let latin1 = ("content-type", "text/plain; charset=latin1");
        let json = ("content-type", "application/json");
        match asked.what.as_str() {
            "GET /latin1" => answer("200 OK", &[latin1], b"gr\xfc\xdfe"),
            "GET /both" => answer("200 OK", &[latin1, packed], gzip(b"gr\xfc\xdfe")),
            "GET /json" => answer("200 OK", &[json, packed], gzip(b"{\"id\": 12345678901234567890}")),
            "GET /failing" => answer("404 Not Found", &[packed], gzip(b"nobody is here")),
            // A hundred megabytes in less than the ten kilobytes that an answer may have: two layers.
            "GET /bomb" => answer(
                "200 OK",
                &[("content-encoding", "gzip, gzip")],
                gzip(&gzip(&vec![b' '; 100 << 20])),
            ),
            _ => answer("200 OK", &[packed], b"no gzip at all"),
        }
    })
    .await;
    let body = async |caller: &mut Caller, path: &str| {
        let output = caller.call(json!({ "url": server.url(path) })).await.output();
        (output["body"].clone(), output["body_encoding"].clone())
    };
    assert_eq!(
        body(&mut caller, "/latin1").await,
        (json!("grüße"), json!("text"))
    );
    assert_eq!(body(&mut caller, "/both").await, (json!("grüße"), json!("text")));
    let (id, encoding) = body(&mut caller, "/json").await;
    assert_eq!(
        (&id["id"], encoding),
        (&json!(12_345_678_901_234_567_890_u64), json!("json"))
    );
    assert_eq!(body(&mut caller, "/damaged").await.1, "base64");
    let message = caller.call(json!({ "url": server.url("/failing") })).await.dead();
    assert!(message.ends_with(": nobody is here"), "{message}");
    let message = caller.call(json!({ "url": server.url("/bomb") })).await.dead();
    assert!(message.contains("is larger than 10000 bytes"), "{message}");
    caller.worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_output_tells_that_a_redirect_made_a_get_of_a_post() {
    let mut caller = Caller::new().await;
    let server = HttpServer::start(|asked, _| match asked.what.as_str() {
        "POST /moved" => answer("301 Moved Permanently", &[("location", "/end")], ""),
        "POST /kept" => answer("308 Permanent Redirect", &[("location", "/end")], ""),
        _ => answer("200 OK", &[], ""),
    })
    .await;
    for (path, status, method) in [("/moved", 301, "GET"), ("/kept", 308, "POST")] {
        let input = json!({ "url": server.url(path), "method": "POST", "body": { "n": 1 } });
        let output = caller.call(input).await.output();
        let redirect = json!({ "status": status, "method": method, "url": server.url("/end") });
        assert_eq!(output["redirects"], json!([redirect]));
    }
    let output = caller.call(json!({ "url": server.url("/end") })).await.output();
    assert_eq!(output.get("redirects"), None);
    caller.worker.stop().await;
}
