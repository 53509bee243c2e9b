//! `http_request` against real servers, as a worker runs it.

use std::io::ErrorKind as IoErrorKind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use jobs::catalog::{Catalog, FunctionSettings};
use jobs::functions::http_request::HttpRequestSettings;
use jobs::job::Envelope;
use jobs::queue::Cancelled;
use jobs::queue::events::{ErrorKind, Finished, Outcome};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::http_server::{HttpServer, Reply, answer, answer_bytes};
use crate::support::{TestEnv, TestWorker, Watch, envelope, eventually};

const BODY_MAX: u64 = 10_000;

/// A worker that may call this machine, unless a test says otherwise.
pub(crate) struct Caller {
    pub(crate) env: TestEnv,
    pub(crate) watch: Watch,
    worker: TestWorker,
}

/// What became of a call.
#[derive(Debug, PartialEq)]
pub(crate) enum Became {
    Output(Value),
    /// The wait until the next attempt, and why there is one.
    Retry(Duration, String),
    Dead(String),
}

impl Caller {
    async fn new() -> Self {
        Self::with(true).await
    }

    async fn with(allow_private: bool) -> Self {
        let env = TestEnv::new().await;
        let settings = FunctionSettings {
            http: HttpRequestSettings {
                allow_private,
                max_response_bytes: BODY_MAX,
            },
            ..FunctionSettings::default()
        };
        let catalog = Arc::new(Catalog::new(&settings).unwrap());
        Self {
            watch: env.watch().await,
            worker: env.worker(&catalog),
            env,
        }
    }

    async fn push(&self, input: &Value) -> Envelope {
        let job = envelope("http_request", input);
        self.env.push(std::slice::from_ref(&job)).await;
        job
    }

    /// Makes a call and waits until its first attempt has ended.
    async fn call(&mut self, input: Value) -> Became {
        let job = self.push(&input).await;
        let ended = |watch: &Watch| {
            let mut attempts = watch.finished().into_iter();
            attempts.find(|finished| finished.id == job.id).cloned()
        };
        self.watch
            .until(&format!("{input} has ended"), |watch| ended(watch).is_some())
            .await;
        became(&self.env, ended(&self.watch).unwrap()).await
    }
}

pub(crate) async fn became(env: &TestEnv, finished: Finished) -> Became {
    match finished.outcome {
        Outcome::Completed { .. } => {
            let output = env.queues.output(&env.queue, finished.id).await.unwrap().unwrap();
            Became::Output(serde_json::from_slice(&output).unwrap())
        }
        Outcome::Retrying { error, run_at, .. } => {
            assert_eq!(error.kind, ErrorKind::Error);
            let wait = run_at - finished.finished_at;
            Became::Retry(wait.to_std().unwrap_or_default(), error.message)
        }
        Outcome::Dead { error } => {
            assert_eq!(error.kind, ErrorKind::Error);
            Became::Dead(error.message)
        }
        Outcome::Cancelled => panic!("cancelled"),
    }
}

impl Became {
    fn output(self) -> Value {
        let Self::Output(output) = self else {
            panic!("no output: {self:?}");
        };
        output
    }

    fn retry(self) -> (Duration, String) {
        let Self::Retry(wait, message) = self else {
            panic!("no other attempt: {self:?}");
        };
        (wait, message)
    }

    fn dead(self) -> String {
        let Self::Dead(message) = self else {
            panic!("not dead: {self:?}");
        };
        message
    }
}

/// The policy's first wait is at most ten seconds; where these tests measure one that a server asks for, it is longer.
const FIRST_BACKOFF: Duration = Duration::from_secs(10);

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
async fn the_server_gets_what_the_caller_says() {
    let mut caller = Caller::new().await;
    let server = HttpServer::start(|_, _| answer("200 OK", &[], "")).await;
    let input = json!({
        "url": server.url("/hook?a=1"), "method": "PUT", "body": { "b": [1, 2.5, "ü"] },
        "headers": { "X-Signature": "abc", "Authorization": "Bearer t" },
    });
    caller.call(input).await.output();
    caller
        .call(json!({ "url": server.url("/plain"), "method": "POST", "body": "as it is" }))
        .await
        .output();
    caller.call(json!({ "url": server.url("/get") })).await.output();

    let asked = server.asked();
    let put = &asked[0];
    assert_eq!(
        (put.what.as_str(), put.body.as_str()),
        ("PUT /hook?a=1", "{\"b\":[1,2.5,\"ü\"]}")
    );
    assert_eq!(put.header("content-type"), "application/json");
    assert_eq!(put.header("x-signature"), "abc");
    assert_eq!(put.header("authorization"), "Bearer t");
    assert_eq!(put.header("host"), server.address.to_string());
    assert!(put.header("user-agent").starts_with("spiral/"));
    let post = &asked[1];
    assert_eq!(
        (post.header("content-type"), post.body.as_str()),
        ("text/plain; charset=utf-8", "as it is")
    );
    let get = &asked[2];
    assert_eq!(
        (get.header("content-type"), get.header("content-length")),
        ("", "")
    );
    assert_eq!(get.header("idempotency-key"), "");
    caller.worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_attempt_of_a_job_carries_the_same_key() {
    let mut caller = Caller::new().await;
    let server = HttpServer::start(|_, before| match before {
        0 => answer("503 Busy", &[("Retry-After", "1")], ""),
        _ => answer("200 OK", &[], ""),
    })
    .await;
    let job = caller
        .push(&json!({ "url": server.url("/"), "method": "POST" }))
        .await;
    caller.watch.until_finished(2).await;
    assert_eq!(
        caller.watch.story(job.id),
        ["queued", "retrying", "promoted", "completed"]
    );
    let keys: Vec<_> = server
        .asked()
        .iter()
        .map(|asked| asked.header("idempotency-key").to_owned())
        .collect();
    assert_eq!(keys, [job.id.to_string(), job.id.to_string()]);
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
    for (host, told) in [
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
            "was not sent: {told}, and only addresses of the public internet may be called (unless the workers run \
             with SPIRAL_HTTP_ALLOW_PRIVATE=true)"
        );
        assert!(message.ends_with(&expected), "{host}: {message}");
    }
    // Whoever had connected would be waiting here by now.
    assert_eq!(listener.accept().unwrap_err().kind(), IoErrorKind::WouldBlock);
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
async fn a_call_that_is_called_off_hangs_up() {
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
