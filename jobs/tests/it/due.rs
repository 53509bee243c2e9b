//! Jobs that wait for their time: a worker sleeps until exactly then, and many that are due at once are taken in
//! bounded steps, between which other queues have their turn.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use jobs::catalog::Catalog;
use jobs::context::JobContext;
use jobs::function::{Function, JobError};
use jobs::job::{Envelope, QueueName};
use jobs::queue::events::JobEvent;
use redis::Script;
use serde_json::json;
use tokio::sync::mpsc;

use crate::functions::{On, Scripted};
use crate::support::monitor::{Call, Monitor};
use crate::support::signature::Signature;
use crate::support::{RedisServer, TestEnv, Watch, catalog_of, envelope, eventually};

fn due_at(time: DateTime<Utc>, function: &str) -> Envelope {
    Envelope {
        run_at: Some(time),
        ..envelope(function, &json!({}))
    }
}

/// The fetches among these calls, of the queue `name`.
fn fetches<'a>(calls: &'a [Call], name: &str) -> Vec<&'a Call> {
    let (prelude, fetch) = (
        include_str!("../../lua/prelude.lua"),
        include_str!("../../lua/fetch.lua"),
    );
    let script = Signature::of(fetch).script("#!lua flags=allow-oom\n", prelude, fetch);
    let script = Script::new(&script);
    let of_queue = format!("{{{name}}}");
    let is_fetch = |call: &&Call| {
        matches!(call.words.as_slice(), [command, hash, _, key, ..]
            if command == "EVALSHA" && hash == script.get_hash() && key.contains(&of_queue))
    };
    calls.iter().filter(is_fetch).collect()
}

async fn has_come(env: &TestEnv) {
    eventually("the worker is there", || async {
        env.queues.depth(&env.queue).await.unwrap().workers == 1
    })
    .await;
}

/// Whatever the machine is busy with: the time at which Redis was asked, and how long it was told to wait, add up to the
/// time at which the job is due.
#[tokio::test(flavor = "multi_thread")]
async fn an_idle_worker_sleeps_until_the_next_job_is_due() {
    let env = TestEnv::alone().await;
    let mut watch = env.watch().await;
    let worker = env.worker(&catalog_of(Scripted::default()));
    has_come(&env).await;
    let mut slept = 0;
    // A worker that is held up until the job is due need not sleep: then that says nothing.
    for round in 1..=20 {
        let monitor = Monitor::begin(&env.redis);
        let due = Utc::now() + Duration::from_millis(737);
        env.push(&[due_at(due, "scripted")]).await;
        watch.until_finished(round).await;
        let calls = monitor.calls();
        let is_push = |call: &Call| call.words.iter().any(|word| word.contains("run_at"));
        let pushed = calls.iter().position(is_push).unwrap();
        let waits = (pushed..calls.len()).filter(|place| calls[*place].words[0] == "BLPOP");
        for place in waits {
            let Some(asked) = fetches(&calls[pushed..place], env.queue.as_str()).pop() else {
                continue;
            };
            let wait: f64 = calls[place].words.last().unwrap().parse().unwrap();
            #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are exact")]
            let until_due = due.timestamp_millis() as f64 - asked.at;
            if until_due > 1.0 {
                assert!(
                    (wait * 1_000.0 - until_due).abs() <= 2.0,
                    "{until_due} ms ahead, and it slept {wait} s"
                );
                slept += 1;
            }
        }
        if slept >= 3 {
            break;
        }
    }
    assert!(slept > 0, "it never slept");
    worker.stop().await;
}

/// Tells when it began.
struct Timed(mpsc::UnboundedSender<DateTime<Utc>>);

impl Function for Timed {
    const NAME: &'static str = "timed";
    const DESCRIPTION: &'static str = "Tells when it began.";
    type Input = serde_json::Value;
    type Output = ();

    async fn run(&self, _: JobContext, _: serde_json::Value) -> Result<(), JobError> {
        self.0.send(Utc::now()).map_err(JobError::retry)
    }
}

/// Redis itself looks after waits that are over only now and then. With one that hardly ever does, a worker that trusts
/// it starts most jobs much too late. The median of many, because the machine may be busy.
#[tokio::test(flavor = "multi_thread")]
async fn a_due_job_does_not_wait_until_redis_looks_at_its_clock() {
    let mut env = TestEnv::on(Arc::new(RedisServer::start_sleepy())).await;
    env.settings.lease = Duration::from_mins(1);
    let (began, mut begun) = mpsc::unbounded_channel();
    let worker = env.worker(&catalog_of(Timed(began)));
    has_come(&env).await;
    let mut late = Vec::new();
    for round in 0..15 {
        // Not in step with anything.
        let due = Utc::now() + Duration::from_millis(203 + round * 7);
        env.push(&[due_at(due, "timed")]).await;
        let began = tokio::time::timeout(Duration::from_mins(2), begun.recv())
            .await
            .unwrap();
        let after = (began.unwrap() - due).num_milliseconds();
        assert!(after >= -1, "{after} ms after its time");
        late.push(after);
    }
    late.sort_unstable();
    assert!(late[7] < 100, "in ms: {late:?}");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_jobs_due_at_once_line_up_in_steps_and_starve_no_other_queue() {
    const MANY: usize = 3_000;
    const STEP: usize = 500;
    let env = TestEnv::alone().await;
    let (crowded, quiet): (QueueName, QueueName) = ("crowded".parse().unwrap(), "quiet".parse().unwrap());
    let both = [crowded.clone(), quiet.clone()];
    let mut watch = Watch::begin(&env.queues, &both).await;
    let due = Utc::now() + Duration::from_millis(1_500);
    let many: Vec<Envelope> = (0..MANY).map(|_| due_at(due, "on-0")).collect();
    env.queues.push(&crowded, &many).await.unwrap();
    let one = due_at(due, "on-1");
    env.queues.push(&quiet, std::slice::from_ref(&one)).await.unwrap();
    tokio::time::sleep((due - Utc::now()).to_std().unwrap_or_default()).await;

    // Few at a time, so that the crowd is there for as long as can be.
    let mut env = env;
    env.settings.concurrency = 2;
    let monitor = Monitor::begin(&env.redis);
    let catalog = Catalog::empty()
        .with(On::<0>(crowded.clone(), Scripted::default()))
        .unwrap()
        .with(On::<1>(quiet.clone(), Scripted::default()))
        .unwrap();
    let worker = env.worker(&Arc::new(catalog));
    watch.until_finished(MANY + 1).await;
    let calls = monitor.calls();
    worker.stop().await;

    let steps: Vec<usize> = watch
        .seen
        .iter()
        .filter(|batch| batch.queue == crowded)
        .map(|batch| {
            batch
                .events
                .iter()
                .filter(|event| matches!(event, JobEvent::Promoted { .. }))
                .count()
        })
        .filter(|promoted| *promoted > 0)
        .collect();
    assert_eq!(steps.iter().sum::<usize>(), MANY);
    assert!(steps.iter().all(|step| *step <= STEP), "{steps:?}");
    // Who is asked first is a matter of chance, half and half: so many times in a row it is never the same one.
    let first = fetches(&calls, quiet.as_str())[0].at;
    let before = fetches(&calls, crowded.as_str())
        .iter()
        .filter(|call| call.at < first)
        .count();
    assert!(
        before <= 60,
        "the crowd was asked {before} times before the other queue"
    );
}
