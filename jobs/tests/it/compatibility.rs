//! Releases overlap: old workers take jobs of a new API, and the other way round. Envelopes and events are kept here word
//! for word as other versions write them; docs/deploy/upgrades.md has the rules that these tests hold.

use std::time::Duration;

use jobs::job::{JobId, JobState, Priority};
use jobs::queue::events::{JobEvent, Outcome};
use serde_json::json;

use crate::support::{TestEnv, envelope, standard_catalog};

const BLOCK: Duration = Duration::from_millis(200);

/// As the first version wrote it: with the id, and without what came later.
fn first_envelope(id: JobId) -> String {
    format!(
        r#"{{"id":"{id}","function":"fibonacci","input":{{"index":10}},"attempt":0,"max_attempts":3,"timeout_ms":60000}}"#
    )
}

/// As a later version may write it: with fields that this one does not know, of any kind.
fn later_envelope() -> String {
    r#"{"colour":"red","function":"fibonacci","input":{"index":10},"attempt":0,"max_attempts":3,"timeout_ms":60000,"priority":1,"fairness_key":"a","shape":{"sides":[1,2,3]}}"#.to_owned()
}

#[tokio::test]
async fn a_worker_runs_jobs_of_earlier_and_later_versions() {
    let env = TestEnv::new().await;
    let jobs = [
        envelope("fibonacci", &json!({ "index": 1 })),
        envelope("fibonacci", &json!({ "index": 1 })),
    ];
    env.push(&jobs).await;
    let [first, later] = [jobs[0].id, jobs[1].id];
    // What is pushed is this version's, so it is overwritten: the index tells which of the two ran.
    let _: () = redis::cmd("HSET")
        .arg(env.key("jobs"))
        .arg(first.to_string())
        .arg(first_envelope(first))
        .arg(later.to_string())
        .arg(later_envelope())
        .query_async(&mut env.raw().await)
        .await
        .unwrap();

    let mut watch = env.watch().await;
    let worker = env.worker(&standard_catalog());
    watch.until_finished(2).await;
    for finished in watch.finished() {
        let Outcome::Completed { output } = &finished.outcome else {
            panic!("{finished:?}")
        };
        assert!(format!("{output:?}").contains("55"), "{output:?}");
    }
    worker.stop().await;
    env.assert_clean().await;
}

#[tokio::test]
async fn events_of_earlier_and_later_versions_are_read() {
    let env = TestEnv::new().await;
    let id = JobId::new();
    let entries = [
        // The first version's.
        (
            "queued",
            format!(r#"[{{"id":"{id}","function":"f","input":1,"max_attempts":3}}]"#),
        ),
        // A later one's, with what this one does not know.
        (
            "queued",
            format!(
                r#"[{{"id":"{id}","function":"f","max_attempts":3,"priority":2,"colour":{{"red":[1]}}}}]"#
            ),
        ),
        // A later one's, of a kind that this one does not know: it must not stop those behind it.
        ("dreamt", "[1, 2]".to_owned()),
        // Its own kind with one place more, which the rules forbid: skipped, and those behind it are read all the same.
        (
            "finished",
            format!(r#"[["{id}",1,"f",1,2,{{"x":null}},null,"more"]]"#),
        ),
        // This version's. Whoever changes the places of an attempt that ended has to give the kind another name.
        (
            "finished",
            format!(r#"[["{id}",2,"f",1700000000000,1700000000005,{{"c":"55"}},null]]"#),
        ),
    ];
    let mut recorder = env.queues.recorder(std::slice::from_ref(&env.queue), "reader");
    recorder.read(BLOCK).await.unwrap();
    let mut raw = env.raw().await;
    for (kind, data) in &entries {
        let _: String = redis::cmd("XADD")
            .arg(env.key("events"))
            .arg(&["*", "t", kind, "w", "old-worker", "later", "yes", "d", data])
            .query_async(&mut raw)
            .await
            .unwrap();
    }

    let batches = recorder.read(BLOCK).await.unwrap();
    let read: Vec<usize> = batches.iter().map(|batch| batch.events.len()).collect();
    assert_eq!(read, [1, 1, 0, 0, 1], "{batches:?}");
    let priority_of = |batch: usize| match &batches[batch].events[0] {
        JobEvent::Queued { priority, .. } => *priority,
        event @ (JobEvent::QueuedMany { .. }
        | JobEvent::Started { .. }
        | JobEvent::Noted { .. }
        | JobEvent::Finished(_)
        | JobEvent::Returned { .. }
        | JobEvent::Cancelled { .. }
        | JobEvent::Again { .. }
        | JobEvent::Promoted { .. }) => panic!("{event:?}"),
    };
    assert_eq!(priority_of(0), Priority::STANDARD);
    assert_eq!(priority_of(1), Priority::try_from(2).unwrap());
    let JobEvent::Finished(finished) = &batches[4].events[0] else {
        panic!("{batches:?}")
    };
    assert_eq!((finished.id, finished.attempt), (id, 2));
    assert_eq!(finished.worker, "old-worker");
    assert_eq!(finished.outcome.state(), JobState::Completed);
    recorder.ack(&batches).await.unwrap();
}
