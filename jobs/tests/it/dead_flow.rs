//! Connections that are dead without a word, closed from outside, or lead to a server that does not serve any more.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jobs::job::QueueName;
use jobs::queue::{Queues, RedisSettings};
use jobs::worker::WorkerSettings;
use serde_json::json;

use crate::functions::Scripted;
use crate::support::nodes::ServerNode;
use crate::support::proxy::Proxy;
use crate::support::{TestEnv, TestWorker, Watch, catalog_of, envelope, eventually};

fn settings(url: String) -> WorkerSettings {
    WorkerSettings {
        redis: RedisSettings {
            url,
            timeout: Duration::from_secs(1),
            ..RedisSettings::default()
        },
        lease: Duration::from_secs(30),
        name: "test".to_owned(),
        ..WorkerSettings::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_that_died_in_silence_is_replaced() {
    let redis = ServerNode::start(&[], "");
    let proxy = Proxy::to(redis.port).await;
    let settings = settings(proxy.url());
    let queues = Queues::connect(&settings.redis).await.unwrap();
    let direct = RedisSettings {
        url: format!("redis://127.0.0.1:{}", redis.port),
        ..settings.redis.clone()
    };
    let direct = Queues::connect(&direct).await.unwrap();
    let queue = QueueName::standard();
    let mut watch = Watch::begin(&direct, std::slice::from_ref(&queue)).await;
    let mut tail = queues.tail(std::slice::from_ref(&queue), None);
    tail.begin().await.unwrap();
    let scripted = Scripted::default();
    let worker = TestWorker::start(&catalog_of(scripted.clone()), settings.clone());
    for round in 1..=2 {
        let job = || envelope("scripted", &json!({}));
        // All connections are in use when they die.
        queues.push(&queue, &[job()]).await.unwrap();
        watch.until_finished(round * 3 - 2).await;
        while tail.next(Duration::from_millis(200)).await.unwrap().is_empty() {}

        proxy.forget_connections();
        let died = Instant::now();
        direct.push(&queue, &[job()]).await.unwrap();
        // The first call finds out, and is not sent again. None of the others does.
        let first = queues.ping().await;
        assert!(
            first.is_err() || died.elapsed() > settings.redis.timeout,
            "{first:?}"
        );
        eventually("the next call goes through", async || {
            queues.push(&queue, &[job()]).await.is_ok()
        })
        .await;
        watch.until_finished(round * 3).await;
        while !tail
            .next(Duration::from_millis(200))
            .await
            .is_ok_and(|batches| !batches.is_empty())
        {
            assert!(died.elapsed() < Duration::from_mins(2), "the tail does not go on");
        }
        // Without replacement it takes for ever; with keepalive alone, minutes.
        assert!(died.elapsed() < Duration::from_secs(40), "{:?}", died.elapsed());
    }
    assert_eq!(scripted.runs(), 6);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_does_not_wait_when_all_connections_are_killed() {
    let env = TestEnv::alone().await;
    let scripted = Scripted::default();
    let worker = env.worker(&catalog_of(scripted.clone()));
    let mut watch = env.watch().await;
    env.push(&[envelope("scripted", &json!({}))]).await;
    watch.until_finished(1).await;
    let admin = apalis_redis::Client::open(env.redis.url()).unwrap();
    let mut waits = Vec::new();
    for round in 2..=6 {
        let mut admin = admin.get_multiplexed_async_connection().await.unwrap();
        let killed: u64 = redis::cmd("CLIENT")
            .arg(&["KILL", "TYPE", "normal", "SKIPME", "yes"])
            .query_async(&mut admin)
            .await
            .unwrap();
        assert!(killed > 2, "{killed} connections were killed");
        let begin = Instant::now();
        // Not one call that may run twice fails for it.
        env.push(&[envelope("scripted", &json!({}))]).await;
        watch.until_finished(round).await;
        waits.push(begin.elapsed());
    }
    // On a busy machine one may be late for another reason.
    let quick = waits
        .iter()
        .filter(|wait| **wait < Duration::from_secs(2))
        .count();
    assert!(quick >= 3, "{waits:?}");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_to_a_server_that_became_a_replica_is_replaced() {
    let before = ServerNode::start(&[], "");
    let after = ServerNode::start(&[], "");
    let proxy = Proxy::to(before.port).await;
    let settings = settings(proxy.url());
    let queues = Arc::new(Queues::connect(&settings.redis).await.unwrap());
    let queue = QueueName::standard();
    let scripted = Scripted::default();
    let worker = TestWorker::start(&catalog_of(scripted.clone()), settings.clone());
    let job = || envelope("scripted", &json!({}));
    queues.push(&queue, &[job()]).await.unwrap();
    eventually("it has run", async || scripted.runs() == 1).await;

    // As with a name in DNS that leads to the new master: the connections there are stay with the old one.
    proxy.lead_to(after.port);
    before.tell(&["REPLICAOF", "127.0.0.1", &after.port.to_string()]);
    eventually("a push arrives at the new master", async || {
        queues.push(&queue, &[job()]).await.is_ok()
    })
    .await;
    eventually("it runs", async || scripted.runs() >= 2).await;
    let known: u64 = after.ask(&["EXISTS", "spiral:{default}:events"]).unwrap();
    assert_eq!(known, 1);
    worker.stop().await;
}
