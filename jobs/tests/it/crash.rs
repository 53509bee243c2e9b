//! What may go wrong around a worker, done for real: it vanishes, it is too late, Redis goes away or comes back empty.

use std::time::Duration;

use jobs::queue::events::{ErrorKind, JobEvent, Outcome};
use jobs::worker::WorkerSettings;
use serde_json::json;

use crate::functions::Scripted;
use crate::support::{TestEnv, TestWorker, Watch, catalog_of, envelope, eventually};

/// So many attempts have been told to run: they count, whatever becomes of their workers.
async fn until_announced(watch: &mut Watch, count: usize) {
    watch
        .until(&format!("{count} attempts run"), |watch| {
            let started = watch
                .events()
                .filter(|event| matches!(event, JobEvent::Started { .. }));
            started.count() >= count
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_jobs_of_a_vanished_worker_are_run_by_another() {
    let env = TestEnv::new().await;
    let mut watch = env.watch().await;
    let first = Scripted::gated();
    let vanishing = env.worker(&catalog_of(first.clone()));
    let job = envelope("scripted", &json!({}));
    env.push(std::slice::from_ref(&job)).await;
    until_announced(&mut watch, 1).await;
    // Neither its heartbeat nor its shutdown happens.
    vanishing.run.abort();
    drop(vanishing.run.await);

    let second = Scripted::default();
    let worker = env.worker(&catalog_of(second.clone()));
    watch.until_finished(1).await;
    assert_eq!(second.runs(), 1);
    assert_eq!(watch.story(job.id), ["queued", "returned", "completed"]);
    assert_eq!(watch.finished()[0].attempt, 2);
    env.assert_clean().await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_takes_its_worker_along_ends_dead() {
    let env = TestEnv::new().await;
    let mut watch = env.watch().await;
    let mut job = envelope("scripted", &json!({}));
    job.max_attempts = 2;
    env.push(std::slice::from_ref(&job)).await;
    for attempt in 1..=2 {
        let scripted = Scripted::gated();
        let vanishing = env.worker(&catalog_of(scripted.clone()));
        until_announced(&mut watch, attempt).await;
        vanishing.run.abort();
        drop(vanishing.run.await);
    }
    let bystander = env.worker(&catalog_of(Scripted::default()));
    watch.until_finished(1).await;
    let dead = watch.finished()[0].clone();
    let Outcome::Dead { error } = &dead.outcome else {
        panic!("not dead: {dead:?}")
    };
    assert_eq!(
        (dead.attempt, error.kind, dead.function.as_str()),
        (2, ErrorKind::Crash, "scripted")
    );
    env.assert_clean().await;
    bystander.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_worker_gives_back_what_it_cannot_finish_and_the_attempt_does_not_count() {
    let mut env = TestEnv::new().await;
    env.settings.grace = Duration::from_millis(100);
    let mut watch = env.watch().await;
    let stuck = Scripted::gated();
    let worker = env.worker(&catalog_of(stuck.clone()));
    let jobs: Vec<_> = (0..5).map(|_| envelope("scripted", &json!({}))).collect();
    env.push(&jobs).await;
    eventually("they run", || async { stuck.runs() == 5 }).await;
    worker.stop().await;
    let depth = env.queues.depth(&env.queue).await.unwrap();
    assert_eq!((depth.queued, depth.running, depth.workers), (5, 0, 0));

    let next = env.worker(&catalog_of(Scripted::default()));
    watch.until_finished(5).await;
    assert!(watch.finished().iter().all(|finished| finished.attempt == 1));
    assert_eq!(watch.story(jobs[0].id), ["queued", "returned", "completed"]);
    next.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_worker_finishes_what_ends_within_the_grace_period() {
    let env = TestEnv::new().await;
    let mut watch = env.watch().await;
    let slow = Scripted::gated();
    let worker = env.worker(&catalog_of(slow.clone()));
    env.push(&[envelope("scripted", &json!({}))]).await;
    eventually("it runs", || async { slow.runs() == 1 }).await;
    worker.stop.cancel();
    env.push(&[envelope("scripted", &json!({}))]).await;
    slow.open(1);
    worker.stop().await;
    watch.until_finished(1).await;
    assert_eq!(slow.runs(), 1, "it fetched after the order to stop");
    assert_eq!(env.queues.depth(&env.queue).await.unwrap().queued, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_comes_too_late_changes_nothing_and_is_counted() {
    let mut env = TestEnv::new().await;
    // Long enough that the late worker's next heartbeat does not tell it beforehand.
    env.settings.lease = Duration::from_secs(30);
    let mut watch = env.watch().await;
    let late = Scripted::gated();
    // Without room for another job it does not fetch, which would renew its lease.
    let full = WorkerSettings {
        concurrency: 1,
        ..env.settings.clone()
    };
    let sleeper = TestWorker::start(&catalog_of(late.clone()), full);
    let job = envelope("scripted", &json!({ "output": "late" }));
    env.push(std::slice::from_ref(&job)).await;
    until_announced(&mut watch, 1).await;
    let prompt = Scripted::gated();
    let other = env.worker(&catalog_of(prompt.clone()));
    // As after a pause longer than the lease: in Redis's eyes the worker has lapsed, and it does not know yet.
    let mut raw = env.raw().await;
    let names: Vec<String> = redis::cmd("ZRANGE")
        .arg(env.key("workers"))
        .arg(0)
        .arg(0)
        .query_async(&mut raw)
        .await
        .unwrap();
    let held: bool = redis::cmd("EXISTS")
        .arg(env.key(&format!("running:{}", names[0])))
        .query_async(&mut raw)
        .await
        .unwrap();
    assert!(held, "the first to lapse is the one that came first");
    let _: () = redis::cmd("ZADD")
        .arg(env.key("workers"))
        .arg(1)
        .arg(&names[0])
        .query_async(&mut raw)
        .await
        .unwrap();
    eventually("the other has it", || async { prompt.runs() == 1 }).await;
    late.open(1);
    eventually("the late result is counted", || async {
        env.queues.depth(&env.queue).await.unwrap().stale_results == 1
    })
    .await;
    prompt.open(1);
    watch.until_finished(1).await;
    assert_eq!(watch.finished().len(), 1);
    assert_eq!(watch.finished()[0].attempt, 2);
    sleeper.stop().await;
    other.stop().await;
    env.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_outlive_a_restart_of_redis_and_lose_nothing() {
    let env = TestEnv::alone().await;
    let scripted = Scripted::gated();
    let worker = env.worker(&catalog_of(scripted.clone()));
    let jobs: Vec<_> = (0..200).map(|_| envelope("scripted", &json!({}))).collect();
    let mut watch = env.watch().await;
    env.push(&jobs).await;
    eventually("some run", || async { scripted.runs() == 20 }).await;
    env.redis.kill();
    // Outcomes are ready while nobody can take them.
    scripted.open(20);
    tokio::time::sleep(Duration::from_millis(300)).await;
    env.redis.launch();
    scripted.open(1_000);
    watch.until_finished(200).await;
    let mut ids: Vec<_> = watch.finished().iter().map(|finished| finished.id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 200);
    eventually("all is put away", || async {
        env.queues
            .depth(&env.queue)
            .await
            .is_ok_and(|depth| depth.running == 0 && depth.queued == 0)
    })
    .await;
    env.assert_clean().await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_go_on_with_a_redis_that_came_back_empty() {
    let env = TestEnv::alone().await;
    let queues = std::slice::from_ref(&env.queue);
    let before = env.queues.instance(queues).await.unwrap();
    assert_eq!(env.queues.instance(queues).await.unwrap(), before);
    let scripted = Scripted::default();
    let worker = env.worker(&catalog_of(scripted.clone()));
    env.push(&[envelope("scripted", &json!({}))]).await;
    eventually("one ran", || async { scripted.runs() == 1 }).await;
    env.redis.wipe();
    eventually("Redis is back", || async { env.queues.ping().await.is_ok() }).await;
    assert_ne!(env.queues.instance(queues).await.unwrap(), before);
    env.push(&[envelope("scripted", &json!({}))]).await;
    eventually("the next one ran", || async { scripted.runs() == 2 }).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_whose_hand_over_was_lost_come_back() {
    let env = TestEnv::new().await;
    let scripted = Scripted::default();
    let worker = env.worker(&catalog_of(scripted.clone()));
    let mut watch = env.watch().await;
    eventually("the worker is there", || async {
        env.queues.depth(&env.queue).await.unwrap().workers == 1
    })
    .await;
    // As after a fetch whose answer never arrived: Redis says that the worker holds a job, the worker knows of none.
    let mut raw = env.raw().await;
    let names: Vec<String> = redis::cmd("ZRANGE")
        .arg(env.key("workers"))
        .arg(0)
        .arg(-1)
        .query_async(&mut raw)
        .await
        .unwrap();
    let job = envelope("scripted", &json!({}));
    let _: () = redis::pipe()
        .hset(
            env.key("jobs"),
            job.id.to_string(),
            serde_json::to_string(&job).unwrap(),
        )
        .hset(env.key(&format!("running:{}", names[0])), job.id.to_string(), 1)
        .query_async(&mut raw)
        .await
        .unwrap();
    watch.until_finished(1).await;
    assert_eq!(watch.story(job.id), ["returned", "completed"]);
    assert_eq!(watch.finished()[0].attempt, 1);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_to_a_redis_that_is_away_fail_fast_and_say_so() {
    let env = TestEnv::alone().await;
    env.queues.ping().await.unwrap();
    env.redis.kill();
    let begin = std::time::Instant::now();
    let error = env
        .queues
        .push(&env.queue, &[envelope("scripted", &json!({}))])
        .await
        .unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
    assert!(begin.elapsed() < env.settings.redis.timeout * 3);
    env.redis.launch();
    eventually("it reconnects", || async { env.queues.ping().await.is_ok() }).await;
}
