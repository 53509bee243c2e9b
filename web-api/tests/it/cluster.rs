//! The API's roles on a Redis Cluster, one node of which is away.

use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use jobs::{
    job::{JobId, QueueName},
    queue::Queues,
};
use tokio_util::sync::CancellationToken;
use web_api::db::jobs::NewJob;
use web_api::services::batch_closer::DirtyBatches;
use web_api::services::dispatcher::window::{WindowSettings, Windows};
use web_api::services::enqueuer::Enqueuer;
use web_api::services::outcome_waiters::Outcomes;
use web_api::services::progress_marker::ProgressMarker;
use web_api::services::reconciler::{self, ReconcileRequest, ReconcileSettings, Reconciler};
use web_api::services::{dispatcher, recorder};

use crate::support::{Database, TestDatabase, cluster::RedisCluster, dispatched, eventually, new_job};

/// Waits until the queue knows all of these.
async fn known(queues: &Queues, queue: &QueueName, ids: &[JobId]) {
    eventually("the queue knows the jobs", async || {
        queues.unknown(queue, ids).await.ok()?.is_empty().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_node_lost_is_pushed_again_while_another_is_away() {
    let cluster = RedisCluster::start().await;
    let database = Database::new(TestDatabase::Sqlite).await;
    let store = database.store().await;
    let queues = Queues::connect(&cluster.settings()).await.unwrap();
    let names = cluster.queues();

    let then = Utc::now() - TimeDelta::minutes(10);
    let rows: Vec<NewJob> = (0..20)
        .map(|number| NewJob {
            id: JobId::lower_bound(then + TimeDelta::milliseconds(number)),
            queue: names[usize::from(number % 2 == 1)].clone(),
            ..dispatched(new_job(0))
        })
        .collect();
    store.job_insert_many(&rows).await.unwrap();
    let of = |queue: &QueueName| -> Vec<JobId> {
        let rows = rows.iter().filter(|row| row.queue == *queue);
        rows.map(|row| row.id).collect()
    };

    let stop = CancellationToken::new();
    let pulse = ProgressMarker::default();
    let recording = tokio::spawn(recorder::run(
        store.clone(),
        queues.recorder(&names, "one"),
        Outcomes::new(store.clone()),
        DirtyBatches::default(),
        pulse.clone(),
        stop.clone(),
    ));
    let windows = Windows::new(WindowSettings::default());
    let dispatching = tokio::spawn(dispatcher::run(
        store.clone(),
        queues.clone(),
        names.to_vec(),
        windows.clone(),
        stop.clone(),
    ));
    let reconciler = Reconciler {
        store: store.clone(),
        queues: queues.clone(),
        names: names.to_vec(),
        windows,
        recorder: pulse,
        wake: ReconcileRequest::new(),
        settings: ReconcileSettings {
            interval: Duration::from_hours(1),
            min_age: Duration::from_millis(300),
            tick: Duration::from_millis(50),
        },
    };
    let reconciling = tokio::spawn(reconciler::run(reconciler, stop.clone()));
    for name in &names {
        known(&queues, name, &of(name)).await;
    }

    cluster.kill(0);
    cluster.come_back_empty(1).await;
    known(&queues, &names[1], &of(&names[1])).await;
    assert!(queues.ping().await.unwrap_err().is_unavailable());
    cluster.come_back_empty(0).await;
    known(&queues, &names[0], &of(&names[0])).await;
    queues.ping().await.unwrap();

    stop.cancel();
    for role in [recording, dispatching, reconciling] {
        tokio::time::timeout(Duration::from_mins(2), role)
            .await
            .unwrap()
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_and_pushes_of_a_queue_do_not_wait_for_a_node_that_does_not_answer() {
    let cluster = RedisCluster::start().await;
    let database = Database::new(TestDatabase::Sqlite).await;
    let store = database.store().await;
    let queues = Queues::connect(&cluster.settings()).await.unwrap();
    let names = cluster.queues();
    let stop = CancellationToken::new();
    let windows = Windows::new(WindowSettings::default());
    let dispatching = tokio::spawn(dispatcher::run(
        store.clone(),
        queues.clone(),
        names.to_vec(),
        windows.clone(),
        stop.clone(),
    ));
    let (enqueuer, enqueuing) = Enqueuer::new(
        store,
        queues.clone(),
        windows.clone(),
        ReconcileRequest::new(),
        stop.clone(),
    );
    let enqueuing = tokio::spawn(enqueuing);
    for name in &names {
        eventually("the window is open", async || {
            windows.places().take(name, 0).then_some(())
        })
        .await;
    }
    let enqueue = async |queue: &QueueName| {
        let job = NewJob {
            queue: queue.clone(),
            ..new_job(0)
        };
        enqueuer.enqueue(job).await.unwrap().job.id
    };
    for name in &names {
        let id = enqueue(name).await;
        known(&queues, name, &[id]).await;
    }

    let process = cluster.process(0);
    RedisCluster::signal(0, &process, "STOP");
    let begun = Instant::now();
    let mut waits = Vec::new();
    // Longer than what is known of a clock is trusted.
    while begun.elapsed() < Duration::from_secs(15) {
        let at = Instant::now();
        // Often in one commit.
        let ids = tokio::join!(enqueue(&names[0]), enqueue(&names[1]));
        known(&queues, &names[1], &[ids.1]).await;
        waits.push(at.elapsed());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    waits.sort();
    let (median, longest) = (waits[waits.len() / 2], waits[waits.len() - 1]);
    // A call to the node that is stopped takes two seconds, and four when it has to connect.
    assert!(
        median < Duration::from_millis(500),
        "half of the calls took {median:?}: {waits:?}"
    );
    assert!(longest < Duration::from_secs(2), "one call took {longest:?}");

    RedisCluster::signal(0, &process, "CONT");
    let id = enqueue(&names[0]).await;
    known(&queues, &names[0], &[id]).await;
    stop.cancel();
    for role in [dispatching, enqueuing] {
        tokio::time::timeout(Duration::from_mins(2), role)
            .await
            .unwrap()
            .unwrap();
    }
}
