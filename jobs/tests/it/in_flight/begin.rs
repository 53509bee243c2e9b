//! What does not begin, and what falls over when it is dropped.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_was_cancelled_in_the_hands_of_a_worker_does_not_begin() {
    let mut env = TestEnv::new().await;
    env.settings.lease = Duration::from_mins(1);
    let mut watch = env.watch().await;
    let worker = StandsStill::begin(&env).await;
    let cancelled = env.queues.cancel(&env.queue, &[worker.victim.id]).await.unwrap();
    assert_eq!(cancelled, [Cancelled::Marked]);
    // Longer than a job may begin without another question.
    tokio::time::sleep(Duration::from_millis(300)).await;
    worker.go_on.send(()).unwrap();
    let id = worker.victim.id;
    watch
        .until("it is cancelled", |watch| {
            watch.story(id).ends_with(&["cancelled".to_owned()])
        })
        .await;
    assert_eq!(worker.runs_of_victim.runs(), 0, "{:?}", watch.story(id));
    assert_eq!(watch.story(id), ["queued", "returned", "cancelled"]);
    worker.end();
    env.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_stood_still_past_its_lease_begins_nothing_that_another_one_has() {
    let env = TestEnv::new().await;
    let mut watch = env.watch().await;
    let sleeper = StandsStill::begin(&env).await;
    let other = Scripted::gated();
    let heir = env.worker(&catalog_of(other.clone()));
    eventually("another worker runs it", || async { other.runs() == 1 }).await;
    sleeper.go_on.send(()).unwrap();
    eventually("the sleeper is awake", || async {
        env.queues.depth(&env.queue).await.unwrap().workers == 2
    })
    .await;
    other.open(1);
    let id = sleeper.victim.id;
    watch
        .until("it has ended", |watch| {
            watch.finished().iter().any(|finished| finished.id == id)
        })
        .await;
    assert_eq!(sleeper.runs_of_victim.runs(), 0);
    let ended = watch.finished();
    let ended = ended.iter().find(|finished| finished.id == id).unwrap();
    assert_eq!(ended.attempt, 1, "it had not begun: {:?}", watch.story(id));
    sleeper.end();
    heir.stop().await;
}

/// Panics when it is dropped, as a value in a function may.
struct FallsOver;

impl Drop for FallsOver {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "dropped");
    }
}

struct Clumsy;

impl Function for Clumsy {
    const NAME: &'static str = "clumsy";
    const DESCRIPTION: &'static str = "Panics when it is stopped.";
    type Input = Value;
    type Output = Value;

    async fn run(&self, _context: JobContext, _input: Value) -> Result<Value, JobError> {
        let _falls_over = FallsOver;
        std::future::pending().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_falls_over_when_it_is_dropped_has_a_failed_attempt() {
    let env = TestEnv::new().await;
    let mut watch = env.watch().await;
    let worker = env.worker(&catalog_of(Clumsy));
    let job = Envelope {
        max_attempts: 1,
        timeout_ms: 50,
        ..envelope("clumsy", &json!({}))
    };
    env.push(std::slice::from_ref(&job)).await;
    watch.until_finished(1).await;
    let finished = watch.finished()[0].clone();
    let Outcome::Dead { error } = &finished.outcome else {
        panic!("{finished:?}")
    };
    assert_eq!(error.kind, ErrorKind::Panic);
    assert!(error.message.contains("dropped"), "{error:?}");
    eventually("it is not held", || async { held(&env).await == [0] }).await;
    worker.stop().await;
    env.assert_clean().await;
}

/// What one client sends while `work` goes on, but for what scripts do within.
async fn sent(redis: &RedisServer, work: impl Future<Output = ()>) -> Vec<String> {
    let monitor = Monitor::begin(redis);
    work.await;
    let mut names: Vec<String> = Vec::new();
    eventually("the monitor has heard it", || {
        names = monitor
            .calls()
            .into_iter()
            .map(|call| call.words[0].clone())
            .collect();
        let any = !names.is_empty();
        async move { any }
    })
    .await;
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn a_memo_is_read_and_leases_are_judged_in_one_call_by_the_clock_of_redis() {
    let env = TestEnv::alone().await;
    let read = async || env.queues.memo(&env.queue, "fibonacci", "1").await.unwrap();
    let depth = async || env.queues.depth(&env.queue).await.unwrap();
    // So that the scripts are there.
    read().await;
    depth().await;
    let calls = sent(&env.redis, async { assert!(read().await.is_none()) }).await;
    assert_eq!(calls, ["EVALSHA"], "two reads may see two values");
    let calls = sent(&env.redis, async { assert_eq!(depth().await.queued, 0) }).await;
    assert_eq!(calls, ["EVALSHA"]);

    let monitor = Monitor::begin(&env.redis);
    let worker = env.worker(&catalog_of(Scripted::default()));
    eventually("it has beaten some times", || async {
        let beats = monitor.calls();
        beats.iter().filter(|call| call.words[0] == "EVALSHA").count() > 50
    })
    .await;
    let names: BTreeSet<String> = monitor
        .calls()
        .into_iter()
        .map(|call| call.words[0].clone())
        .collect();
    assert!(
        !names.contains("ZRANGEBYSCORE") && !names.contains("ZCOUNT"),
        "{names:?}"
    );
    worker.stop().await;
}
