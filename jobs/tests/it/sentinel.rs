//! The engine on a master that a real Sentinel watches, and its failover.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use jobs::job::{JobId, QueueName};
use jobs::queue::events::JobEvent;
use jobs::queue::{Queues, RedisSettings};
use jobs::worker::WorkerSettings;
use serde_json::json;

use crate::functions::Scripted;
use crate::support::nodes::{PASSWORD, PASSWORD_IN_URL, ServerNode};
use crate::support::{TestWorker, Watch, catalog_of, envelope, eventually};

const SENTINEL_PASSWORD: &str = "another";

struct SentinelEnv {
    master: ServerNode,
    replica: ServerNode,
    sentinel: ServerNode,
    settings: WorkerSettings,
}

impl SentinelEnv {
    async fn new() -> Self {
        let master = ServerNode::start(&["--repl-diskless-sync-delay", "0"], PASSWORD);
        let port = master.port.to_string();
        let replica = ServerNode::start(&["--replicaof", "127.0.0.1", &port], PASSWORD);
        eventually("the replica is up to date", async || {
            replica.says(&["INFO", "replication"], "master_link_status:up")
        })
        .await;
        let configuration = format!(
            "sentinel monitor main 127.0.0.1 {port} 1\n\
             sentinel auth-pass main {PASSWORD}\n\
             sentinel down-after-milliseconds main 3000\n\
             sentinel failover-timeout main 5000\n\
             requirepass {SENTINEL_PASSWORD}\n"
        );
        let sentinel = ServerNode::start_sentinel(&configuration, SENTINEL_PASSWORD);
        // Quicker than in earnest, and not taken aback by a machine that is busy. Where Redis has no such settings it
        // takes longer.
        for (setting, milliseconds) in [
            ("info-period", "500"),
            ("publish-period", "250"),
            ("tilt-trigger", "20000"),
            ("tilt-period", "1000"),
        ] {
            let set: redis::RedisResult<String> = sentinel.ask(&["SENTINEL", "DEBUG", setting, milliseconds]);
            drop(set);
        }
        eventually("the sentinel knows the replica", async || {
            let replicas: Vec<redis::Value> = sentinel.ask(&["SENTINEL", "REPLICAS", "main"]).unwrap();
            replicas.len() == 1
        })
        .await;
        // The first sentinel of the list is away.
        let url = format!(
            "redis-sentinel://:{PASSWORD_IN_URL}@127.0.0.1:1,127.0.0.1:{}/main?sentinel_password={SENTINEL_PASSWORD}",
            sentinel.port
        );
        let settings = WorkerSettings {
            redis: RedisSettings {
                url,
                timeout: Duration::from_secs(2),
                ..RedisSettings::default()
            },
            concurrency: 20,
            lease: Duration::from_secs(2),
            grace: Duration::from_secs(5),
            name: "test".to_owned(),
            ..WorkerSettings::default()
        };
        Self {
            master,
            replica,
            sentinel,
            settings,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_follow_the_master_that_the_sentinels_chose() {
    let env = SentinelEnv::new().await;
    let queues = Queues::connect(&env.settings.redis).await.unwrap();
    let name = QueueName::standard();
    let names = std::slice::from_ref(&name);
    queues.ping().await.unwrap();
    let gated = Scripted::gated();
    let worker = TestWorker::start(&catalog_of(gated.clone()), env.settings.clone());
    let mut watch = Watch::begin(&queues, names).await;
    let mut recorder = queues.recorder(names, "a");
    let accepted: Vec<_> = (0..60).map(|_| envelope("scripted", &json!({}))).collect();
    queues.push(&name, &accepted).await.unwrap();
    eventually("some run", async || gated.runs() == 20).await;
    eventually("the replica has it all", async || {
        let waiting: usize = env.replica.ask(&["LLEN", "spiral:{default}:waiting:5:"]).unwrap();
        let jobs: usize = env.replica.ask(&["HLEN", "spiral:{default}:jobs"]).unwrap();
        (waiting, jobs) == (40, 60)
    })
    .await;

    env.master.kill();
    let error = queues.push(&name, &accepted).await.unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
    gated.open(1_000);
    let later: Vec<_> = (0..10).map(|_| envelope("scripted", &json!({}))).collect();
    eventually("the replica is master", async || {
        queues.push(&name, &later).await.is_ok()
    })
    .await;
    let all: BTreeSet<JobId> = accepted.iter().chain(&later).map(|job| job.id).collect();
    let mut ended = BTreeSet::new();
    let deadline = Instant::now() + Duration::from_mins(2);
    while ended != all {
        assert!(
            Instant::now() < deadline,
            "{} of {} ended",
            ended.len(),
            all.len()
        );
        let Ok(batches) = recorder.read(Duration::from_millis(200)).await else {
            continue;
        };
        for event in batches.iter().flat_map(|batch| &batch.events) {
            if let JobEvent::Finished(end) = event {
                ended.insert(end.id);
            }
        }
        recorder.ack(&batches).await.unwrap();
    }
    watch
        .until("the follower saw it too", |watch| {
            let seen: BTreeSet<JobId> = watch.finished().iter().map(|end| end.id).collect();
            seen.is_superset(&all)
        })
        .await;

    // The old master comes back as a replica, and is made master again while both are there.
    env.master.launch();
    eventually("the old master is a replica", async || {
        env.master.says(&["INFO", "replication"], "role:slave")
    })
    .await;
    let last = envelope("scripted", &json!({}));
    queues.push(&name, std::slice::from_ref(&last)).await.unwrap();
    watch
        .until("the last one ran", |watch| has_ended(watch, last.id))
        .await;
    eventually("the sentinel begins", async || {
        let begun: redis::RedisResult<String> = env.sentinel.ask(&["SENTINEL", "FAILOVER", "main"]);
        begun.is_ok()
    })
    .await;
    eventually("they have changed places", async || {
        env.master.says(&["INFO", "replication"], "role:master")
            && env.replica.says(&["INFO", "replication"], "role:slave")
    })
    .await;
    let very_last = envelope("scripted", &json!({}));
    eventually("the master takes jobs again", async || {
        queues.push(&name, std::slice::from_ref(&very_last)).await.is_ok()
    })
    .await;
    watch
        .until("the very last one ran", |watch| has_ended(watch, very_last.id))
        .await;
    worker.stop().await;
}

fn has_ended(watch: &Watch, id: JobId) -> bool {
    watch.finished().iter().any(|end| end.id == id)
}

#[tokio::test]
async fn a_master_that_the_sentinels_do_not_know_is_unavailable() {
    let env = SentinelEnv::new().await;
    let settings = RedisSettings {
        url: env.settings.redis.url.replace("/main?", "/other?"),
        ..env.settings.redis.clone()
    };
    let queues = Queues::connect(&settings).await.unwrap();
    let error = queues.ping().await.unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
    assert!(!format!("{error:?}").contains(SENTINEL_PASSWORD));
}
