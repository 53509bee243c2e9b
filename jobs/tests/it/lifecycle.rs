//! The life of a job in Redis: pushed, fetched, run, retried, finished.

use std::time::{Duration, Instant};

use chrono::Utc;
use jobs::job::Envelope;
use jobs::queue::Depth;
use jobs::queue::events::{ErrorKind, Outcome};
use serde_json::json;

use crate::functions::Scripted;
use crate::support::{TestEnv, catalog_of, envelope, eventually, standard_catalog};

fn error_of(outcome: &Outcome) -> (ErrorKind, &str) {
    match outcome {
        Outcome::Retrying { error, .. } | Outcome::Dead { error } => (error.kind, &error.message),
        Outcome::Completed { .. } | Outcome::Cancelled => panic!("no error in {outcome:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_goes_from_queued_to_completed_and_leaves_nothing_behind() {
    let env = TestEnv::new().await;
    let mut watch = env.watch().await;
    let worker = env.worker(&standard_catalog());
    let job = envelope("fibonacci", &json!({ "index": 90 }));
    env.push(std::slice::from_ref(&job)).await;
    watch.until_finished(1).await;

    assert_eq!(watch.story(job.id), ["queued", "completed"]);
    let Outcome::Completed { output } = &watch.finished()[0].outcome else {
        panic!("not completed")
    };
    assert_eq!(output.json().unwrap().get(), "\"2880067194370816120\"");
    assert_eq!(output.length(), Some(19));
    let value = env
        .queues
        .memo(&env.queue, "fibonacci", "90")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(value, "\"2880067194370816120\"");
    env.assert_clean().await;
    worker.stop().await;
    assert_eq!(env.queues.depth(&env.queue).await.unwrap(), Depth::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_is_there_is_not_computed_again() {
    let env = TestEnv::new().await;
    // Only a worker that looks into the memo can give this answer.
    let mut raw = env.raw().await;
    let _: () = redis::cmd("HSET")
        .arg(env.key("memo:fibonacci"))
        .arg("7")
        .arg("\"thirteen\"")
        .query_async(&mut raw)
        .await
        .unwrap();
    let mut watch = env.watch().await;
    let worker = env.worker(&standard_catalog());
    env.push(&[envelope("fibonacci", &json!({ "index": 7 }))]).await;
    watch.until_finished(1).await;
    let Outcome::Completed { output } = &watch.finished()[0].outcome else {
        panic!("not completed")
    };
    assert_eq!(output.preview(), "thirteen");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_values_are_kept_whole_and_shown_short() {
    let env = TestEnv::new().await;
    let mut watch = env.watch().await;
    let worker = env.worker(&standard_catalog());
    env.push(&[envelope("fibonacci", &json!({ "index": 1_000_000 }))])
        .await;
    watch.until_finished(1).await;
    let Outcome::Completed { output } = &watch.finished()[0].outcome else {
        panic!("not completed")
    };
    assert!(output.json().is_none());
    assert_eq!(
        (output.length(), output.preview().chars().count()),
        (Some(208_988), 201)
    );

    let whole = env
        .queues
        .memo(&env.queue, "fibonacci", "1000000")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(whole.len(), 208_990);
    let listed = env.queues.memo_list(&env.queue, "fibonacci", 10).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(
        listed[0].1.get(),
        serde_json::to_string(&output.preview()).unwrap()
    );
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_push_of_an_id_changes_nothing() {
    let env = TestEnv::new().await;
    let scripted = Scripted::default();
    let job = envelope("scripted", &json!({}));
    env.push(std::slice::from_ref(&job)).await;
    let again = env
        .queues
        .push(&env.queue, std::slice::from_ref(&job))
        .await
        .unwrap();
    assert_eq!((again.pushed, again.known), (0, 1));
    assert_eq!(env.queues.depth(&env.queue).await.unwrap().queued, 1);

    let other = envelope("scripted", &json!({}));
    assert_eq!(
        env.queues.unknown(&env.queue, &[job.id, other.id]).await.unwrap(),
        [other.id]
    );
    let mut watch = env.watch().await;
    let worker = env.worker(&catalog_of(scripted.clone()));
    watch.until_finished(1).await;
    worker.stop().await;
    assert_eq!(scripted.runs(), 1);
    assert_eq!(env.queues.unknown(&env.queue, &[job.id]).await.unwrap(), [job.id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_job_is_tried_again_and_its_attempts_are_counted() {
    let env = TestEnv::new().await;
    let mut watch = env.watch().await;
    let worker = env.worker(&catalog_of(Scripted::default()));
    let job = envelope("scripted", &json!({ "fail": 2, "output": "done" }));
    env.push(std::slice::from_ref(&job)).await;
    watch.until_finished(3).await;
    assert_eq!(
        watch.story(job.id),
        [
            "queued",
            "retrying",
            "promoted",
            "retrying",
            "promoted",
            "completed"
        ]
    );
    let attempts: Vec<u32> = watch.finished().iter().map(|finished| finished.attempt).collect();
    assert_eq!(attempts, [1, 2, 3]);
    assert_eq!(
        env.queues.output(&env.queue, job.id).await.unwrap().unwrap(),
        "\"done\""
    );
    env.assert_clean().await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn past_its_last_attempt_a_job_is_dead() {
    let env = TestEnv::new().await;
    let mut watch = env.watch().await;
    let worker = env.worker(&catalog_of(Scripted::default()));
    env.push(&[envelope("scripted", &json!({ "fail": 99 }))]).await;
    watch.until_finished(3).await;
    let last = watch.finished()[2].clone();
    assert!(matches!(last.outcome, Outcome::Dead { .. }));
    assert_eq!(error_of(&last.outcome), (ErrorKind::Error, "attempt 3 failed"));
    env.assert_clean().await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_failure_is_reported() {
    let env = TestEnv::new().await;
    let mut watch = env.watch().await;
    let worker = env.worker(&catalog_of(Scripted::default()));
    let cases = [
        ("fatal", ErrorKind::Error, "no such address"),
        ("panic", ErrorKind::Panic, "attempt 1 fell over (at "),
        ("compute_panic", ErrorKind::Panic, "in the depths (at "),
        ("hang", ErrorKind::Timeout, "took longer than 100ms"),
    ];
    for (how, kind, message) in cases {
        let mut job = envelope("scripted", &json!({ "fail": 9, "how": how }));
        job.max_attempts = 1;
        if how == "hang" {
            job.timeout_ms = 100;
        }
        env.push(std::slice::from_ref(&job)).await;
        watch
            .until(how, |watch| {
                watch.finished().iter().any(|finished| finished.id == job.id)
            })
            .await;
        let finished = watch
            .finished()
            .into_iter()
            .find(|finished| finished.id == job.id)
            .unwrap();
        let (found_kind, found_message) = error_of(&finished.outcome);
        assert_eq!(found_kind, kind, "{how}");
        assert!(found_message.starts_with(message), "{how}: {found_message}");
    }

    let bad = envelope("scripted", &json!("no object"));
    env.push(std::slice::from_ref(&bad)).await;
    watch.until_finished(5).await;
    assert_eq!(error_of(&watch.finished()[4].outcome).0, ErrorKind::BadInput);
    assert_eq!(watch.finished()[4].attempt, 1, "a bad input is not tried again");
    env.assert_clean().await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_after_waits_as_long_as_the_function_says() {
    let env = TestEnv::new().await;
    let mut watch = env.watch().await;
    let worker = env.worker(&catalog_of(Scripted::default()));
    env.push(&[envelope("scripted", &json!({ "fail": 1, "how": "after" }))])
        .await;
    watch.until_finished(2).await;
    let finished = watch.finished();
    let wait = finished[1].started_at - finished[0].finished_at;
    assert!(wait >= chrono::Duration::milliseconds(295), "waited only {wait}");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_job_in_redis_is_dead_and_the_worker_lives() {
    let env = TestEnv::new().await;
    let mut watch = env.watch().await;
    let scripted = Scripted::default();
    let worker = env.worker(&catalog_of(scripted.clone()));
    let mut raw = env.raw().await;
    let id = envelope("scripted", &json!({})).id.to_string();
    let _: () = redis::pipe()
        .hset(env.key("jobs"), &id, "{ this is no envelope")
        .rpush(env.key("waiting:5:"), &id)
        .zadd(env.key("lanes"), "5:", 50_000_000_000_000_u64)
        .query_async(&mut raw)
        .await
        .unwrap();
    env.push(&[envelope("scripted", &json!({}))]).await;
    watch.until_finished(2).await;
    assert_eq!(scripted.runs(), 1);
    let bad = watch
        .finished()
        .into_iter()
        .find(|finished| finished.id.to_string() == id)
        .unwrap();
    assert_eq!(error_of(&bad.outcome).0, ErrorKind::BadInput);
    env.assert_clean().await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_job_starts_when_it_is_due_and_not_before() {
    let env = TestEnv::new().await;
    let mut watch = env.watch().await;
    let worker = env.worker(&catalog_of(Scripted::default()));
    let mut job = envelope("scripted", &json!({}));
    let due = Utc::now() + Duration::from_millis(700);
    job.run_at = Some(due);
    env.push(std::slice::from_ref(&job)).await;
    assert_eq!(env.queues.depth(&env.queue).await.unwrap().scheduled, 1);
    watch.until_finished(1).await;
    assert_eq!(watch.story(job.id), ["queued", "promoted", "completed"]);
    assert!(watch.finished()[0].started_at.timestamp_millis() >= due.timestamp_millis());
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_jobs_due_at_once_all_run() {
    // apalis-redis's own fetch script fails past about 8,000 of them, for good.
    let env = TestEnv::new().await;
    let mut watch = env.watch().await;
    let due = Utc::now() + Duration::from_millis(300);
    let jobs: Vec<_> = (0..10_000)
        .map(|_| {
            let mut job = envelope("scripted", &json!({}));
            job.run_at = Some(due);
            job
        })
        .collect();
    env.push(&jobs).await;
    let worker = env.worker(&catalog_of(Scripted::default()));
    watch.until_finished(10_000).await;
    env.assert_clean().await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_takes_no_more_than_it_can_run() {
    let env = TestEnv::new().await;
    let scripted = Scripted::gated();
    let jobs: Vec<_> = (0..50).map(|_| envelope("scripted", &json!({}))).collect();
    env.push(&jobs).await;
    let mut watch = env.watch().await;
    let worker = env.worker(&catalog_of(scripted.clone()));
    eventually("20 run", || async { scripted.runs() == 20 }).await;
    let depth = env.queues.depth(&env.queue).await.unwrap();
    assert_eq!((depth.queued, depth.running, depth.workers), (30, 20, 1));
    scripted.open(50);
    watch.until_finished(50).await;
    assert_eq!(scripted.runs(), 50);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn small_jobs_do_not_wait_for_a_big_one() {
    let env = TestEnv::new().await;
    let mut watch = env.watch().await;
    let worker = env.worker(&standard_catalog());
    let big = envelope("fibonacci", &json!({ "index": 10_000_000 }));
    let small: Vec<_> = (0..50)
        .map(|index| envelope("fibonacci", &json!({ "index": index })))
        .collect();
    env.push(std::slice::from_ref(&big)).await;
    env.push(&small).await;
    watch.until_finished(51).await;
    assert_eq!(
        watch.finished().last().unwrap().id,
        big.id,
        "the big one ended first"
    );
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_worker_is_woken_rather_than_polling() {
    let env = TestEnv::new().await;
    let mut watch = env.watch().await;
    let worker = env.worker(&catalog_of(Scripted::default()));
    eventually("the worker is there", || async {
        env.queues.depth(&env.queue).await.unwrap().workers == 1
    })
    .await;
    // Polling once a second would take half a second each on average, 10 s in all.
    let begin = Instant::now();
    for done in 1..=20 {
        env.push(&[envelope("scripted", &json!({}))]).await;
        watch.until_finished(done).await;
    }
    assert!(
        begin.elapsed() < Duration::from_secs(5),
        "20 jobs took {:?}",
        begin.elapsed()
    );
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_of_an_unknown_function_waits_for_a_worker_that_knows_it_and_no_attempt_counts() {
    let env = TestEnv::new().await;
    let mut watch = env.watch().await;
    let job = Envelope {
        max_attempts: 1,
        ..envelope("scripted", &json!({ "output": 7 }))
    };
    env.push(std::slice::from_ref(&job)).await;
    let stranger = env.worker(&standard_catalog());
    watch
        .until("it is given back", |watch| {
            watch.story(job.id) == ["queued", "returned"]
        })
        .await;
    stranger.stop().await;
    assert_eq!(env.queues.depth(&env.queue).await.unwrap().scheduled, 1);

    // Its wait is over.
    let mut raw = env.raw().await;
    let _: u32 = redis::cmd("ZADD")
        .arg(env.key("scheduled"))
        .arg(0)
        .arg(job.id.to_string())
        .query_async(&mut raw)
        .await
        .unwrap();
    let _worker = env.worker(&catalog_of(Scripted::default()));
    watch.until_finished(1).await;
    assert_eq!(
        watch.story(job.id),
        ["queued", "returned", "promoted", "completed"]
    );
    assert_eq!(watch.finished()[0].attempt, 1);
    env.assert_clean().await;
}
