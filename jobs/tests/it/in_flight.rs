//! What a worker holds and has not begun: it is little, it goes back in time, it costs no attempt, and it does not begin
//! once it was cancelled or is another worker's.

mod begin;

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use jobs::catalog::{Catalog, FunctionSettings};
use jobs::context::JobContext;
use jobs::function::{Function, JobError};
use jobs::job::{Envelope, JobId, JobState};
use jobs::queue::events::{ErrorKind, Finished, JobEvent, Outcome, ReturnReason};
use jobs::queue::{Cancelled, Limits};
use jobs::worker::{self, WorkerSettings};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::functions::Scripted;
use crate::support::monitor::Monitor;
use crate::support::{RedisServer, TestEnv, TestWorker, Watch, catalog_of, envelope, eventually};

/// One with a single place.
async fn with_one_place() -> TestEnv {
    let mut env = TestEnv::new().await;
    env.settings.concurrency = 1;
    env
}

fn with_echo(scripted: &Scripted) -> Arc<Catalog> {
    let catalog = Catalog::new(&FunctionSettings::default()).unwrap();
    Arc::new(catalog.with(scripted.clone()).unwrap())
}

/// A worker that has seen nothing but short jobs, and so takes many at once.
async fn used_to_short_jobs(env: &TestEnv, watch: &mut Watch, catalog: &Arc<Catalog>) -> TestWorker {
    let before = watch.finished().len();
    let worker = env.worker(catalog);
    let short: Vec<Envelope> = (0..3_000)
        .map(|number| envelope("echo", &json!(number)))
        .collect();
    env.push(&short).await;
    watch.until_finished(before + short.len()).await;
    worker
}

fn gated_jobs(count: usize, max_attempts: u32) -> Vec<Envelope> {
    let job = || Envelope {
        max_attempts,
        ..envelope("scripted", &json!({}))
    };
    (0..count).map(|_| job()).collect()
}

