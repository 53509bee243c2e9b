//! What a server gets.

use serde_json::json;

use super::Caller;
use crate::http_server::{HttpServer, answer};

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
