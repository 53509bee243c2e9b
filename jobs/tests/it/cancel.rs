//! Calling jobs off, in every state that they can be in.

use std::time::{Duration, Instant};

use chrono::Utc;
use jobs::backoff::Backoff;
use jobs::job::{Envelope, JobId};
use jobs::queue::Cancelled;
use serde_json::json;

use crate::functions::Scripted;
use crate::support::{TestEnv, catalog_of, envelope, eventually};

async fn cancel(env: &TestEnv, id: JobId) -> Cancelled {
    env.queues.cancel(&env.queue, &[id]).await.unwrap()[0]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_job_ends_at_once_and_never_runs() {
    let env = TestEnv::new().await;
    let mut watch = env.watch().await;
    let jobs: Vec<_> = (0..3).map(|_| envelope("scripted", &json!({}))).collect();
    env.push(&jobs).await;
    assert_eq!(cancel(&env, jobs[1].id).await, Cancelled::Now);
    assert_eq!(cancel(&env, jobs[1].id).await, Cancelled::NotHere);
    let scripted = Scripted::default();
    let worker = env.worker(&catalog_of(scripted.clone()));
    watch.until_finished(2).await;
    assert_eq!(watch.story(jobs[1].id), ["queued", "cancelled"]);
    assert_eq!(scripted.runs(), 2);
    env.assert_clean().await;
    worker.stop().await;
}

/// Of a lane of its own as well: its name goes when it is empty.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_cancelled_while_it_waited_can_be_pushed_again_once_it_is_forgotten() {
    let env = TestEnv::new().await;
    let plain = envelope("scripted", &json!({}));
    let keyed = Envelope {
        fairness_key: Some("a".to_owned()),
        ..envelope("scripted", &json!({}))
    };
    let waits = envelope("scripted", &json!({}));
    env.push(&[plain.clone(), keyed.clone(), waits.clone()]).await;
    let ids = [plain.id, keyed.id, waits.id];
    for id in &ids[..2] {
        assert_eq!(cancel(&env, *id).await, Cancelled::Now);
    }
    let again = [plain.clone(), keyed.clone()];
    let push = async || env.queues.push(&env.queue, &again).await.unwrap().pushed;
    assert_eq!(push().await, 0, "a push that comes twice does not bring it back");
    assert_eq!(env.queues.forget(&env.queue, &ids).await.unwrap(), 2);
    assert_eq!(env.queues.forget(&env.queue, &ids).await.unwrap(), 0);
    assert_eq!(push().await, 2);

    let mut watch = env.watch().await;
    let scripted = Scripted::default();
    let worker = env.worker(&catalog_of(scripted.clone()));
    watch.until_finished(3).await;
    assert_eq!(scripted.runs(), 3);
    env.assert_clean().await;
    worker.stop().await;
}

/// More than one call takes out.
#[tokio::test(flavor = "multi_thread")]
async fn many_are_forgotten() {
    let env = TestEnv::new().await;
    let jobs: Vec<_> = (0..45).map(|_| envelope("scripted", &json!({}))).collect();
    env.push(&jobs).await;
    let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
    env.queues.cancel(&env.queue, &ids).await.unwrap();
    assert_eq!(env.queues.forget(&env.queue, &ids).await.unwrap(), 45);
    env.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_and_a_retrying_job_end_at_once() {
    let env = TestEnv::new().await;
    let mut watch = env.watch().await;
    let mut scheduled = envelope("scripted", &json!({}));
    scheduled.run_at = Some(Utc::now() + Duration::from_hours(1));
    env.push(std::slice::from_ref(&scheduled)).await;
    assert_eq!(cancel(&env, scheduled.id).await, Cancelled::Now);

    let retrying = Envelope {
        backoff: Some(Backoff::Fixed(vec![Duration::from_secs(30)])),
        ..envelope("scripted", &json!({ "fail": 1 }))
    };
    let worker = env.worker(&catalog_of(Scripted::default()));
    env.push(std::slice::from_ref(&retrying)).await;
    watch.until_finished(1).await;
    assert_eq!(cancel(&env, retrying.id).await, Cancelled::Now);
    watch
        .until("both are told", |watch| {
            watch.story(retrying.id).ends_with(&["cancelled".to_owned()])
        })
        .await;
    assert_eq!(watch.story(scheduled.id), ["queued", "cancelled"]);
    env.assert_clean().await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_job_is_stopped_within_a_second_and_its_slot_is_free() {
    let mut env = TestEnv::new().await;
    env.settings.concurrency = 1;
    let mut watch = env.watch().await;
    let stuck = Scripted::gated();
    let worker = env.worker(&catalog_of(stuck.clone()));
    let jobs: Vec<_> = (0..2).map(|_| envelope("scripted", &json!({}))).collect();
    env.push(&jobs).await;
    eventually("the first runs", || async { stuck.runs() == 1 }).await;
    let asked = Instant::now();
    assert_eq!(cancel(&env, jobs[0].id).await, Cancelled::Marked);
    watch.until_finished(1).await;
    // Twice what is promised: this machine may be busy.
    assert!(
        asked.elapsed() < Duration::from_secs(2),
        "took {:?}",
        asked.elapsed()
    );
    assert_eq!(watch.story(jobs[0].id), ["queued", "cancelled"]);
    stuck.open(1);
    watch.until_finished(2).await;
    assert_eq!(watch.story(jobs[1].id), ["queued", "completed"]);
    env.assert_clean().await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_was_cancelled_does_not_run_again_after_its_worker_vanished() {
    let env = TestEnv::new().await;
    let mut watch = env.watch().await;
    let first = Scripted::gated();
    let vanishing = env.worker(&catalog_of(first.clone()));
    let job = envelope("scripted", &json!({}));
    env.push(std::slice::from_ref(&job)).await;
    eventually("it runs", || async { first.runs() == 1 }).await;
    vanishing.run.abort();
    drop(vanishing.run.await);
    assert_eq!(cancel(&env, job.id).await, Cancelled::Marked);
    let second = Scripted::default();
    let worker = env.worker(&catalog_of(second.clone()));
    watch
        .until("it is cancelled", |watch| {
            watch.story(job.id).ends_with(&["cancelled".to_owned()])
        })
        .await;
    assert_eq!(second.runs(), 0);
    env.assert_clean().await;
    worker.stop().await;
}
