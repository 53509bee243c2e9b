//! The event stream: read as a group that acknowledges, and followed from a position.

use std::time::Duration;

use jobs::error::Error;
use jobs::job::JobId;
use jobs::queue::events::{EventBatch, JobEvent, Position, Recorder};
use serde_json::json;

use crate::support::{TestEnv, envelope, eventually};

const BLOCK: Duration = Duration::from_millis(200);

fn queued(batches: &[EventBatch]) -> Vec<JobId> {
    let ids = batches
        .iter()
        .flat_map(|batch| &batch.events)
        .filter_map(|event| match event {
            JobEvent::Queued { id, .. } => Some(*id),
            JobEvent::QueuedMany { .. }
            | JobEvent::Started { .. }
            | JobEvent::Noted { .. }
            | JobEvent::Finished(_)
            | JobEvent::Returned { .. }
            | JobEvent::Cancelled { .. }
            | JobEvent::Again { .. }
            | JobEvent::Promoted { .. } => None,
        });
    ids.collect()
}

fn recorder(env: &TestEnv, name: &str) -> Recorder {
    env.queues.recorder(std::slice::from_ref(&env.queue), name)
}

async fn length(env: &TestEnv) -> usize {
    redis::cmd("XLEN")
        .arg(env.key("events"))
        .query_async(&mut env.raw().await)
        .await
        .unwrap()
}

