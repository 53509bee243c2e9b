//! Who pushes for an API promises the limits of the queue: nothing is handed out before they are there.

use std::time::Duration;

use jobs::queue::Limits;
use serde_json::json;

use crate::functions::Scripted;
use crate::support::monitor::Monitor;
use crate::support::{TestEnv, catalog_of, envelope, eventually};

/// Scripts that were called, those of heartbeats and all.
fn scripts(monitor: &Monitor) -> usize {
    let calls = monitor.calls();
    calls
        .iter()
        .filter(|call| call.words[0].starts_with("EVAL"))
        .count()
}

async fn push_before(env: &TestEnv, count: usize) {
    let deadline = env
        .queues
        .deadline(&env.queue, Duration::from_mins(1))
        .await
        .unwrap();
    let jobs: Vec<_> = (0..count).map(|_| envelope("scripted", &json!({}))).collect();
    let pushed = env.queues.push_before(deadline, &env.queue, &jobs).await.unwrap();
    assert_eq!(pushed.pushed, count);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_redis_hands_out_nothing_before_its_limits_are_there() {
    let env = TestEnv::alone().await;
    let scripted = Scripted::gated();
    let mut watch = env.watch().await;
    let _worker = env.worker(&catalog_of(scripted.clone()));
    env.queues
        .set_limits(&env.queue, &Limits::default())
        .await
        .unwrap();
    push_before(&env, 1).await;
    scripted.open(1);
    watch.until_finished(1).await;

    env.ask::<()>(&["FLUSHALL"]).await;
    assert_eq!(env.queues.limits_if_set(&env.queue).await.unwrap(), None);
    push_before(&env, 5).await;
    let monitor = Monitor::begin(&env.redis);
    eventually("the worker has asked many times", async || scripts(&monitor) > 8).await;
    assert_eq!(scripted.runs(), 1, "it ran without limits");

    let two = Limits {
        concurrency: Some(2),
        ..Limits::default()
    };
    env.queues.set_limits(&env.queue, &two).await.unwrap();
    assert_eq!(env.queues.limits_if_set(&env.queue).await.unwrap(), Some(two));
    eventually("as many run as may", async || scripted.runs() == 3).await;
    assert_eq!(env.queues.depth(&env.queue).await.unwrap().running, 2);
    scripted.open(10);
    eventually("all have run", async || scripted.runs() == 6).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_do_not_wait_for_ever_for_limits_that_nobody_sets() {
    let env = TestEnv::new().await;
    push_before(&env, 1).await;
    let awaited: i64 = env.ask(&["HGET", &env.key("counts"), "limits_awaited"]).await;
    // As after a minute in which only an API of the release before was there: it sets limits when there are some.
    let long_ago = (awaited - 60_000).to_string();
    env.ask::<u64>(&["HSET", &env.key("counts"), "limits_awaited", &long_ago])
        .await;
    let scripted = Scripted::default();
    let _worker = env.worker(&catalog_of(scripted.clone()));
    eventually("it runs", async || scripted.runs() == 1).await;
    push_before(&env, 1).await;
    eventually("and so does the next one", async || scripted.runs() == 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_that_an_earlier_release_has_set_are_limits() {
    let env = TestEnv::new().await;
    push_before(&env, 2).await;
    // As its script does it: it knows nothing of the promise.
    env.ask::<u64>(&["HSET", &env.key("limits"), "concurrency", "1"])
        .await;
    let scripted = Scripted::gated();
    let _worker = env.worker(&catalog_of(scripted.clone()));
    eventually("one runs", async || scripted.runs() == 1).await;
    let one = Limits {
        concurrency: Some(1),
        ..Limits::default()
    };
    assert_eq!(env.queues.limits_if_set(&env.queue).await.unwrap(), Some(one));
}
