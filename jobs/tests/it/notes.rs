//! What functions say while they run, and what becomes of jobs whose next attempt is far off.

use std::time::Duration;

use jobs::backoff::Backoff;
use jobs::context::JobContext;
use jobs::function::{Function, JobError};
use jobs::queue::events::{JobEvent, Notes, Outcome};
use serde_json::json;
use tokio::sync::Notify;

use crate::functions::Scripted;
use crate::support::{TestEnv, Watch, catalog_of, envelope};

/// Says something, waits for the test, and says something else.
#[derive(Default)]
struct Talkative {
    go_on: std::sync::Arc<Notify>,
}

impl Function for Talkative {
    const NAME: &'static str = "talkative";
    const DESCRIPTION: &'static str = "Talks.";
    type Input = ();
    type Output = ();

    async fn run(&self, context: JobContext, (): ()) -> Result<(), JobError> {
        context.progress(0.25);
        context.log("the first quarter is done");
        self.go_on.notified().await;
        context.progress(1.0);
        context.log("all is done");
        Ok(())
    }
}

fn noted(watch: &Watch) -> Vec<&Notes> {
    let notes = watch.events().filter_map(|event| match event {
        JobEvent::Noted { notes, .. } => Some(notes),
        JobEvent::Queued { .. }
        | JobEvent::QueuedMany { .. }
        | JobEvent::Started { .. }
        | JobEvent::Finished(_)
        | JobEvent::Returned { .. }
        | JobEvent::Cancelled { .. }
        | JobEvent::Again { .. }
        | JobEvent::Promoted { .. } => None,
    });
    notes.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_and_lines_are_reported_while_it_runs_and_the_rest_with_its_end() {
    let env = TestEnv::new().await;
    let mut watch = env.watch().await;
    let talkative = Talkative::default();
    let go_on = std::sync::Arc::clone(&talkative.go_on);
    let worker = env.worker(&catalog_of(talkative));
    env.push(&[envelope("talkative", &json!(null))]).await;
    watch
        .until("it said something", |watch| !noted(watch).is_empty())
        .await;
    let began = watch
        .events()
        .any(|event| matches!(event, JobEvent::Started { attempt: 1, .. }));
    assert!(began, "a job that goes on is announced");
    let first = noted(&watch)[0];
    assert_eq!((first.progress, first.lines.len()), (Some(0.25), 1));
    assert_eq!(
        (first.lines[0].number, first.lines[0].text.as_str()),
        (1, "the first quarter is done")
    );
    go_on.notify_one();
    watch.until_finished(1).await;
    let last = &watch.finished()[0].notes;
    assert_eq!(last.progress, Some(1.0));
    assert_eq!(
        (last.lines[0].number, last.lines[0].text.as_str()),
        (2, "all is done")
    );
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_reported_while_redis_was_away_comes_with_the_end() {
    let env = TestEnv::alone().await;
    let mut watch = env.watch().await;
    let talkative = Talkative::default();
    let go_on = std::sync::Arc::clone(&talkative.go_on);
    let worker = env.worker(&catalog_of(talkative));
    env.push(&[envelope("talkative", &json!(null))]).await;
    watch
        .until("it said something", |watch| !noted(watch).is_empty())
        .await;
    env.redis.kill();
    go_on.notify_one();
    tokio::time::sleep(Duration::from_millis(500)).await;
    env.redis.launch();
    watch.until_finished(1).await;
    let mut all: Vec<u32> = noted(&watch)
        .into_iter()
        .chain([&watch.finished()[0].notes])
        .flat_map(|notes| notes.lines.iter().map(|line| line.number))
        .collect();
    // A line whose answer was lost is told once more; its number tells that.
    all.dedup();
    assert_eq!(all, [1, 2]);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_may_bring_its_own_backoff() {
    let env = TestEnv::new().await;
    let mut watch = env.watch().await;
    let worker = env.worker(&catalog_of(Scripted::default()));
    let mut job = envelope("scripted", &json!({ "fail": 1 }));
    job.backoff = Some(Backoff::Fixed(vec![Duration::from_millis(700)]));
    env.push(std::slice::from_ref(&job)).await;
    watch.until_finished(2).await;
    let finished = watch.finished();
    let Outcome::Retrying { run_at, parked, .. } = &finished[0].outcome else {
        panic!("{:?}", finished[0])
    };
    assert!(!parked && *run_at >= finished[0].finished_at + Duration::from_millis(690));
    assert!(finished[1].started_at >= *run_at - Duration::from_millis(5));
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_next_attempt_is_far_off_leaves_redis() {
    let env = TestEnv::new().await;
    let mut watch = env.watch().await;
    let worker = env.worker(&catalog_of(Scripted::default()));
    let mut job = envelope("scripted", &json!({ "fail": 1 }));
    job.backoff = Some(Backoff::Fixed(vec![env.settings.redis.horizon * 2]));
    env.push(std::slice::from_ref(&job)).await;
    watch.until_finished(1).await;
    let outcome = &watch.finished()[0].outcome;
    assert!(
        matches!(outcome, Outcome::Retrying { parked: true, .. }),
        "{outcome:?}"
    );
    env.assert_clean().await;
    assert_eq!(env.queues.unknown(&env.queue, &[job.id]).await.unwrap(), [job.id]);

    // As when SQL brings it back, with the attempts that it has made.
    job.attempt = 1;
    env.push(std::slice::from_ref(&job)).await;
    watch.until_finished(2).await;
    assert_eq!(watch.finished()[1].attempt, 2);
    worker.stop().await;
}
