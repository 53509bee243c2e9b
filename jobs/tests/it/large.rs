//! Large inputs and a slow link: what goes through it in one piece is bounded, so that it arrives in time.

use std::time::Duration;

use jobs::job::Envelope;
use jobs::queue::{Queues, RedisSettings};
use jobs::worker::WorkerSettings;
use serde_json::json;

use crate::functions::Scripted;
use crate::support::slow_link::SlowLink;
use crate::support::{TestEnv, TestWorker, catalog_of, envelope, eventually};

const MEBIBYTE: usize = 1 << 20;

fn large(bytes: usize) -> Envelope {
    envelope("scripted", &json!({ "output": 1, "ballast": "x".repeat(bytes) }))
}

#[tokio::test(flavor = "multi_thread")]
async fn large_inputs_come_through_a_slow_link() {
    const JOBS: usize = 200;
    let env = TestEnv::alone().await;
    // All that one worker may run would take twice as long as an answer may.
    let link = SlowLink::to(&env.redis, 16 << 20).await;
    let mut watch = env.watch().await;
    for _ in 0..JOBS {
        env.push(&[large(MEBIBYTE)]).await;
    }
    let held = env.info("used_memory").await;
    let scripted = Scripted::default();
    let settings = WorkerSettings {
        concurrency: 100,
        redis: RedisSettings {
            url: link.url(),
            ..env.settings.redis.clone()
        },
        ..env.settings.clone()
    };
    let _worker = TestWorker::start(&catalog_of(scripted.clone()), settings);
    watch.until_finished(JOBS).await;
    assert_eq!(scripted.runs(), 200, "some ran twice");
    env.assert_clean().await;
    let peak = env.info("used_memory_peak").await;
    assert!(
        peak < held + (32 << 20),
        "Redis held {held} bytes, and {peak} at its peak"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn lanes_take_turns_also_when_their_jobs_are_large() {
    let env = TestEnv::new().await;
    let of_key = |key: &str, bytes| Envelope {
        fairness_key: Some(key.to_owned()),
        ..large(bytes)
    };
    for _ in 0..6 {
        env.push(&[of_key("a", MEBIBYTE), of_key("b", MEBIBYTE)]).await;
    }
    env.push(&[of_key("c", 10), of_key("c", 10), of_key("c", 10)])
        .await;
    let scripted = Scripted::gated();
    let mut watch = env.watch().await;
    let mut settings = env.settings.clone();
    settings.concurrency = 4;
    let _worker = TestWorker::start(&catalog_of(scripted.clone()), settings);
    eventually("four run", async || scripted.runs() == 4).await;
    let left = async |key: &str| -> u64 {
        let lane = env.key(&format!("waiting:5:{key}"));
        env.ask(&["LLEN", &lane]).await
    };
    // A turn each; one more of whoever was next.
    let (a, b, c) = (left("a").await, left("b").await, left("c").await);
    assert!(a < 6 && b < 6 && c < 3, "{a} {b} {c}");
    scripted.open(100);
    watch.until_finished(15).await;
    env.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bytes_of_a_queue_are_counted() {
    let env = TestEnv::new().await;
    assert_eq!(env.queues.bytes(&env.queue).await.unwrap(), Some(0));
    env.push(&(0..300).map(|_| large(10_000)).collect::<Vec<_>>())
        .await;
    let bytes = env.queues.bytes(&env.queue).await.unwrap().unwrap();
    assert!((3_000_000..6_000_000).contains(&bytes), "{bytes}");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_come_through_a_slow_link() {
    const ENTRIES: usize = 64;
    let env = TestEnv::alone().await;
    let link = SlowLink::to(&env.redis, 4 << 20).await;
    let settings = RedisSettings {
        url: link.url(),
        timeout: Duration::from_secs(1),
        ..env.settings.redis.clone()
    };
    let queues = Queues::connect(&settings).await.unwrap();
    // Entries of a megabyte: all that are read at once would take eight seconds.
    let line = "x".repeat(MEBIBYTE);
    for _ in 0..ENTRIES {
        let id = jobs::job::JobId::new();
        let reported = format!(r#"[["{id}",1,1,{{"l":[{{"n":1,"t":1,"s":"{line}"}}]}}]]"#);
        env.ask::<String>(&[
            "XADD",
            &env.key("events"),
            "*",
            "t",
            "reported",
            "w",
            "w",
            "d",
            &reported,
        ])
        .await;
    }
    let mut recorder = queues.recorder(std::slice::from_ref(&env.queue), "one");
    let mut read = 0;
    let all = async {
        while read < ENTRIES {
            match recorder.read(Duration::from_millis(200)).await {
                Ok(batches) => {
                    read += batches.len();
                    while let Err(error) = recorder.ack(&batches).await {
                        assert!(error.is_unavailable(), "{error:?}");
                    }
                }
                Err(error) => assert!(error.is_unavailable(), "{error:?}"),
            }
        }
    };
    tokio::time::timeout(Duration::from_mins(2), all).await.unwrap();
}