/// How many jobs each worker holds.
async fn held(env: &TestEnv) -> Vec<usize> {
    let mut raw = env.raw().await;
    let names: Vec<String> = redis::cmd("ZRANGE")
        .arg(env.key("workers"))
        .arg(&["0", "-1"])
        .query_async(&mut raw)
        .await
        .unwrap();
    let mut held = Vec::new();
    for name in names {
        let key = env.key(&format!("running:{name}"));
        held.push(redis::cmd("HLEN").arg(key).query_async(&mut raw).await.unwrap());
    }
    held
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_turn_out_slow_go_back_and_an_idle_worker_has_them() {
    let env = with_one_place().await;
    let mut watch = env.watch().await;
    let scripted = Scripted::gated();
    let catalog = with_echo(&scripted);
    let first = used_to_short_jobs(&env, &mut watch, &catalog).await;
    let jobs = gated_jobs(60, 1);
    env.push(&jobs).await;
    eventually("one runs and the rest went back", || async {
        scripted.runs() == 1 && held(&env).await == [1]
    })
    .await;
    let second = env.worker(&catalog);
    eventually("the other worker runs one as well", || async {
        scripted.runs() == 2
    })
    .await;
    scripted.open(60);
    watch.until_finished(3_060).await;
    let begun = watch.finished();
    let begun = begun.iter().filter(|finished| finished.function == "scripted");
    assert!(
        begun
            .clone()
            .all(|finished| finished.outcome.state() == JobState::Completed)
    );
    assert_eq!(begun.count(), 60, "each ran once");
    first.stop().await;
    second.stop().await;
    env.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_back_keeps_its_order() {
    let env = with_one_place().await;
    let mut watch = env.watch().await;
    let scripted = Scripted::gated();
    let worker = used_to_short_jobs(&env, &mut watch, &with_echo(&scripted)).await;
    let jobs = gated_jobs(40, 3);
    env.push(&jobs).await;
    eventually("the rest went back", || async {
        scripted.runs() == 1 && held(&env).await == [1]
    })
    .await;
    scripted.open(40);
    watch.until_finished(3_040).await;
    let order: Vec<JobId> = watch.finished()[3_000..]
        .iter()
        .map(|finished| finished.id)
        .collect();
    assert_eq!(order, jobs.iter().map(|job| job.id).collect::<Vec<_>>());
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_only_attempts_of_a_vanished_worker_exactly_those_that_had_begun_are_dead() {
    let env = with_one_place().await;
    let mut watch = env.watch().await;
    let scripted = Scripted::gated();
    let vanishing = used_to_short_jobs(&env, &mut watch, &with_echo(&scripted)).await;
    let jobs = gated_jobs(60, 1);
    env.push(&jobs).await;
    while scripted.runs() == 0 {
        tokio::task::yield_now().await;
    }
    vanishing.run.abort();
    drop(vanishing.run.await);

    let other = Scripted::default();
    let worker = env.worker(&catalog_of(other.clone()));
    watch.until_finished(3_060).await;
    let finished = watch.finished();
    let (dead, completed) = finished[3_000..]
        .iter()
        .copied()
        .partition::<Vec<&Finished>, _>(|finished| finished.outcome.state() == JobState::Dead);
    assert_eq!(
        (dead.len(), completed.len()),
        (1, 59),
        "runs here: {}",
        other.runs()
    );
    let Outcome::Dead { error } = &dead[0].outcome else {
        panic!("{dead:?}")
    };
    assert_eq!((dead[0].id, error.kind), (jobs[0].id, ErrorKind::Crash));
    assert!(completed.iter().all(|finished| finished.attempt == 1));
    worker.stop().await;
    env.assert_clean().await;
}

/// Ends its worker as soon as it runs, as far as a test can do that.
struct Poison(mpsc::Sender<()>);

impl Function for Poison {
    const NAME: &'static str = "poison";
    const DESCRIPTION: &'static str = "Ends its worker.";
    type Input = Value;
    type Output = Value;

    async fn run(&self, _context: JobContext, _input: Value) -> Result<Value, JobError> {
        self.0.send(()).ok();
        std::future::pending().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_ends_its_worker_at_once_ends_dead_and_its_neighbours_are_not_charged() {
    let env = with_one_place().await;
    let mut watch = env.watch().await;
    let (sender, poisoned) = mpsc::channel();
    let scripted = Scripted::default();
    let catalog = Catalog::new(&FunctionSettings::default()).unwrap();
    let catalog = catalog.with(scripted.clone()).unwrap();
    let catalog = Arc::new(catalog.with(Poison(sender)).unwrap());
    let mut worker = used_to_short_jobs(&env, &mut watch, &catalog).await;
    let poison = Envelope {
        max_attempts: 2,
        ..envelope("poison", &json!({}))
    };
    let mut jobs = vec![poison.clone()];
    jobs.extend(gated_jobs(30, 2));
    env.push(&jobs).await;
    let mut deaths = 0;
    // The first loss may come before anybody could mark the job; from the second on it is marked first.
    while watch.finished().iter().all(|finished| finished.id != poison.id) {
        let seen = watch.seen.len();
        watch
            .until("something happens", |watch| watch.seen.len() > seen)
            .await;
        while poisoned.try_recv().is_ok() {
            deaths += 1;
            worker.run.abort();
            drop(worker.run.await);
            worker = env.worker(&catalog);
        }
    }
    watch.until_finished(3_031).await;
    let story = watch.story(poison.id);
    assert_eq!(story.last().unwrap(), "dead", "{story:?}");
    assert!((2..=3).contains(&deaths), "{deaths} workers died");
    for neighbour in &jobs[1..] {
        let ends = watch.finished();
        let end = ends.iter().find(|finished| finished.id == neighbour.id).unwrap();
        assert_eq!((end.attempt, end.outcome.state()), (1, JobState::Completed));
    }
    let charged = watch.events().filter(|event| {
        matches!(event, JobEvent::Returned { id, reason: ReturnReason::Orphaned, .. } if *id != poison.id)
    });
    assert_eq!(charged.count(), 0);
    worker.stop().await;
    env.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_concurrency_counts_what_runs() {
    let env = with_one_place().await;
    let mut watch = env.watch().await;
    let scripted = Scripted::gated();
    let catalog = with_echo(&scripted);
    let first = used_to_short_jobs(&env, &mut watch, &catalog).await;
    let second = env.worker(&catalog);
    let limits = Limits {
        concurrency: Some(2),
        ..Limits::default()
    };
    env.queues.set_limits(&env.queue, &limits).await.unwrap();
    let jobs = gated_jobs(20, 1);
    env.push(&jobs).await;
    eventually("both workers run one", || async { scripted.runs() == 2 }).await;
    assert_eq!(held(&env).await, [1, 1]);
    scripted.open(20);
    watch.until_finished(3_020).await;
    // Nothing of it was ever handed out to wait for a place. Some of the short jobs before the limit may have been, on a
    // machine that was busy.
    let limited: BTreeSet<JobId> = jobs.iter().map(|job| job.id).collect();
    let returned = watch
        .events()
        .filter(|event| matches!(event, JobEvent::Returned { id, .. } if limited.contains(id)));
    assert_eq!(returned.count(), 0);
    first.stop().await;
    second.stop().await;
    env.assert_clean().await;
}

/// Blocks the thread of its worker until the test lets go: everything else in that worker stands still.
struct Blocking {
    begun: Arc<AtomicU32>,
    go_on: Mutex<mpsc::Receiver<()>>,
}

impl Function for Blocking {
    const NAME: &'static str = "blocking";
    const DESCRIPTION: &'static str = "Holds its worker up.";
    type Input = Value;
    type Output = Value;

    async fn run(&self, _context: JobContext, _input: Value) -> Result<Value, JobError> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        self.go_on.lock().unwrap().recv().ok();
        Ok(Value::Null)
    }
}

/// A worker of two places on a single thread, which stands still with a second job in hand that has not begun.
struct StandsStill {
    victim: Envelope,
    runs_of_victim: Scripted,
    go_on: mpsc::Sender<()>,
    stop: CancellationToken,
    thread: std::thread::JoinHandle<()>,
}

impl StandsStill {
    async fn begin(env: &TestEnv) -> Self {
        let begun = Arc::new(AtomicU32::new(0));
        let (go_on, receiver) = mpsc::channel();
        let blocking = Blocking {
            begun: Arc::clone(&begun),
            go_on: Mutex::new(receiver),
        };
        let scripted = Scripted::default();
        let catalog = Catalog::empty().with(blocking).unwrap();
        let catalog = Arc::new(catalog.with(scripted.clone()).unwrap());
        let victim = envelope("scripted", &json!({}));
        env.push(&[envelope("blocking", &json!({})), victim.clone()])
            .await;
        let stop = CancellationToken::new();
        let settings = WorkerSettings {
            concurrency: 2,
            ..env.settings.clone()
        };
        let thread = std::thread::spawn({
            let stop = stop.clone();
            move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                runtime.block_on(worker::run(settings, catalog, stop)).unwrap();
            }
        });
        eventually("the worker stands still", || async {
            begun.load(Ordering::SeqCst) == 1
        })
        .await;
        assert_eq!(held(env).await, [2]);
        Self {
            victim,
            runs_of_victim: scripted,
            go_on,
            stop,
            thread,
        }
    }

    /// What it runs by then, and comes to run again, goes on.
    fn end(self) {
        drop(self.go_on);
        self.stop.cancel();
        self.thread.join().unwrap();
    }
}