#[tokio::test]
async fn what_is_not_acknowledged_comes_again() {
    let env = TestEnv::new().await;
    let job = envelope("scripted", &json!({ "output": 1 }));
    env.push(std::slice::from_ref(&job)).await;

    let mut first = recorder(&env, "a");
    assert_eq!(queued(&first.read(BLOCK).await.unwrap()), [job.id]);
    assert!(!first.drained().await.unwrap());
    // The process ends before it could acknowledge, and starts again.
    let mut again = recorder(&env, "a");
    let batches = again.read(BLOCK).await.unwrap();
    assert_eq!(queued(&batches), [job.id]);
    again.ack(&batches).await.unwrap();
    assert!(again.drained().await.unwrap());
    assert!(recorder(&env, "a").read(BLOCK).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_each_of_several_queues_owes_comes_again() {
    let env = TestEnv::new().await;
    let queues = [env.queue.clone(), "mail".parse().unwrap()];
    let mut owed = Vec::new();
    // More than one read brings, and the queues are not equally far.
    for n in 0..90 {
        let job = envelope("scripted", &json!({}));
        let queue = &queues[usize::from(n >= 50)];
        env.queues.push(queue, std::slice::from_ref(&job)).await.unwrap();
        owed.push(job.id);
    }
    let mut first = env.queues.recorder(&queues, "a");
    let mut taken = 0;
    while taken < 90 {
        taken += queued(&first.read(BLOCK).await.unwrap()).len();
    }
    let mut again = env.queues.recorder(&queues, "a");
    let mut seen = Vec::new();
    while seen.len() < 90 {
        let batches = again.read(Duration::from_millis(1)).await.unwrap();
        assert!(!batches.is_empty(), "only {} of 90 came again", seen.len());
        seen.extend(queued(&batches));
    }
    seen.sort();
    assert_eq!(seen, owed);
}

#[tokio::test]
async fn an_entry_that_cannot_be_read_does_not_stop_those_behind_it() {
    let env = TestEnv::new().await;
    let mut tail = env.queues.tail(std::slice::from_ref(&env.queue), None);
    tail.begin().await.unwrap();
    let _: String = redis::cmd("XADD")
        .arg(env.key("events"))
        .arg(&["*", "t", "finished", "d", "[{ this is no event"])
        .query_async(&mut env.raw().await)
        .await
        .unwrap();
    let job = envelope("scripted", &json!({}));
    env.push(std::slice::from_ref(&job)).await;
    let mut recorder = recorder(&env, "a");
    let batches = recorder.read(BLOCK).await.unwrap();
    assert_eq!(queued(&batches), [job.id]);
    recorder.ack(&batches).await.unwrap();
    assert!(recorder.drained().await.unwrap());
    assert_eq!(queued(&tail.next(BLOCK).await.unwrap()), [job.id]);
}

#[tokio::test]
async fn a_read_that_is_given_up_loses_nothing() {
    let env = TestEnv::new().await;
    let mut recorder = recorder(&env, "a");
    let mut tail = env.queues.tail(std::slice::from_ref(&env.queue), None);
    let block = Duration::from_secs(20);
    let moment = Duration::from_millis(200);
    assert!(tokio::time::timeout(moment, recorder.read(block)).await.is_err());
    assert!(tokio::time::timeout(moment, tail.next(block)).await.is_err());
    // The server answers the reads that nobody waits for any more.
    let job = envelope("scripted", &json!({}));
    env.push(std::slice::from_ref(&job)).await;
    assert_eq!(queued(&recorder.read(BLOCK).await.unwrap()), [job.id]);
    assert_eq!(queued(&tail.next(BLOCK).await.unwrap()), [job.id]);
}

#[tokio::test]
async fn two_recorders_share_the_entries() {
    let env = TestEnv::new().await;
    let (mut a, mut b) = (recorder(&env, "a"), recorder(&env, "b"));
    let mut seen = Vec::new();
    for _ in 0..20 {
        env.push(&[envelope("scripted", &json!({}))]).await;
        for recorder in [&mut a, &mut b] {
            let batches = recorder.read(Duration::from_millis(1)).await.unwrap();
            recorder.ack(&batches).await.unwrap();
            seen.extend(queued(&batches));
        }
    }
    assert_eq!(seen.len(), 20);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 20, "an entry was given to both");
}

#[tokio::test]
async fn a_process_that_ended_long_ago_is_forgotten_unless_it_owes_an_entry() {
    let env = TestEnv::new().await;
    env.push(&[envelope("scripted", &json!({}))]).await;
    // The first takes the only entry and never acknowledges it; the second takes none.
    assert_eq!(recorder(&env, "owes").read(BLOCK).await.unwrap().len(), 1);
    assert!(
        recorder(&env, "gone")
            .read(Duration::from_millis(1))
            .await
            .unwrap()
            .is_empty()
    );
    eventually("only the one that owes nothing is forgotten", || async {
        let mut live = recorder(&env, "live").forgetting_after(Duration::from_millis(1));
        live.read(Duration::from_millis(1)).await.unwrap();
        let found: redis::streams::StreamInfoConsumersReply = redis::cmd("XINFO")
            .arg("CONSUMERS")
            .arg(env.key("events"))
            .arg("recorder")
            .query_async(&mut env.raw().await)
            .await
            .unwrap();
        let names: Vec<&str> = found
            .consumers
            .iter()
            .map(|consumer| consumer.name.as_str())
            .collect();
        assert!(names.contains(&"owes"), "{names:?}");
        !names.contains(&"gone")
    })
    .await;
}

#[tokio::test]
async fn only_recorded_entries_are_dropped_and_only_when_there_are_many() {
    let env = TestEnv::new().await;
    let mut recorder = recorder(&env, "a");
    for _ in 0..1_200 {
        env.push(&[envelope("scripted", &json!({}))]).await;
    }
    // Nothing is recorded yet: nothing may go.
    let batches = recorder.read(BLOCK).await.unwrap();
    recorder.ack(&batches).await.unwrap();
    assert!(length(&env).await >= 1_200 - batches.len());
    let mut recorded = queued(&batches).len();
    while recorded < 1_200 {
        let batches = recorder.read(BLOCK).await.unwrap();
        assert!(!batches.is_empty(), "entries were lost after {recorded}");
        recorded += queued(&batches).len();
        recorder.ack(&batches).await.unwrap();
    }
    eventually("the recorded ones are dropped", || async {
        let mut other = self::recorder(&env, "a");
        let batches = other.read(Duration::from_millis(1)).await.unwrap();
        other.ack(&batches).await.unwrap();
        length(&env).await <= 1_000
    })
    .await;
}

#[tokio::test]
async fn a_follower_comes_back_to_its_position_without_gap_or_double() {
    let env = TestEnv::new().await;
    let queues = std::slice::from_ref(&env.queue);
    let mut tail = env.queues.tail(queues, None);
    tail.begin().await.unwrap();
    let jobs: Vec<_> = (0..6).map(|_| envelope("scripted", &json!({}))).collect();
    env.push(&jobs[..1]).await;
    assert_eq!(queued(&tail.next(BLOCK).await.unwrap()), [jobs[0].id]);
    let position = tail.position().to_string();
    drop(tail);
    for job in &jobs[1..] {
        env.push(std::slice::from_ref(job)).await;
    }
    let mut tail = env.queues.tail(queues, Some(position.parse().unwrap()));
    let mut seen = Vec::new();
    while seen.len() < 5 {
        seen.extend(queued(&tail.next(BLOCK).await.unwrap()));
    }
    assert_eq!(seen, jobs[1..].iter().map(|job| job.id).collect::<Vec<_>>());
    assert!(tail.next(Duration::from_millis(1)).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_position_whose_successors_are_gone_has_expired() {
    let env = TestEnv::new().await;
    let queues = std::slice::from_ref(&env.queue);
    let mut tail = env.queues.tail(queues, None);
    tail.begin().await.unwrap();
    for _ in 0..3 {
        env.push(&[envelope("scripted", &json!({}))]).await;
    }
    let batches = tail.next(BLOCK).await.unwrap();
    let mut position = Position::default();
    position.advance(&env.queue, batches[0].id);
    let _: u64 = redis::cmd("XTRIM")
        .arg(env.key("events"))
        .arg("MAXLEN")
        .arg(1)
        .query_async(&mut env.raw().await)
        .await
        .unwrap();
    let mut late = env.queues.tail(queues, Some(position));
    assert!(matches!(late.next(BLOCK).await, Err(Error::Expired)));

    let _: u64 = redis::cmd("DEL")
        .arg(env.key("events"))
        .query_async(&mut env.raw().await)
        .await
        .unwrap();
    let mut lost = env.queues.tail(queues, Some(tail.position().clone()));
    assert!(
        matches!(lost.next(BLOCK).await, Err(Error::Expired)),
        "Redis came back empty"
    );
}

#[tokio::test]
async fn a_bulk_is_announced_by_its_number_and_a_long_input_not_at_all() {
    let env = TestEnv::new().await;
    let mut watch = env.watch().await;
    let bulk: Vec<_> = (0..120).map(|_| envelope("scripted", &json!({}))).collect();
    env.push(&bulk).await;
    env.push(&[envelope("scripted", &json!({ "how": "x".repeat(300) }))])
        .await;
    watch
        .until("both are told", |watch| watch.events().count() == 2)
        .await;
    let mut events = watch.events();
    assert!(matches!(events.next(), Some(JobEvent::QueuedMany { count: 120 })));
    assert!(matches!(
        events.next(),
        Some(JobEvent::Queued { input: None, .. })
    ));
}
