//! One bad thing among good ones: it ends, or is set aside, and its neighbours go on.

use std::time::Duration;

use jobs::error::Error;
use jobs::job::{Envelope, JobId, JobState};
use jobs::queue::events::{ErrorKind, JobEvent, Outcome};
use serde_json::json;

use crate::functions::Scripted;
use crate::support::{TestEnv, catalog_of, envelope, eventually, standard_catalog};

fn jobs(count: usize) -> Vec<Envelope> {
    (0..count).map(|_| envelope("scripted", &json!({}))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_cannot_be_read_does_not_keep_others_from_being_fetched() {
    let env = TestEnv::new().await;
    let mut watch = env.watch().await;
    let some = jobs(4);
    env.push(&some).await;
    for id in ["no-id", "\u{e9}"] {
        env.ask::<u64>(&["LPUSH", &env.key("waiting:5:"), id]).await;
        env.ask::<u64>(&["HSET", &env.key("jobs"), id, "{}"]).await;
    }
    // Nor does an attempt that is none.
    let last = some[3].id.to_string();
    env.ask::<u64>(&["HSET", &env.key("attempts"), &last, "many"])
        .await;
    let worker = env.worker(&catalog_of(Scripted::default()));
    watch.until_finished(4).await;
    eventually("they are gone", async || {
        env.queues.depth(&env.queue).await.unwrap().running == 0
    })
    .await;
    env.ask::<u64>(&["HDEL", &env.key("attempts"), &last]).await;
    env.assert_clean().await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_cannot_be_read_does_not_keep_a_lease_from_being_renewed() {
    let env = TestEnv::new().await;
    let mut watch = env.watch().await;
    let scripted = Scripted::gated();
    let worker = env.worker(&catalog_of(scripted.clone()));
    env.push(&jobs(3)).await;
    eventually("they run", async || scripted.runs() == 3).await;
    let names: Vec<String> = env.ask(&["ZRANGE", &env.key("workers"), "0", "-1"]).await;
    let running = env.key(&format!("running:{}", names[0]));
    env.ask::<u64>(&["HSET", &running, "no-id", "1"]).await;
    // What the worker knows nothing of is given back, as ever, beside it.
    let lost = jobs(1).remove(0);
    let text = serde_json::to_string(&lost).unwrap();
    env.ask::<u64>(&["HSET", &env.key("jobs"), &lost.id.to_string(), &text])
        .await;
    env.ask::<u64>(&["HSET", &running, &lost.id.to_string(), "1"])
        .await;
    scripted.open(10);
    watch.until_finished(4).await;
    eventually("it is gone", async || {
        let there: bool = env.ask(&["HEXISTS", &running, "no-id"]).await;
        !there
    })
    .await;
    env.assert_clean().await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_redis_refuses_to_end_is_dead_and_its_neighbours_end() {
    let env = TestEnv::new().await;
    let mut watch = env.watch().await;
    let scripted = Scripted::gated();
    let worker = env.worker(&catalog_of(scripted.clone()));
    let mut some = jobs(12);
    some[5] = envelope("scripted", &json!({ "output": "kept" }));
    // Where outputs are to be kept is something else, now and for the next hours.
    let now = env.queues.now(&env.queue).await.unwrap().timestamp_millis();
    let bucket = now / (24 * 3_600_000 / 24);
    for bucket in [bucket, bucket + 1] {
        env.ask::<()>(&["SET", &env.key(&format!("outputs:{bucket}")), "in the way"])
            .await;
    }
    env.push(&some).await;
    eventually("they run", async || scripted.runs() == 12).await;
    scripted.open(12);
    watch.until_finished(12).await;
    for ended in watch.finished() {
        if ended.id == some[5].id {
            let Outcome::Dead { error } = &ended.outcome else {
                panic!("{ended:?}")
            };
            assert_eq!(error.kind, ErrorKind::Error);
            assert!(error.message.contains("WRONGTYPE"), "{}", error.message);
        } else {
            assert_eq!(ended.outcome.state(), JobState::Completed);
        }
    }
    env.assert_clean().await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_the_memo_refuses_are_kept_for_their_jobs() {
    let env = TestEnv::new().await;
    let mut watch = env.watch().await;
    env.ask::<()>(&["SET", &env.key("memo:fibonacci:large"), "in the way"])
        .await;
    let worker = env.worker(&standard_catalog());
    let job = envelope("fibonacci", &json!({ "index": 100_000 }));
    env.push(&[job.clone(), envelope("echo", &json!("x"))]).await;
    watch.until_finished(2).await;
    assert!(
        watch
            .finished()
            .iter()
            .all(|ended| ended.outcome.state() == JobState::Completed)
    );
    let output = env.queues.output(&env.queue, job.id).await.unwrap().unwrap();
    assert!(output.len() > 20_000, "{}", output.len());
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_envelope_that_is_no_object_does_not_keep_the_others_from_being_recovered() {
    let env = TestEnv::new().await;
    let mut watch = env.watch().await;
    let first = Scripted::gated();
    let vanishing = env.worker(&catalog_of(first.clone()));
    let some = jobs(6);
    env.push(&some).await;
    eventually("they run", async || first.runs() == 6).await;
    for (job, text) in some
        .iter()
        .zip(["5", "null", "\"text\"", r#"{"function":"two words"}"#])
    {
        env.ask::<u64>(&["HSET", &env.key("jobs"), &job.id.to_string(), text])
            .await;
    }
    vanishing.run.abort();
    drop(vanishing.run.await);
    let worker = env.worker(&catalog_of(Scripted::default()));
    watch.until_finished(6).await;
    let dead: Vec<JobId> = watch
        .finished()
        .iter()
        .filter(|ended| ended.outcome.state() == JobState::Dead)
        .map(|ended| ended.id)
        .collect();
    assert_eq!(dead.len(), 4, "{:?}", watch.finished());
    assert!(some[..4].iter().all(|job| dead.contains(&job.id)));
    env.assert_clean().await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_job_of_an_event_that_cannot_be_read_does_not_hide_the_others() {
    let env = TestEnv::new().await;
    let (one, two) = (JobId::new(), JobId::new());
    let ended = |id: &str| format!(r#"["{id}",1,"f",1700000000000,1700000000005,{{"c":"55"}},null]"#);
    let finished = format!(
        "[{},{},{}]",
        ended(&one.to_string()),
        ended("?"),
        ended(&two.to_string())
    );
    let entries = [
        ("finished", finished),
        ("cancelled", format!("{one}:0:f x:0:f {two}:many:f {two}:0:f")),
        ("promoted", format!("{one} ? {two}")),
    ];
    for (kind, data) in &entries {
        env.ask::<String>(&["XADD", &env.key("events"), "*", "t", kind, "w", "w", "d", data])
            .await;
    }
    let mut recorder = env.queues.recorder(std::slice::from_ref(&env.queue), "one");
    let batches = recorder.read(Duration::from_millis(200)).await.unwrap();
    let read: Vec<usize> = batches.iter().map(|batch| batch.events.len()).collect();
    assert_eq!(read, [2, 2, 2], "{batches:?}");
    assert!(matches!(&batches[0].events[1], JobEvent::Finished(ended) if ended.id == two));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_cannot_be_shown_does_not_hide_the_others() {
    let env = TestEnv::new().await;
    for (key, value) in [("1", "1"), ("2", "{"), ("10", "55")] {
        env.ask::<u64>(&["HSET", &env.key("memo:fibonacci"), key, value])
            .await;
    }
    let shown: Result<Vec<_>, Error> = env.queues.memo_list(&env.queue, "fibonacci", 10).await;
    let mut keys: Vec<String> = shown.unwrap().into_iter().map(|(key, _)| key).collect();
    keys.sort();
    assert_eq!(keys, ["1", "10"]);
}
