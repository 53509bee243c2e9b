//! A Redis whose memory is full: nothing comes in, and all that is there goes on until there is room again.

use std::sync::Arc;
use std::time::Duration;

use jobs::catalog::{Catalog, FunctionSettings};
use jobs::context::JobContext;
use jobs::function::{Function, JobError};
use jobs::job::Envelope;
use jobs::queue::events::{JobEvent, Outcome};
use serde_json::json;

use crate::functions::Scripted;
use crate::support::{TestEnv, catalog_of, envelope, eventually};

/// As much as Redis holds now, and so many bytes more.
async fn limit_memory(env: &TestEnv, more: u64) {
    let most = env.info("used_memory").await + more;
    env.ask::<()>(&["CONFIG", "SET", "maxmemory", &most.to_string()])
        .await;
}

async fn fill(env: &TestEnv, name: &str) {
    let value = "x".repeat(64 << 10);
    let mut raw = env.raw().await;
    for number in 0.. {
        let mut set = redis::cmd("SET");
        set.arg(format!("{name}-{number}")).arg(&value);
        if let Err(error) = set.query_async::<()>(&mut raw).await {
            assert_eq!(error.code(), Some("OOM"));
            return;
        }
    }
}

/// One that is not to be run twice, with an input of so many bytes.
fn once(output: &serde_json::Value, bytes: usize) -> Envelope {
    let input = json!({ "output": output, "ballast": "x".repeat(bytes) });
    Envelope {
        max_attempts: 1,
        ..envelope("scripted", &input)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_redis_ends_what_it_has_and_loses_nothing() {
    let env = TestEnv::alone().await;
    let mut watch = env.watch().await;
    let (first, second) = (Scripted::gated(), Scripted::gated());
    let _workers = [
        env.worker(&catalog_of(first.clone())),
        env.worker(&catalog_of(second.clone())),
    ];
    limit_memory(&env, 12 << 20).await;
    let mut pushed = 0;
    let error = loop {
        match env.queues.push(&env.queue, &[once(&json!(1), 64 << 10)]).await {
            Ok(_) => pushed += 1,
            Err(error) => break error,
        }
    };
    assert!(error.is_full() && error.is_unavailable(), "{error:?}");
    // Well over it: a few bytes more or less of somebody's buffers do not matter.
    let most = env.info("used_memory").await - (1 << 20);
    env.ask::<()>(&["CONFIG", "SET", "maxmemory", &most.to_string()])
        .await;
    assert!(!env.queues.has_room(&env.queue).await.unwrap());
    assert!(pushed > 100, "{pushed}");
    eventually("both have all that they may run", async || {
        first.runs() == 20 && second.runs() == 20
    })
    .await;

    // What keeps a worker alive has to go through: by now both leases would be over twice.
    let now = env.queues.now(&env.queue).await.unwrap().timestamp_millis();
    let after = (now + 5_000).to_string();
    eventually("both have renewed their leases, or lost them", async || {
        let renewed: u64 = env.ask(&["ZCOUNT", &env.key("workers"), &after, "+inf"]).await;
        let lost: Vec<String> = lost(&env).await;
        renewed == 2 || !lost.is_empty()
    })
    .await;
    first.open(pushed);
    second.open(pushed);
    watch.until_finished(pushed).await;
    let ended = watch.finished();
    assert!(
        ended
            .iter()
            .all(|ended| ended.attempt == 1 && matches!(ended.outcome, Outcome::Completed { .. })),
        "{ended:?}"
    );
    assert!(
        !watch
            .events()
            .any(|event| matches!(event, JobEvent::Returned { .. }))
    );
    assert_eq!(first.runs() + second.runs(), u32::try_from(pushed).unwrap());
    env.assert_clean().await;
    eventually("there is room again", async || {
        env.queues.has_room(&env.queue).await.unwrap()
    })
    .await;
    env.push(&[once(&json!(1), 10)]).await;
}

/// The types of events that tell of a worker that was taken for dead.
async fn lost(env: &TestEnv) -> Vec<String> {
    let entries: redis::streams::StreamRangeReply = env.ask(&["XRANGE", &env.key("events"), "-", "+"]).await;
    let types = entries.ids.iter().filter_map(|entry| entry.get::<String>("t"));
    types
        .filter(|name| name == "crashed" || name == "returned")
        .collect()
}

/// An output that cannot be packed well, of so many bytes.
struct Noise;

impl Function for Noise {
    const NAME: &'static str = "noise";
    const DESCRIPTION: &'static str = "Returns what nobody can shorten.";
    type Input = u32;
    type Output = String;

    async fn run(&self, _context: JobContext, length: u32) -> Result<String, JobError> {
        let letters = (0..length).map(|_| char::from(rand::random_range(b'a'..=b'z')));
        Ok(letters.collect())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_outputs_wait_for_room_and_hold_up_nobody() {
    let env = TestEnv::alone().await;
    let mut watch = env.watch().await;
    let scripted = Scripted::gated();
    let catalog = Catalog::new(&FunctionSettings::default()).unwrap();
    let catalog = catalog.with(scripted.clone()).unwrap().with(Noise).unwrap();
    let _worker = env.worker(&Arc::new(catalog));
    let large = envelope("noise", &json!(200_000));
    let remembered = envelope("fibonacci", &json!({ "index": 300_000 }));
    let short = envelope("fibonacci", &json!({ "index": 10 }));
    let small: Vec<Envelope> = (0..50).map(|number| once(&json!(number), 0)).collect();
    env.push(&small).await;
    eventually("some run", async || scripted.runs() > 0).await;
    env.push(&[large.clone(), remembered.clone(), short.clone()])
        .await;
    limit_memory(&env, 64 << 10).await;
    fill(&env, "filling").await;
    scripted.open(small.len());

    watch.until_finished(small.len() + 1).await;
    let ended: Vec<_> = watch.finished().iter().map(|ended| ended.id).collect();
    assert!(ended.contains(&short.id) && !ended.contains(&large.id) && !ended.contains(&remembered.id));
    assert_eq!(env.queues.depth(&env.queue).await.unwrap().running, 2);

    env.ask::<()>(&["CONFIG", "SET", "maxmemory", "0"]).await;
    watch.until_finished(small.len() + 3).await;
    let whole = env.queues.output(&env.queue, large.id).await.unwrap().unwrap();
    assert_eq!(whole.len(), 200_002);
    let whole = env
        .queues
        .memo(&env.queue, "fibonacci", "300000")
        .await
        .unwrap()
        .unwrap();
    assert!(whole.len() > 60_000, "{}", whole.len());
    env.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_records_begins_also_when_redis_is_full() {
    let env = TestEnv::alone().await;
    let queues = std::slice::from_ref(&env.queue);
    limit_memory(&env, 64 << 10).await;
    fill(&env, "filling").await;
    let before = env.queues.instance(queues).await.unwrap();
    assert_eq!(env.queues.instance(queues).await.unwrap(), before);
    let mut recorder = env.queues.recorder(queues, "one");
    assert!(recorder.read(Duration::from_millis(10)).await.unwrap().is_empty());
    // The event of a cancellation is taken; that of a new job is not.
    let job = envelope("scripted", &json!({}));
    let cancelled = [(job.id, 0, "scripted")];
    env.queues
        .announce_cancelled(&env.queue, &cancelled)
        .await
        .unwrap();
    assert!(
        env.queues
            .announce(&env.queue, &[job])
            .await
            .unwrap_err()
            .is_full()
    );
    let batches = recorder.read(Duration::from_secs(2)).await.unwrap();
    assert_eq!(batches.len(), 1);
    recorder.ack(&batches).await.unwrap();
}
