//! The engine on a real Redis Cluster of three masters, with a queue on each.

mod failures;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jobs::catalog::Catalog;
use jobs::error::Error;
use jobs::job::{Envelope, JobId, QueueName};
use jobs::queue::events::{JobEvent, Recorder};
use jobs::queue::{Cancelled, Queues, RedisSettings};
use jobs::worker::WorkerSettings;
use serde_json::json;

use crate::functions::{On, Scripted};
use crate::support::nodes::RedisCluster;
use crate::support::{TestWorker, Watch, envelope, eventually};

mod moves;
mod slow;

const BLOCK: Duration = Duration::from_millis(200);

pub(crate) struct ClusterEnv {
    cluster: RedisCluster,
    settings: WorkerSettings,
    queues: Queues,
    /// One on each master.
    names: Vec<QueueName>,
}

impl ClusterEnv {
    async fn new() -> Self {
        let cluster = RedisCluster::start().await;
        let settings = WorkerSettings {
            redis: RedisSettings {
                url: cluster.url(),
                key_prefix: "test".to_owned(),
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
            queues: Queues::connect(&settings.redis).await.unwrap(),
            names: (0..3).map(|number| cluster.queue_on(number)).collect(),
            settings,
            cluster,
        }
    }

    fn worker(&self, scripted: &Scripted) -> TestWorker {
        TestWorker::start(&self.catalog(scripted), self.settings.clone())
    }

    fn catalog(&self, scripted: &Scripted) -> Arc<Catalog> {
        let queue = |number: usize| self.names[number].clone();
        let catalog = Catalog::empty()
            .with(On::<0>(queue(0), scripted.clone()))
            .unwrap()
            .with(On::<1>(queue(1), scripted.clone()))
            .unwrap()
            .with(On::<2>(queue(2), scripted.clone()))
            .unwrap();
        Arc::new(catalog)
    }

    async fn watch(&self) -> Watch {
        Watch::begin(&self.queues, &self.names).await
    }

    async fn push(&self, number: usize, jobs: &[Envelope]) {
        let pushed = self.queues.push(&self.names[number], jobs).await.unwrap();
        assert_eq!(pushed.pushed, jobs.len());
    }

    /// Nothing is left to do on this queue.
    async fn assert_done(&self, number: usize) {
        let name = &self.names[number];
        eventually("all is put away", async || {
            self.queues.depth(name).await.is_ok_and(|depth| {
                (depth.queued, depth.scheduled, depth.running, depth.stale_results) == (0, 0, 0, 0)
            })
        })
        .await;
    }
}

fn job(number: usize) -> Envelope {
    envelope(&format!("on-{number}"), &json!({ "output": number }))
}

fn jobs(number: usize, count: usize) -> Vec<Envelope> {
    (0..count).map(|_| job(number)).collect()
}

fn ids<'a>(jobs: impl IntoIterator<Item = &'a Envelope>) -> BTreeSet<JobId> {
    jobs.into_iter().map(|job| job.id).collect()
}

fn finished_once(watch: &Watch, jobs: &BTreeSet<JobId>) {
    let finished: Vec<JobId> = watch.finished().iter().map(|finished| finished.id).collect();
    assert_eq!(finished.iter().copied().collect::<BTreeSet<_>>(), *jobs);
    assert_eq!(finished.len(), jobs.len(), "an outcome was recorded twice");
}

