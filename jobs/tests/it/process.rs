//! The worker as a process of its own, and the signals that it may get.

use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use jobs::job::Envelope;
use jobs::queue::events::JobEvent;
use serde_json::json;

use crate::support::{TestEnv, Watch, envelope, eventually};

/// A value of this size keeps a processor busy for a good part of a second.
const BIG: u32 = 9_000_000;

struct Process {
    child: Child,
    name: &'static str,
}

impl Process {
    fn start(env: &TestEnv, name: &'static str) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_worker"))
            .env_clear()
            .env("SPIRAL_REDIS_URL", &env.settings.redis.url)
            .env("SPIRAL_REDIS_PREFIX", &env.settings.redis.key_prefix)
            .env("SPIRAL_REDIS_TIMEOUT", "1s")
            .env("SPIRAL_LEASE", "2s")
            .env("SPIRAL_GRACE", "20s")
            .env("SPIRAL_CONCURRENCY", "4")
            .env("SPIRAL_WORKER_NAME", name)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, name }
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .arg(signal)
            .arg(self.child.id().to_string())
            .status()
            .unwrap();
        assert!(sent.success());
    }

    async fn exit_code(&mut self) -> Option<i32> {
        let deadline = Instant::now() + Duration::from_mins(2);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "{} goes on", self.name);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// It has taken a job and not told how it ended.
    async fn runs_something(&self, watch: &mut Watch) {
        let name = self.name;
        let begins = |worker: &str| worker.starts_with(name);
        watch
            .until(&format!("{name} runs a job"), |watch| {
                let finished: Vec<_> = watch.finished().iter().map(|finished| finished.id).collect();
                watch.events().any(|event| {
                    matches!(event, JobEvent::Started { id, worker, .. } if begins(worker) && !finished.contains(id))
                })
            })
            .await;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn big_jobs(count: u32) -> Vec<Envelope> {
    (0..count)
        .map(|n| envelope("fibonacci", &json!({ "index": BIG + n })))
        .collect()
}

/// Every job has completed exactly once.
fn assert_one_outcome_each(watch: &Watch, jobs: &[Envelope]) {
    for job in jobs {
        let completed = watch
            .story(job.id)
            .iter()
            .filter(|step| *step == "completed")
            .count();
        assert_eq!(completed, 1, "{:?}", watch.story(job.id));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hangup_does_not_end_a_worker() {
    let env = TestEnv::new().await;
    let mut watch = env.watch().await;
    let mut worker = Process::start(&env, "steady");
    let mut rounds = big_jobs(2);
    for round in 1..=2 {
        // Each has a value of its own: the memo would give the same one at once.
        let jobs: Vec<Envelope> = rounds.pop().into_iter().collect();
        env.push(&jobs).await;
        worker.runs_something(&mut watch).await;
        // In the middle of a job.
        worker.signal("-HUP");
        watch.until_finished(round).await;
        assert_one_outcome_each(&watch, &jobs);
    }
    worker.signal("-TERM");
    assert_eq!(worker.exit_code().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_killed_loses_no_job_and_doubles_none() {
    let env = TestEnv::new().await;
    let mut watch = env.watch().await;
    let mut doomed = Process::start(&env, "doomed");
    let jobs = big_jobs(6);
    env.push(&jobs).await;
    doomed.runs_something(&mut watch).await;
    doomed.signal("-KILL");
    assert_eq!(doomed.exit_code().await, None);
    let _heir = Process::start(&env, "heir");
    watch.until_finished(6).await;
    assert_one_outcome_each(&watch, &jobs);
    assert!(watch.finished().iter().any(|finished| finished.attempt == 2));
    env.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_slept_past_its_lease_changes_nothing_when_it_wakes() {
    let env = TestEnv::new().await;
    let mut watch = env.watch().await;
    let sleeper = Process::start(&env, "sleeper");
    let jobs = big_jobs(4);
    env.push(&jobs).await;
    sleeper.runs_something(&mut watch).await;
    sleeper.signal("-STOP");
    let _heir = Process::start(&env, "heir");
    watch
        .until("the heir has taken over", |watch| {
            watch
                .events()
                .any(|event| matches!(event, JobEvent::Returned { .. }))
        })
        .await;
    sleeper.signal("-CONT");
    watch.until_finished(4).await;
    // The sleeper is awake: it beats again, and has told all that it had to tell.
    eventually("both workers are there", || async {
        env.queues.depth(&env.queue).await.unwrap().workers == 2
    })
    .await;
    assert_one_outcome_each(&watch, &jobs);
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_lets_running_jobs_end_and_exits_with_zero() {
    let env = TestEnv::new().await;
    let mut watch = env.watch().await;
    let mut worker = Process::start(&env, "polite");
    let jobs = big_jobs(8);
    env.push(&jobs).await;
    worker.runs_something(&mut watch).await;
    worker.signal("-TERM");
    assert_eq!(worker.exit_code().await, Some(0));
    let depth = env.queues.depth(&env.queue).await.unwrap();
    assert_eq!((depth.running, depth.workers), (0, 0));
    let _next = Process::start(&env, "next");
    watch.until_finished(8).await;
    assert_one_outcome_each(&watch, &jobs);
    assert!(watch.finished().iter().all(|finished| finished.attempt == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_stops_at_once() {
    let env = TestEnv::new().await;
    let mut watch = env.watch().await;
    let mut worker = Process::start(&env, "hasty");
    let jobs = big_jobs(40);
    env.push(&jobs).await;
    worker.runs_something(&mut watch).await;
    worker.signal("-TERM");
    // Signals of one kind that come together are told as one.
    tokio::time::sleep(Duration::from_millis(50)).await;
    worker.signal("-INT");
    let asked = Instant::now();
    worker.exit_code().await;
    assert!(
        asked.elapsed() < Duration::from_secs(5),
        "it took {:?}",
        asked.elapsed()
    );
}

fn healthcheck(env: &TestEnv, name: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_worker"))
        .arg("healthcheck")
        .env_clear()
        .env("SPIRAL_REDIS_URL", &env.settings.redis.url)
        .env("SPIRAL_REDIS_PREFIX", &env.settings.redis.key_prefix)
        .env("SPIRAL_REDIS_TIMEOUT", "1s")
        .env("SPIRAL_WORKER_NAME", name)
        .output()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_is_well_as_long_as_it_renews_its_lease() {
    let env = TestEnv::alone().await;
    let stderr_of = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let nobody = healthcheck(&env, "patient");
    assert_eq!(nobody.status.code(), Some(1));
    assert!(
        stderr_of(&nobody).contains("no worker called patient"),
        "{}",
        stderr_of(&nobody)
    );

    let patient = Process::start(&env, "patient");
    eventually("it is well", || async {
        healthcheck(&env, "patient").status.success()
    })
    .await;
    assert!(!healthcheck(&env, "pat").status.success(), "that is another one");
    patient.signal("-STOP");
    eventually("it is unwell", || async {
        !healthcheck(&env, "patient").status.success()
    })
    .await;
    patient.signal("-CONT");
    eventually("it is well again", || async {
        healthcheck(&env, "patient").status.success()
    })
    .await;

    env.redis.kill();
    let unknown = healthcheck(&env, "patient");
    assert_eq!(unknown.status.code(), Some(1));
    assert!(
        stderr_of(&unknown).contains("Redis cannot be asked"),
        "{}",
        stderr_of(&unknown)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_settings_are_reported_all_at_once_and_nothing_starts() {
    let output = Command::new(env!("CARGO_BIN_EXE_worker"))
        .env_clear()
        .env("SPIRAL_CONCURRENCY", "many")
        .env("SPIRAL_LEASE", "soon")
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.contains("SPIRAL_CONCURRENCY") && stderr.contains("SPIRAL_LEASE"),
        "{stderr}"
    );
}
