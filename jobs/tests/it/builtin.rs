//! The functions that are there to show what Spiral does, as a worker runs them.

use std::time::{Duration, Instant};

use jobs::queue::Cancelled;
use jobs::queue::events::{ErrorKind, Finished, JobEvent, Outcome};
use serde_json::{Value, json};

use crate::support::{TestEnv, Watch, envelope, eventually, standard_catalog};

/// Runs one job to its end.
async fn ended(env: &TestEnv, watch: &mut Watch, function: &str, input: &Value) -> Finished {
    let job = envelope(function, input);
    env.push(std::slice::from_ref(&job)).await;
    let finished = |watch: &Watch| {
        let attempts = watch.finished().into_iter();
        attempts
            .filter(|finished| finished.id == job.id)
            .find(|finished| finished.outcome.state().is_final())
            .cloned()
    };
    watch
        .until(&format!("{function} has ended"), |watch| {
            finished(watch).is_some()
        })
        .await;
    finished(watch).unwrap()
}

fn output(finished: &Finished) -> &str {
    match &finished.outcome {
        Outcome::Completed { output } => output.json().map_or("null", |json| json.get()),
        Outcome::Retrying { .. } | Outcome::Dead { .. } | Outcome::Cancelled => {
            panic!("not completed: {:?}", finished.outcome)
        }
    }
}

fn error(finished: &Finished) -> (ErrorKind, &str) {
    match &finished.outcome {
        Outcome::Dead { error } | Outcome::Retrying { error, .. } => (error.kind, &error.message),
        Outcome::Completed { .. } | Outcome::Cancelled => panic!("no error: {:?}", finished.outcome),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn echo_returns_what_it_gets() {
    let env = TestEnv::new().await;
    let mut watch = env.watch().await;
    let worker = env.worker(&standard_catalog());
    for input in [
        json!(null),
        json!(true),
        json!(-1.5),
        json!("ä \u{1} \" \\"),
        json!([]),
        json!({ "a": [1, { "b": null }], "": 18_446_744_073_709_551_615_u64 }),
    ] {
        let finished = ended(&env, &mut watch, "echo", &input).await;
        assert_eq!(output(&finished), input.to_string());
    }
    env.assert_clean().await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sleep_takes_as_long_as_it_says() {
    let env = TestEnv::new().await;
    let mut watch = env.watch().await;
    let worker = env.worker(&standard_catalog());
    let finished = ended(&env, &mut watch, "sleep", &json!({ "seconds": 0.25 })).await;
    assert_eq!(output(&finished), "0.25");
    let took = finished.finished_at - finished.started_at;
    assert!(
        (250..2_000).contains(&took.num_milliseconds()),
        "took {took} instead of 250 ms"
    );
    let finished = ended(&env, &mut watch, "sleep", &json!({ "seconds": 0 })).await;
    assert_eq!(output(&finished), "0.0");
    // What the API would not let in.
    let finished = ended(&env, &mut watch, "sleep", &json!({ "seconds": 3_600.5 })).await;
    assert_eq!(
        error(&finished),
        (ErrorKind::Error, "3600.5 seconds are not from 0 to 3600")
    );
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sleep_that_is_cancelled_wakes_at_once() {
    let env = TestEnv::new().await;
    let mut watch = env.watch().await;
    let worker = env.worker(&standard_catalog());
    let job = envelope("sleep", &json!({ "seconds": 3_600 }));
    env.push(std::slice::from_ref(&job)).await;
    watch
        .until("it sleeps", |watch| {
            watch
                .events()
                .any(|event| matches!(event, JobEvent::Started { id, .. } if *id == job.id))
        })
        .await;
    let asked = Instant::now();
    eventually("the running job is marked", || async {
        env.queues.cancel(&env.queue, &[job.id]).await.unwrap()[0] == Cancelled::Marked
    })
    .await;
    watch.until_finished(1).await;
    assert_eq!(watch.story(job.id), ["queued", "cancelled"]);
    // Twice what is promised: this machine may be busy.
    assert!(
        asked.elapsed() < Duration::from_secs(2),
        "took {:?}",
        asked.elapsed()
    );
    env.assert_clean().await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn flaky_fails_as_often_as_it_is_told() {
    let env = TestEnv::new().await;
    let mut watch = env.watch().await;
    let worker = env.worker(&standard_catalog());
    let finished = ended(
        &env,
        &mut watch,
        "flaky",
        &json!({ "failures": 2, "output": "at last" }),
    )
    .await;
    assert_eq!((finished.attempt, output(&finished)), (3, "\"at last\""));
    let failures: Vec<_> = watch.finished()[..2].iter().map(|failed| error(failed)).collect();
    assert_eq!(
        failures,
        [
            (ErrorKind::Error, "attempt 1 of 3 failed on purpose"),
            (ErrorKind::Error, "attempt 2 of 3 failed on purpose")
        ]
    );

    let finished = ended(&env, &mut watch, "flaky", &json!({ "failures": 0 })).await;
    assert_eq!((finished.attempt, output(&finished)), (1, "null"));

    // One more failure than there are attempts.
    let finished = ended(&env, &mut watch, "flaky", &json!({ "failures": 3 })).await;
    assert_eq!(
        (finished.attempt, error(&finished)),
        (3, (ErrorKind::Error, "attempt 3 of 3 failed on purpose"))
    );

    let input = json!({ "failures": 1, "how": "fatal" });
    let finished = ended(&env, &mut watch, "flaky", &input).await;
    assert_eq!(
        (finished.attempt, error(&finished)),
        (1, (ErrorKind::Error, "attempt 1 of 3 failed on purpose"))
    );
    env.assert_clean().await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn flaky_panics_when_it_is_told_to_and_the_worker_goes_on() {
    let env = TestEnv::new().await;
    let mut watch = env.watch().await;
    let worker = env.worker(&standard_catalog());
    let input = json!({ "failures": 1, "how": "panic", "output": 7 });
    let finished = ended(&env, &mut watch, "flaky", &input).await;
    assert_eq!((finished.attempt, output(&finished)), (2, "7"));
    let (kind, message) = error(watch.finished()[0]);
    assert_eq!(kind, ErrorKind::Panic);
    assert!(
        message.starts_with("attempt 1 of 3 failed on purpose (at "),
        "{message}"
    );
    env.assert_clean().await;
    worker.stop().await;
}
