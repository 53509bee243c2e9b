//! The Lua scripts against a model: random sequences of push, fetch, finish, give back, recover and time passing,
//! with a look at all of Redis after each step.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use redis::{Connection, Script, Value};

use crate::support::RedisServer;

const SEQUENCES: u32 = 10_000;
const JOBS: u8 = 6;
const WORKERS: u8 = 3;
const MAX_ATTEMPTS: u32 = 3;
const FAR: i64 = 3_600_000;

#[derive(Debug, Clone)]
enum Step {
    Push {
        job: u8,
        later: bool,
    },
    Fetch {
        worker: u8,
        most: u8,
    },
    /// Ends the attempt that the worker believes it holds: for good, or to be tried again at once or much later.
    Finish {
        worker: u8,
        job: u8,
        attempt: u32,
        then: Then,
    },
    GiveBack {
        worker: u8,
        job: u8,
        attempt: u32,
    },
    /// The worker's lease lapses, and another one takes its jobs over.
    Lapse {
        worker: u8,
    },
    Cancel {
        job: u8,
    },
    /// All that is scheduled becomes due.
    ClockJumps,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Then {
    End,
    AgainNow,
    AgainLater,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let then = prop_oneof![Just(Then::End), Just(Then::AgainNow), Just(Then::AgainLater)];
    let step = prop_oneof![
        3 => (0..JOBS, any::<bool>()).prop_map(|(job, later)| Step::Push { job, later }),
        4 => (0..WORKERS, 1..4_u8).prop_map(|(worker, most)| Step::Fetch { worker, most }),
        4 => (0..WORKERS, 0..JOBS, 1..4_u32, then)
            .prop_map(|(worker, job, attempt, then)| Step::Finish { worker, job, attempt, then }),
        2 => (0..WORKERS, 0..JOBS, 1..4_u32)
            .prop_map(|(worker, job, attempt)| Step::GiveBack { worker, job, attempt }),
        2 => (0..WORKERS).prop_map(|worker| Step::Lapse { worker }),
        2 => (0..JOBS).prop_map(|job| Step::Cancel { job }),
        1 => Just(Step::ClockJumps),
    ];
    prop::collection::vec(step, 1..25)
}

/// What the queue should be like.
#[derive(Debug, Default)]
struct Model {
    waiting: VecDeque<u8>,
    /// Job to whether it is due.
    scheduled: BTreeMap<u8, bool>,
    running: BTreeMap<u8, (u8, u32)>,
    made: BTreeMap<u8, u32>,
    finished: BTreeMap<u8, u32>,
    /// Called off while they waited: still in the list, until a fetch comes to them.
    hollow: BTreeSet<u8>,
    /// Called off while they ran.
    marked: BTreeSet<u8>,
    stale: u64,
}

impl Model {
    fn knows(&self, job: u8) -> bool {
        self.waiting.contains(&job) || self.scheduled.contains_key(&job) || self.running.contains_key(&job)
    }

    fn set_made(&mut self, job: u8, attempts: u32) {
        if attempts == 0 {
            self.made.remove(&job)
        } else {
            self.made.insert(job, attempts)
        };
    }

    fn end(&mut self, job: u8) {
        self.made.remove(&job);
        self.marked.remove(&job);
        *self.finished.entry(job).or_default() += 1;
    }
}

struct Real {
    connection: Connection,
    push: Script,
    fetch: Script,
    finish: Script,
    give_back: Script,
    recover: Script,
    cancel: Script,
}

fn worker_name(worker: u8) -> String {
    format!("w{worker}")
}

fn running_key(worker: u8) -> String {
    format!("running:w{worker}")
}

impl Real {
    fn new(redis: &RedisServer) -> Self {
        Self {
            connection: redis::Client::open(redis.url())
                .unwrap()
                .get_connection()
                .unwrap(),
            push: Script::new(include_str!("../../lua/push.lua")),
            fetch: Script::new(include_str!("../../lua/fetch.lua")),
            finish: Script::new(include_str!("../../lua/finish.lua")),
            give_back: Script::new(include_str!("../../lua/give_back.lua")),
            recover: Script::new(include_str!("../../lua/recover.lua")),
            cancel: Script::new(include_str!("../../lua/cancel.lua")),
        }
    }

