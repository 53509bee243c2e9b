//! What a queue allows, and who is next: pause, limits, priorities, fair shares, the order of several queues.

use std::time::{Duration, Instant};

use jobs::catalog::Catalog;
use jobs::function::{Function, JobError, Policy};
use jobs::job::{Envelope, Priority, QueueName};
use jobs::queue::{Limits, RateLimit};
use jobs::worker::WorkerSettings;
use serde_json::{Value, json};

use crate::functions::Scripted;
use crate::support::{TestEnv, TestWorker, Watch, catalog_of, envelope, eventually};

fn plain() -> Envelope {
    envelope("scripted", &json!({}))
}

fn of(fairness_key: &str) -> Envelope {
    Envelope {
        fairness_key: Some(fairness_key.to_owned()),
        ..plain()
    }
}

fn priority(number: u8) -> Envelope {
    Envelope {
        priority: Priority::try_from(number).unwrap(),
        ..plain()
    }
}

/// The places of these jobs among all that have finished.
fn places(watch: &Watch, jobs: &[Envelope]) -> Vec<usize> {
    let finished = watch.finished();
    let place = |job: &Envelope| finished.iter().position(|finished| finished.id == job.id);
    jobs.iter().map(|job| place(job).unwrap()).collect()
}

/// One that runs a job at a time and takes no more, so that the order of ends is the order of fetches.
fn one_at_a_time(env: &TestEnv) -> WorkerSettings {
    WorkerSettings {
        concurrency: 1,
        ..env.settings.clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_the_higher_priority_is_first() {
    let env = TestEnv::new().await;
    let mut watch = env.watch().await;
    let jobs: Vec<Envelope> = [9, 5, 1, 3, 5, 1].map(priority).into();
    env.push(&jobs).await;
    let worker = TestWorker::start(&catalog_of(Scripted::default()), one_at_a_time(&env));
    watch.until_finished(6).await;
    assert_eq!(places(&watch, &jobs), [5, 3, 0, 2, 4, 1]);
    worker.stop().await;
    env.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retried_job_keeps_its_priority() {
    let env = TestEnv::new().await;
    let mut watch = env.watch().await;
    let mut urgent = envelope("scripted", &json!({ "fail": 1 }));
    urgent.priority = Priority::FIRST;
    let scripted = Scripted::default();
    let worker = env.worker(&catalog_of(scripted.clone()));
    env.push(std::slice::from_ref(&urgent)).await;
    watch
        .until("it waits for its next attempt", |watch| {
            watch.story(urgent.id).contains(&"retrying".to_owned())
        })
        .await;
    worker.stop().await;
    // Longer than its backoff: it is due when the next worker comes.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let many: Vec<Envelope> = (0..50).map(|_| plain()).collect();
    env.push(&many).await;
    let worker = TestWorker::start(&catalog_of(scripted), one_at_a_time(&env));
    watch.until_finished(52).await;
    assert_eq!(
        places(&watch, &many).into_iter().min(),
        Some(2),
        "behind both attempts of the urgent one"
    );
    worker.stop().await;
    env.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_many_jobs_of_one_key_do_not_delay_the_one_of_another() {
    let env = TestEnv::new().await;
    let mut watch = env.watch().await;
    let many: Vec<Envelope> = (0..5_000).map(|_| of("many")).collect();
    env.push(&many).await;
    let few = [of("few"), of("few"), plain()];
    env.push(&few).await;
    let worker = env.worker(&catalog_of(Scripted::default()));
    watch.until_finished(5_003).await;
    // A fetch brings at most 520 jobs here, and each key has its share of it.
    let last = places(&watch, &few).into_iter().max().unwrap();
    assert!(last < 1_100, "the last of the few was number {last}");
    worker.stop().await;
    env.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_queue_hands_out_nothing_until_it_goes_on() {
    let env = TestEnv::new().await;
    let mut watch = env.watch().await;
    let scripted = Scripted::default();
    let paused = Limits {
        paused: true,
        ..Limits::default()
    };
    env.queues.set_limits(&env.queue, &paused).await.unwrap();
    assert_eq!(env.queues.limits(&env.queue).await.unwrap(), paused);
    let worker = env.worker(&catalog_of(scripted.clone()));
    env.push(&[plain(), plain()]).await;
    // A worker that ignored the pause would have taken them long before its third look.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(scripted.runs(), 0);
    let asked = Instant::now();
    env.queues
        .set_limits(&env.queue, &Limits::default())
        .await
        .unwrap();
    watch.until_finished(2).await;
    assert!(
        asked.elapsed() < Duration::from_millis(900),
        "woken, not by its next poll: {:?}",
        asked.elapsed()
    );
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_on_running_jobs_holds_over_all_workers() {
    let env = TestEnv::new().await;
    let mut watch = env.watch().await;
    let limits = Limits {
        concurrency: Some(3),
        ..Limits::default()
    };
    env.queues.set_limits(&env.queue, &limits).await.unwrap();
    let scripted = Scripted::gated();
    let workers = [
        env.worker(&catalog_of(scripted.clone())),
        env.worker(&catalog_of(scripted.clone())),
    ];
    let jobs: Vec<Envelope> = (0..30).map(|_| plain()).collect();
    env.push(&jobs).await;
    for done in 0..30 {
        eventually("the places are taken", || async {
            scripted.runs() >= (done + 3).min(30)
        })
        .await;
        let depth = env.queues.depth(&env.queue).await.unwrap();
        assert!(depth.running <= 3, "{depth:?}");
        assert_eq!(u64::from(scripted.runs()), u64::from(done) + depth.running);
        scripted.open(1);
        watch.until_finished(usize::try_from(done).unwrap() + 1).await;
    }
    for worker in workers {
        worker.stop().await;
    }
    env.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rate_limit_lets_a_burst_through_and_then_so_many_in_a_time() {
    let env = TestEnv::new().await;
    let mut watch = env.watch().await;
    let rate = RateLimit {
        jobs: 10,
        period: Duration::from_secs(1),
        burst: 5,
    };
    let limits = Limits {
        rate: Some(rate),
        ..Limits::default()
    };
    env.queues.set_limits(&env.queue, &limits).await.unwrap();
    assert_eq!(env.queues.limits(&env.queue).await.unwrap(), limits);
    let jobs: Vec<Envelope> = (0..20).map(|_| plain()).collect();
    env.push(&jobs).await;
    let worker = env.worker(&catalog_of(Scripted::default()));
    watch.until_finished(20).await;
    let finished = watch.finished();
    let began: Vec<_> = finished.iter().map(|finished| finished.started_at).collect();
    let after = |n: usize| (began[n] - began[0]).num_milliseconds();
    assert!(after(4) < 90, "the burst took {} ms", after(4));
    // Job n may begin when the bucket has had n + 1 tokens: not sooner, whatever the machine is busy with.
    for n in 5..20_i32 {
        let earliest = i64::from(n - 4) * 100 - 30;
        let began = after(usize::try_from(n).unwrap());
        assert!(began >= earliest, "job {n} began after {began} ms");
    }
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_after_its_deadline_does_nothing() {
    let env = TestEnv::new().await;
    let jobs = [plain(), plain()];
    let deadline = env.queues.deadline(&env.queue, Duration::ZERO).await.unwrap();
    // Longer than the way to Redis: by so much the clock here may be ahead.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let pushed = env.queues.push_before(deadline, &env.queue, &jobs).await.unwrap();
    assert_eq!((pushed.pushed, pushed.late), (0, 2));
    let deadline = env
        .queues
        .deadline(&env.queue, Duration::from_mins(1))
        .await
        .unwrap();
    let pushed = env.queues.push_before(deadline, &env.queue, &jobs).await.unwrap();
    assert_eq!((pushed.pushed, pushed.late, pushed.held), (2, 0, 2));
}

/// The same as [`Scripted`], in a queue of its own.
struct Elsewhere(Scripted);

impl Function for Elsewhere {
    const NAME: &'static str = "elsewhere";
    const DESCRIPTION: &'static str = "Runs in another queue.";
    type Input = crate::functions::Probe;
    type Output = Value;

    fn policy(&self) -> Policy {
        Policy {
            queue: "elsewhere".parse().unwrap(),
            ..Policy::default()
        }
    }

    async fn run(&self, context: jobs::context::JobContext, input: Self::Input) -> Result<Value, JobError> {
        self.0.run(context, input).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_strict_order_a_later_queue_waits_for_the_earlier_ones() {
    let env = TestEnv::new().await;
    let elsewhere: QueueName = "elsewhere".parse().unwrap();
    let both = [env.queue.clone(), elsewhere.clone()];
    let mut watch = Watch::begin(&env.queues, &both).await;
    let later: Vec<Envelope> = (0..40).map(|_| envelope("elsewhere", &json!({}))).collect();
    let first: Vec<Envelope> = (0..40).map(|_| plain()).collect();
    env.queues.push(&elsewhere, &later).await.unwrap();
    env.push(&first).await;

    let catalog = Catalog::empty()
        .with_queues("default,elsewhere".parse().unwrap())
        .with(Scripted::default())
        .unwrap()
        .with(Elsewhere(Scripted::default()))
        .unwrap();
    let mut settings = one_at_a_time(&env);
    settings.strict_order = true;
    let worker = TestWorker::start(&std::sync::Arc::new(catalog), settings);
    watch.until_finished(80).await;
    let last_of_first = places(&watch, &first).into_iter().max().unwrap();
    let first_of_later = places(&watch, &later).into_iter().min().unwrap();
    assert!(last_of_first < first_of_later, "{last_of_first} {first_of_later}");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_serves_the_queues_that_it_is_told_to() {
    let env = TestEnv::new().await;
    let elsewhere: QueueName = "elsewhere".parse().unwrap();
    let served = Scripted::default();
    let catalog = Catalog::empty()
        .with(served.clone())
        .unwrap()
        .with(Elsewhere(Scripted::default()))
        .unwrap();
    let catalog = std::sync::Arc::new(catalog);
    let settings = WorkerSettings {
        queues: vec![env.queue.clone()],
        ..env.settings.clone()
    };
    env.queues
        .push(&elsewhere, &[envelope("elsewhere", &json!({}))])
        .await
        .unwrap();
    env.push(&[plain()]).await;
    let worker = TestWorker::start(&catalog, settings);
    eventually("its own queue's job ran", || async { served.runs() == 1 }).await;
    let depth = env.queues.depth(&elsewhere).await.unwrap();
    assert_eq!((depth.queued, depth.workers), (1, 0));
    worker.stop().await;

    let settings = WorkerSettings {
        queues: vec!["unheard-of".parse().unwrap()],
        ..env.settings.clone()
    };
    let refused = TestWorker::start(&catalog, settings)
        .run
        .await
        .unwrap()
        .unwrap_err();
    assert!(refused.to_string().contains("unheard-of"), "{refused}");
}
