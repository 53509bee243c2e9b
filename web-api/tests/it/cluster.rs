//! The API's roles on a Redis Cluster, one node of which is away.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use jobs::{
    job::{JobId, QueueName},
    queue::Queues,
};
use tokio_util::sync::CancellationToken;
use web_api::{
    batches::Touched,
    dispatch,
    outcomes::Outcomes,
    pulse::Pulse,
    reconcile::{self, ReconcileSettings, Reconciler, Wake},
    record,
    store::job::NewJob,
    windows::{WindowSettings, Windows},
};

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
    let pulse = Pulse::default();
    let recording = tokio::spawn(record::run(
        store.clone(),
        queues.recorder(&names, "one"),
        Outcomes::new(store.clone()),
        Touched::default(),
        pulse.clone(),
        stop.clone(),
    ));
    let windows = Windows::new(WindowSettings::default());
    let dispatching = tokio::spawn(dispatch::run(
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
        wake: Wake::new(),
        settings: ReconcileSettings {
            interval: Duration::from_hours(1),
            min_age: Duration::from_millis(300),
            tick: Duration::from_millis(50),
        },
    };
    let reconciling = tokio::spawn(reconcile::run(reconciler, stop.clone()));
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