    fn ask<T: redis::FromRedisValue>(&mut self, command: &[&str]) -> T {
        let mut call = redis::cmd(command[0]);
        call.arg(&command[1..]);
        call.query(&mut self.connection).unwrap()
    }

    fn now(&mut self) -> i64 {
        let (seconds, micros): (i64, i64) = self.ask(&["TIME"]);
        seconds * 1_000 + micros / 1_000
    }

    fn ids(&mut self, command: &[&str]) -> Vec<u8> {
        let ids: Vec<String> = self.ask(command);
        ids.iter().map(|id| id.parse().unwrap()).collect()
    }
}

/// Does one step to both and compares the answers.
fn take(step: &Step, model: &mut Model, real: &mut Real) -> Result<(), TestCaseError> {
    match *step {
        Step::Push { job, later } => {
            // A finished job is not pushed again: SQL knows that it has ended.
            if model.finished.contains_key(&job) {
                return Ok(());
            }
            let due = if later { real.now() + FAR } else { 0 };
            let envelope = format!("{{\"max_attempts\":{MAX_ATTEMPTS},\"function\":\"f\"}}");
            let mut call = real.push.key("jobs");
            call.key("waiting")
                .key("scheduled")
                .key("attempts")
                .key("events")
                .key("wake");
            call.arg(job).arg(envelope).arg(due).arg(0).arg("{}");
            let pushed: u64 = call.invoke(&mut real.connection).unwrap();
            prop_assert_eq!(pushed, u64::from(!model.knows(job)));
            if !model.knows(job) {
                if later {
                    model.scheduled.insert(job, false);
                } else {
                    model.waiting.push_back(job);
                }
            }
        }
        Step::Fetch { worker, most } => fetch(worker, most, model, real)?,
        Step::Finish {
            worker,
            job,
            attempt,
            then,
        } => {
            let mut call = real.finish.key("jobs");
            call.key("scheduled")
                .key("attempts")
                .key("events")
                .key("wake")
                .key("stale-results");
            call.key("outputs").key(running_key(worker)).key("cancelling");
            let next = match then {
                Then::End => "end".to_owned(),
                Then::AgainNow => "0".to_owned(),
                Then::AgainLater => FAR.to_string(),
            };
            call.arg(1_000).arg(job).arg(attempt).arg(next).arg("{}").arg("1");
            let counted: Vec<u64> = call.invoke(&mut real.connection).unwrap();
            let holds = model.running.get(&job) == Some(&(worker, attempt));
            prop_assert_eq!(counted, [u64::from(holds)]);
            if holds {
                model.running.remove(&job);
                if then == Then::End {
                    model.end(job);
                } else {
                    model.set_made(job, attempt);
                    model
                        .scheduled
                        .insert(job, then == Then::AgainNow || model.marked.contains(&job));
                }
            } else {
                model.stale += 1;
            }
        }
        Step::GiveBack { worker, job, attempt } => {
            let mut call = real.give_back.key("waiting");
            call.key("attempts")
                .key("events")
                .key("wake")
                .key(running_key(worker))
                .arg(job)
                .arg(attempt);
            let given: u64 = call.invoke(&mut real.connection).unwrap();
            let holds = model.running.get(&job) == Some(&(worker, attempt));
            prop_assert_eq!(given, u64::from(holds));
            if holds {
                model.running.remove(&job);
                // What the row of attempts says is left as it was: one less than the attempt.
                model.set_made(job, attempt - 1);
                model.waiting.push_front(job);
            }
        }
        Step::Lapse { worker } => recover(worker, model, real)?,
        Step::Cancel { job } => cancel(job, model, real)?,
        Step::ClockJumps => {
            let now = real.now();
            for job in real.ids(&["ZRANGE", "scheduled", "0", "-1"]) {
                real.ask::<u64>(&["ZADD", "scheduled", &(now - 1).to_string(), &job.to_string()]);
            }
            model.scheduled.values_mut().for_each(|due| *due = true);
        }
    }
    Ok(())
}

fn fetch(worker: u8, most: u8, model: &mut Model, real: &mut Real) -> Result<(), TestCaseError> {
    // Redis chooses the order of those that are due at the same millisecond; the model takes it over.
    let now = real.now();
    let due = real.ids(&["ZRANGEBYSCORE", "scheduled", "-inf", &now.to_string()]);
    let expected: BTreeSet<u8> = model
        .scheduled
        .iter()
        .filter(|(_, due)| **due)
        .map(|(job, _)| *job)
        .collect();
    prop_assert_eq!(due.iter().copied().collect::<BTreeSet<u8>>(), expected);
    model.scheduled.retain(|_, due| !*due);
    model.waiting.extend(due);

    let mut call = real.fetch.key("jobs");
    call.key("waiting")
        .key("scheduled")
        .key("attempts")
        .key("events")
        .key("wake")
        .key("workers");
    call.key(running_key(worker))
        .key("cancelling")
        .arg(worker_name(worker))
        .arg(most)
        .arg(60_000);
    let reply: Vec<Value> = call.invoke(&mut real.connection).unwrap();
    let next_due: i64 = redis::from_redis_value(reply[0].clone()).unwrap();
    prop_assert_eq!(next_due >= 0, !model.scheduled.is_empty());
    let mut got = Vec::new();
    for item in reply[1..].chunks(3) {
        let id: String = redis::from_redis_value(item[0].clone()).unwrap();
        let attempt: u32 = redis::from_redis_value(item[1].clone()).unwrap();
        got.push((id.parse::<u8>().unwrap(), attempt));
    }

    let mut expected = Vec::new();
    for _ in 0..4 {
        for _ in 0..most {
            let Some(job) = model.waiting.pop_front() else {
                break;
            };
            if model.hollow.remove(&job) {
                continue;
            }
            if model.marked.contains(&job) {
                model.end(job);
                continue;
            }
            let attempt = model.made.get(&job).copied().unwrap_or(0) + 1;
            expected.push((job, attempt));
            prop_assert!(
                model.running.insert(job, (worker, attempt)).is_none(),
                "{} runs twice",
                job
            );
        }
        if !expected.is_empty() {
            break;
        }
    }
    prop_assert_eq!(got, expected);
    Ok(())
}

fn cancel(job: u8, model: &mut Model, real: &mut Real) -> Result<(), TestCaseError> {
    let workers: Vec<String> = real.ask(&["ZRANGE", "workers", "0", "-1"]);
    let mut call = real.cancel.key("jobs");
    call.key("scheduled")
        .key("attempts")
        .key("events")
        .key("workers")
        .key("cancelling");
    for worker in &workers {
        call.key(format!("running:{worker}"));
    }
    call.arg(workers.len()).arg(&workers).arg(job);
    let reply: Vec<u64> = call.invoke(&mut real.connection).unwrap();
    let expected = if model.running.contains_key(&job) {
        model.marked.insert(job);
        2
    } else if model.scheduled.remove(&job).is_some() {
        model.end(job);
        1
    } else if model.waiting.contains(&job) && !model.hollow.contains(&job) {
        model.hollow.insert(job);
        model.end(job);
        1
    } else {
        0
    };
    prop_assert_eq!(reply, [expected]);
    Ok(())
}

fn recover(worker: u8, model: &mut Model, real: &mut Real) -> Result<(), TestCaseError> {
    let registered: Option<f64> = real.ask(&["ZSCORE", "workers", &worker_name(worker)]);
    let call = |real: &mut Real| -> Vec<u64> {
        let mut call = real.recover.key("jobs");
        call.key("waiting")
            .key("attempts")
            .key("events")
            .key("wake")
            .key("workers")
            .key("worker-info");
        call.key(running_key(worker))
            .key("cancelling")
            .arg(worker_name(worker))
            .arg(500);
        call.invoke(&mut real.connection).unwrap()
    };
    // While the lease holds nobody can take anything.
    prop_assert_eq!(call(real), Vec::<u64>::new());
    if registered.is_none() {
        return Ok(());
    }
    real.ask::<u64>(&["ZADD", "workers", "1", &worker_name(worker)]);
    let held: Vec<(u8, u32)> = model
        .running
        .iter()
        .filter(|(_, (holder, _))| *holder == worker)
        .map(|(job, (_, attempt))| (*job, *attempt))
        .collect();
    let (again, dead): (Vec<_>, Vec<_>) = held.into_iter().partition(|(_, made)| *made < MAX_ATTEMPTS);
    prop_assert_eq!(call(real), [again.len() as u64, dead.len() as u64, 0]);
    for (job, attempt) in &again {
        model.running.remove(job);
        model.set_made(*job, *attempt);
    }
    for (job, _) in &dead {
        model.running.remove(job);
        model.end(*job);
    }
    if let Some(last) = again.len().checked_sub(1) {
        let front: Vec<u8> = real.ids(&["LRANGE", "waiting", "0", &last.to_string()]);
        let expected: BTreeSet<u8> = again.iter().map(|(job, _)| *job).collect();
        prop_assert_eq!(front.iter().copied().collect::<BTreeSet<u8>>(), expected);
        front.iter().rev().for_each(|job| model.waiting.push_front(*job));
    }
    Ok(())
}

/// What one look at Redis brings.
type Found = (
    Vec<u8>,
    BTreeSet<u8>,
    BTreeSet<u8>,
    BTreeMap<u8, u32>,
    Option<u64>,
    bool,
    BTreeSet<u8>,
    BTreeMap<u8, u32>,
    BTreeMap<u8, u32>,
    BTreeMap<u8, u32>,
);

/// All of Redis is as the model says: every job is in one place, and nothing is left of those that have ended.
fn compare(model: &Model, real: &mut Real) -> Result<(), TestCaseError> {
    // One round trip: this runs after each of some 120,000 steps.
    let mut look = redis::pipe();
    look.lrange("waiting", 0, -1)
        .zrange("scheduled", 0, -1)
        .hkeys("jobs")
        .hgetall("attempts");
    look.get("stale-results").exists("wake").hkeys("cancelling");
    for worker in 0..WORKERS {
        look.hgetall(running_key(worker));
    }
    let found: Found = look.query(&mut real.connection).unwrap();
    let (waiting, scheduled, envelopes, made, stale, token, marked, first, second, third) = found;

    prop_assert_eq!(&waiting, &model.waiting.iter().copied().collect::<Vec<_>>());
    prop_assert_eq!(&scheduled, &model.scheduled.keys().copied().collect());
    let running: BTreeMap<u8, (u8, u32)> = (0..WORKERS)
        .zip([first, second, third])
        .flat_map(|(worker, held)| {
            held.into_iter()
                .map(move |(job, attempt)| (job, (worker, attempt)))
        })
        .collect();
    prop_assert_eq!(&running, &model.running);
    let places = waiting
        .iter()
        .copied()
        .chain(scheduled)
        .chain(running.into_keys());
    prop_assert_eq!(envelopes, places.collect::<BTreeSet<u8>>());
    prop_assert_eq!(stale.unwrap_or(0), model.stale);
    prop_assert_eq!(&marked, &model.marked);
    // Whoever sleeps is told: waiting jobs and no token would be a lost wake-up.
    prop_assert!(token || waiting.is_empty(), "jobs wait and nobody is told");
    for (job, times) in &model.finished {
        prop_assert_eq!(*times, 1, "job {} has {} outcomes", job, times);
        prop_assert!(!made.contains_key(job), "the attempts of job {} are left", job);
    }
    Ok(())
}

#[test]
fn the_scripts_do_what_the_model_says() {
    let redis = RedisServer::start_fast();
    let mut real = Real::new(&redis);
    let config = Config {
        cases: SEQUENCES,
        failure_persistence: None,
        ..Config::default()
    };
    let real = std::cell::RefCell::new(&mut real);
    TestRunner::new(config)
        .run(&steps(), |steps| {
            let mut real = real.borrow_mut();
            real.ask::<()>(&["FLUSHALL"]);
            let mut model = Model::default();
            for step in &steps {
                take(step, &mut model, &mut real)?;
                compare(&model, &mut real)?;
            }
            Ok(())
        })
        .unwrap();
}