/// Reads until these have finished; acknowledges all.
async fn record(recorder: &mut Recorder, jobs: &BTreeSet<JobId>) {
    let mut finished = BTreeSet::new();
    let deadline = Instant::now() + Duration::from_mins(2);
    while !jobs.is_subset(&finished) {
        assert!(
            Instant::now() < deadline,
            "{} of {} recorded",
            finished.len(),
            jobs.len()
        );
        let batches = match recorder.read(BLOCK).await {
            Ok(batches) => batches,
            Err(error) => panic!("the events cannot be read: {error:?}"),
        };
        for event in batches.iter().flat_map(|batch| &batch.events) {
            if let JobEvent::Finished(end) = event {
                assert!(finished.insert(end.id), "it came twice: {end:?}");
            }
        }
        recorder.ack(&batches).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_live_their_whole_lives_on_every_node_of_a_cluster() {
    let env = ClusterEnv::new().await;
    let scripted = Scripted::default();
    let worker = env.worker(&scripted);
    let mut watch = env.watch().await;
    let mut recorder = env.queues.recorder(&env.names, "a");
    let mut all = BTreeSet::new();
    for number in 0..3 {
        let mut stumbles = envelope(&format!("on-{number}"), &json!({ "fail": 1, "output": "late" }));
        stumbles.max_attempts = 2;
        let mut pushed = jobs(number, 40);
        pushed.push(stumbles);
        env.push(number, &pushed).await;
        all.extend(ids(&pushed));
    }
    watch.until_finished(all.len() + 3).await;
    let ends: Vec<_> = watch.finished().into_iter().cloned().collect();
    let states = |state: &str| {
        ends.iter()
            .filter(|end| end.outcome.state().as_str() == state)
            .count()
    };
    assert_eq!((states("completed"), states("retrying")), (123, 3));

    for (number, name) in env.names.iter().enumerate() {
        let done = ends
            .iter()
            // Not the one that stumbles, which may be the first to end an attempt.
            .find(|end| {
                let for_each_queue = end.attempt == 1 && end.outcome.state().as_str() == "completed";
                for_each_queue && end.function == format!("on-{number}")
            })
            .unwrap();
        let output = env.queues.output(name, done.id).await.unwrap().unwrap();
        assert_eq!(output, number.to_string());
        let other = JobId::new();
        assert_eq!(env.queues.unknown(name, &[other]).await.unwrap(), [other]);
        env.assert_done(number).await;
        let keys: u64 = env.cluster.masters[number].ask(&["DBSIZE"]).unwrap();
        assert!(keys > 0, "nothing was on node {number}");
    }
    // A retry is an end of an attempt, and comes first.
    let mut ended = 0;
    while ended < 126 {
        let batches = recorder.read(BLOCK).await.unwrap();
        assert!(!batches.is_empty(), "only {ended} were recorded");
        let events = batches.iter().flat_map(|batch| &batch.events);
        ended += events
            .filter(|event| matches!(event, JobEvent::Finished(_)))
            .count();
        recorder.ack(&batches).await.unwrap();
    }
    eventually("all is recorded", async || recorder.drained().await.unwrap()).await;
    let instance = env.queues.instance(&env.names).await.unwrap();
    assert_eq!(instance.len(), 3);
    assert_eq!(env.queues.instance(&env.names).await.unwrap(), instance);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_on_a_cluster_are_cancelled_and_outlive_their_worker() {
    let env = ClusterEnv::new().await;
    let gated = Scripted::gated();
    let vanishing = env.worker(&gated);
    let mut watch = env.watch().await;
    let running: Vec<Envelope> = (0..3).map(job).collect();
    for (number, job) in running.iter().enumerate() {
        env.push(number, std::slice::from_ref(job)).await;
    }
    eventually("they run", async || gated.runs() == 3).await;
    let cancelled = env.queues.cancel(&env.names[2], &[running[2].id]).await.unwrap();
    assert_eq!(cancelled, [Cancelled::Marked]);
    watch.until_finished(1).await;
    // Neither its heartbeat nor its shutdown happens.
    vanishing.run.abort();
    drop(vanishing.run.await);

    let waits = envelope("on-1", &json!({}));
    env.push(1, std::slice::from_ref(&waits)).await;
    let cancelled = env.queues.cancel(&env.names[1], &[waits.id]).await.unwrap();
    assert_eq!(cancelled, [Cancelled::Now]);

    let second = Scripted::default();
    let worker = env.worker(&second);
    watch.until_finished(3).await;
    assert_eq!(second.runs(), 2);
    for job in &running[..2] {
        assert_eq!(watch.story(job.id), ["queued", "returned", "completed"]);
    }
    assert_eq!(watch.story(running[2].id), ["queued", "cancelled"]);
    assert_eq!(watch.story(waits.id), ["queued", "cancelled"]);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_worker_hears_at_once_of_work_on_any_node() {
    let env = ClusterEnv::new().await;
    let scripted = Scripted::default();
    let worker = env.worker(&scripted);
    let mut watch = env.watch().await;
    let mut finished = 0;
    // Once around, so that it is connected everywhere.
    for number in 0..3 {
        env.push(number, &jobs(number, 1)).await;
    }
    finished += 3;
    watch.until_finished(finished).await;
    let begin = Instant::now();
    for round in 0..30 {
        env.push(round % 3, &jobs(round % 3, 1)).await;
        finished += 1;
        watch.until_finished(finished).await;
    }
    // An idle worker that hears nothing looks once a second: half a second a job on average.
    let took = begin.elapsed();
    assert!(
        took < Duration::from_secs(7),
        "30 jobs one after the other took {took:?}"
    );
    worker.stop().await;
}
