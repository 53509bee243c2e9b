//! The Lua scripts against a model: random sequences of push, fetch, report, finish, give back, recover, cancel, limits and
//! time passing, with a look at all of Redis after each step, and at what the events told after the last one.

mod act;
mod cancel;
mod compare;
mod edges;
mod edit;
mod expected;
mod fetch;
mod real;
mod recover;
mod steps;

use proptest::test_runner::{Config, TestCaseError, TestRunner};

use crate::support::RedisServer;
use expected::Model;
use real::Real;

const SEQUENCES: u32 = 10_000;
<<<<<<< HEAD
=======
const JOBS: u8 = 6;
/// Job `n` waits in lane `n % 4`: the standard one, two that share the standard priority with it, and an urgent one.
const LANES: [&str; 4] = ["5:", "5:a", "5:b", "1:a"];
const WORKERS: u8 = 3;
const MAX_ATTEMPTS: u32 = 3;
const FAR: i64 = 3_600_000;

#[derive(Debug, Clone)]
enum Step {
    Push {
        job: u8,
        later: bool,
        /// After its deadline.
        late: bool,
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
    /// A job that waits for its time is made due.
    RunNow {
        job: u8,
    },
    /// A job that waits gets another envelope.
    Edit {
        job: u8,
    },
    /// How many jobs may run at the same time: 0 is a pause, 4 no limit.
    Limit {
        most: u8,
    },
    /// All that is scheduled becomes due.
    ClockJumps,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Then {
    End,
    AgainNow,
    AgainLater,
    /// SQL keeps the job meanwhile.
    Park,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let then = prop_oneof![
        Just(Then::End),
        Just(Then::AgainNow),
        Just(Then::AgainLater),
        Just(Then::Park)
    ];
    let step = prop_oneof![
        3 => (0..JOBS, any::<bool>(), prop::bool::weighted(0.1))
            .prop_map(|(job, later, late)| Step::Push { job, later, late }),
        4 => (0..WORKERS, 1..4_u8).prop_map(|(worker, most)| Step::Fetch { worker, most }),
        4 => (0..WORKERS, 0..JOBS, 1..4_u32, then)
            .prop_map(|(worker, job, attempt, then)| Step::Finish { worker, job, attempt, then }),
        2 => (0..WORKERS, 0..JOBS, 1..4_u32)
            .prop_map(|(worker, job, attempt)| Step::GiveBack { worker, job, attempt }),
        2 => (0..WORKERS).prop_map(|worker| Step::Lapse { worker }),
        2 => (0..JOBS).prop_map(|job| Step::Cancel { job }),
        2 => (0..JOBS).prop_map(|job| Step::RunNow { job }),
        1 => (0..JOBS).prop_map(|job| Step::Edit { job }),
        1 => (0..5_u8).prop_map(|most| Step::Limit { most }),
        1 => Just(Step::ClockJumps),
    ];
    prop::collection::vec(step, 1..25)
}

/// What the queue should be like.
#[derive(Debug, Default)]
struct Model {
    /// Lanes that are not empty: the jobs, and the turns that the lane has had.
    waiting: BTreeMap<&'static str, (VecDeque<u8>, u64)>,
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
    most_running: Option<usize>,
}

fn lane(job: u8) -> &'static str {
    LANES[usize::from(job) % LANES.len()]
}

impl Model {
    fn waits(&self, job: u8) -> bool {
        let lane = self.waiting.get(lane(job));
        lane.is_some_and(|(jobs, _)| jobs.contains(&job))
    }

    /// Lines a job up in its lane; one that was empty begins with the present turn of its priority.
    fn line_up(&mut self, job: u8, at_front: bool) {
        let name = lane(job);
        let turn = self.waiting.iter().filter(|(other, _)| other[..1] == name[..1]);
        let turn = turn.map(|(_, (_, turn))| *turn).min().unwrap_or(0);
        let (jobs, _) = self.waiting.entry(name).or_insert((VecDeque::new(), turn));
        if at_front {
            jobs.push_front(job);
        } else {
            jobs.push_back(job);
        }
    }

    /// The lane whose turn it is.
    fn next_lane(&self) -> Option<&'static str> {
        let lanes = self.waiting.iter();
        let key =
            |(name, (_, turn)): &(&&'static str, &(VecDeque<u8>, u64))| (name[..1].to_owned(), *turn, **name);
        lanes.min_by_key(key).map(|(name, _)| *name)
    }

    fn knows(&self, job: u8) -> bool {
        self.waits(job) || self.scheduled.contains_key(&job) || self.running.contains_key(&job)
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
    run_now: Script,
    edit: Script,
    limit: Script,
}

macro_rules! script {
    ($file:literal) => {
        Script::new(concat!(
            include_str!("../../lua/prelude.lua"),
            include_str!(concat!("../../lua/", $file))
        ))
    };
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
            push: script!("push.lua"),
            fetch: script!("fetch.lua"),
            finish: script!("finish.lua"),
            give_back: script!("give_back.lua"),
            recover: script!("recover.lua"),
            cancel: script!("cancel.lua"),
            run_now: script!("run_now.lua"),
            edit: script!("edit.lua"),
            limit: script!("limit.lua"),
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
        Step::Push { job, later, late } => {
            // A finished job is not pushed again: SQL knows that it has ended.
            if model.finished.contains_key(&job) {
                return Ok(());
            }
            let due = if later { real.now() + FAR } else { 0 };
            let envelope = format!("{{\"max_attempts\":{MAX_ATTEMPTS},\"function\":\"f\"}}");
            let mut call = real.push.key("jobs");
            call.key("waiting:").key("lanes").key("lane-of");
            call.key("scheduled").key("attempts").key("events").key("wake");
            let own_lane = if lane(job) == LANES[0] { "" } else { lane(job) };
            call.arg(u8::from(late)).arg(job).arg(envelope).arg(due);
            call.arg(0).arg(own_lane).arg("{}");
            let (pushed, held): (i64, usize) = call.invoke(&mut real.connection).unwrap();
            let is_new = !late && !model.knows(job);
            prop_assert_eq!(pushed, if late { -1 } else { i64::from(is_new) });
            if is_new && later {
                model.scheduled.insert(job, false);
            } else if is_new {
                model.line_up(job, false);
            }
            let known = (0..JOBS).filter(|job| model.knows(*job)).count();
            prop_assert_eq!(held, known);
        }
        Step::Fetch { worker, most } => fetch(worker, most, model, real)?,
        Step::Finish {
            worker,
            job,
            attempt,
            then,
        } => {
            let mut call = real.finish.key("jobs");
            call.key("lanes").key("lane-of").key("scheduled").key("attempts");
            call.key("events").key("wake").key("counts").key("outputs");
            call.key(running_key(worker)).key("cancelling").key("limits");
            let next = match then {
                Then::End => "end".to_owned(),
                Then::AgainNow => "0".to_owned(),
                Then::AgainLater => FAR.to_string(),
                Then::Park => "park".to_owned(),
            };
            call.arg(worker_name(worker)).arg(1_000).arg("[{}]");
            call.arg(job).arg(attempt).arg(next).arg(3).arg("1");
            let counted: Vec<u64> = call.invoke(&mut real.connection).unwrap();
            let holds = model.running.get(&job) == Some(&(worker, attempt));
            prop_assert_eq!(counted, [u64::from(holds)]);
            if holds {
                model.running.remove(&job);
                if then == Then::End {
                    model.end(job);
                } else if then == Then::Park && !model.marked.contains(&job) {
                    // SQL may push it again, with the attempts that it has made.
                    model.made.remove(&job);
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
            let mut call = real.give_back.key("waiting:");
            call.key("lanes").key("lane-of").key("attempts").key("events");
            call.key("wake").key(running_key(worker)).key("counts");
            call.arg(worker_name(worker)).arg(job).arg(attempt);
            let given: u64 = call.invoke(&mut real.connection).unwrap();
            let holds = model.running.get(&job) == Some(&(worker, attempt));
            prop_assert_eq!(given, u64::from(holds));
            if holds {
                model.running.remove(&job);
                // What the row of attempts says is left as it was: one less than the attempt.
                model.set_made(job, attempt - 1);
                model.line_up(job, true);
            }
        }
        Step::Lapse { worker } => recover(worker, model, real)?,
        Step::Cancel { job } => cancel(job, model, real)?,
        Step::RunNow { job } => run_now(job, model, real)?,
        Step::Edit { job } => edit(job, model, real)?,
        Step::Limit { most } => {
            let mut call = real.limit.key("limits");
            call.key("bucket").key("lanes").key("wake");
            match most {
                0 => call.arg("paused").arg(1),
                1..=3 => call.arg("concurrency").arg(most),
                _ => &mut call,
            };
            call.invoke::<u64>(&mut real.connection).unwrap();
            model.most_running = (most < 4).then_some(usize::from(most));
        }
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
    // The script goes lane by lane, in the order of the first job of each.
    let mut order: Vec<&str> = Vec::new();
    for job in &due {
        if !order.contains(&lane(*job)) {
            order.push(lane(*job));
        }
    }
    for name in order {
        let of_lane = due.iter().filter(|job| lane(**job) == name);
        of_lane.for_each(|job| model.line_up(*job, false));
    }

    let mut call = real.fetch.key("jobs");
    call.key("waiting:").key("lanes").key("lane-of").key("scheduled");
    call.key("attempts").key("events").key("wake").key("workers");
    call.key(running_key(worker)).key("cancelling").key("counts");
    call.key("limits").key("bucket");
    call.arg(worker_name(worker)).arg(most).arg(60_000);
    let reply: Vec<Value> = call.invoke(&mut real.connection).unwrap();
    let next_due: i64 = redis::from_redis_value(reply[0].clone()).unwrap();
    prop_assert_eq!(next_due >= 0, !model.scheduled.is_empty());
    let mut got = Vec::new();
    for item in reply[1..].chunks(3) {
        let id: String = redis::from_redis_value(item[0].clone()).unwrap();
        let attempt: u32 = redis::from_redis_value(item[1].clone()).unwrap();
        got.push((id.parse::<u8>().unwrap(), attempt));
    }

    let running = model.running.len();
    let allowed = model.most_running.map_or(usize::from(most), |limit| {
        usize::from(most).min(limit.saturating_sub(running))
    });
    let mut expected = Vec::new();
    for _ in 0..4 {
        for job in take_turns(allowed, model) {
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

/// The next jobs, each lane in its turn.
fn take_turns(wanted: usize, model: &mut Model) -> Vec<u8> {
    let mut taken = Vec::new();
    let open = model.waiting.len();
    let turn_length = (wanted / open.max(1)).max(1);
    while taken.len() < wanted
        && let Some(name) = model.next_lane()
        && let Some((jobs, turn)) = model.waiting.get_mut(name)
    {
        let some: Vec<u8> = jobs
            .drain(..jobs.len().min(turn_length).min(wanted - taken.len()))
            .collect();
        if open > 1 {
            *turn += some.len() as u64;
        }
        if jobs.is_empty() {
            model.waiting.remove(name);
        }
        taken.extend(some);
    }
    taken
}

fn cancel(job: u8, model: &mut Model, real: &mut Real) -> Result<(), TestCaseError> {
    let workers: Vec<String> = real.ask(&["ZRANGE", "workers", "0", "-1"]);
    let mut call = real.cancel.key("jobs");
    call.key("lane-of").key("scheduled").key("attempts").key("events");
    call.key("workers").key("cancelling").key("counts");
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
    } else if model.waits(job) && !model.hollow.contains(&job) {
        model.hollow.insert(job);
        model.end(job);
        1
    } else {
        0
    };
    prop_assert_eq!(reply, [expected]);
    Ok(())
}

fn run_now(job: u8, model: &mut Model, real: &mut Real) -> Result<(), TestCaseError> {
    let mut call = real.run_now.key("waiting:");
    call.key("lanes").key("lane-of").key("scheduled");
    call.key("events").key("wake").arg(job);
    let due: Vec<u64> = call.invoke(&mut real.connection).unwrap();
    let waited = model.scheduled.remove(&job).is_some();
    prop_assert_eq!(due, [u64::from(waited)]);
    if waited {
        model.line_up(job, false);
    }
    Ok(())
}

fn edit(job: u8, model: &mut Model, real: &mut Real) -> Result<(), TestCaseError> {
    let workers: Vec<String> = real.ask(&["ZRANGE", "workers", "0", "-1"]);
    let envelope: Option<String> = real.ask(&["HGET", "jobs", &job.to_string()]);
    let mut call = real.edit.key("jobs");
    call.key("workers");
    for worker in &workers {
        call.key(format!("running:{worker}"));
    }
    let edited = format!("{{\"max_attempts\":{MAX_ATTEMPTS},\"function\":\"f\",\"edited\":true}}");
    call.arg(workers.len()).arg(&workers).arg(job).arg(&edited);
    let reply: i64 = call.invoke(&mut real.connection).unwrap();
    let expected = if model.running.contains_key(&job) {
        2
    } else {
        i64::from(model.knows(job) && !model.hollow.contains(&job))
    };
    prop_assert_eq!(reply, expected);
    let after: Option<String> = real.ask(&["HGET", "jobs", &job.to_string()]);
    prop_assert_eq!(after, if expected == 1 { Some(edited) } else { envelope });
    Ok(())
}

fn recover(worker: u8, model: &mut Model, real: &mut Real) -> Result<(), TestCaseError> {
    let registered: Option<f64> = real.ask(&["ZSCORE", "workers", &worker_name(worker)]);
    let call = |real: &mut Real| -> Vec<u64> {
        let mut call = real.recover.key("jobs");
        call.key("waiting:").key("lanes").key("lane-of").key("attempts");
        call.key("events").key("wake").key("workers").key("worker-info");
        call.key(running_key(worker)).key("cancelling").key("counts");
        call.arg(worker_name(worker)).arg(500);
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
    // Redis chooses their order; the model takes it over.
    for name in LANES {
        let of_lane: BTreeSet<u8> = again
            .iter()
            .map(|(job, _)| *job)
            .filter(|job| lane(*job) == name)
            .collect();
        let Some(last) = of_lane.len().checked_sub(1) else {
            continue;
        };
        let front: Vec<u8> = real.ids(&["LRANGE", &format!("waiting:{name}"), "0", &last.to_string()]);
        prop_assert_eq!(front.iter().copied().collect::<BTreeSet<u8>>(), of_lane);
        front.iter().rev().for_each(|job| model.line_up(*job, true));
    }
    Ok(())
}

/// What one look at Redis brings, beside the lanes and what each worker runs.
type Found = (
    Vec<(String, f64)>,
    BTreeSet<u8>,
    BTreeSet<u8>,
    BTreeMap<u8, u32>,
    BTreeMap<String, i64>,
    bool,
    BTreeSet<u8>,
    BTreeMap<u8, String>,
);

/// All of Redis is as the model says: every job is in one place, and nothing is left of those that have ended.
fn compare(model: &Model, real: &mut Real) -> Result<(), TestCaseError> {
    // Two round trips: this runs after each of some 120,000 steps.
    let mut look = redis::pipe();
    look.zrange_withscores("lanes", 0, -1)
        .zrange("scheduled", 0, -1)
        .hkeys("jobs")
        .hgetall("attempts")
        .hgetall("counts")
        .exists("wake")
        .hkeys("cancelling")
        .hgetall("lane-of");
    let found: Found = look.query(&mut real.connection).unwrap();
    let (lanes, scheduled, envelopes, made, counts, token, marked, lane_of) = found;
    let mut look = redis::pipe();
    for name in LANES {
        look.lrange(format!("waiting:{name}"), 0, -1);
    }
    let waiting: Vec<Vec<u8>> = look.query(&mut real.connection).unwrap();
    let mut look = redis::pipe();
    for worker in 0..WORKERS {
        look.hgetall(running_key(worker));
    }
    let held: Vec<BTreeMap<u8, u32>> = look.query(&mut real.connection).unwrap();

    for (name, jobs) in LANES.iter().zip(&waiting) {
        let expected = model.waiting.get(name).map(|(jobs, _)| Vec::from(jobs.clone()));
        prop_assert_eq!(jobs, &expected.unwrap_or_default());
        let turn = lanes.iter().find(|(lane, _)| lane == name).map(|(_, turn)| *turn);
        let floor: f64 = name[..1].parse::<f64>().unwrap() * 1e13;
        let expected = model.waiting.get(name);
        #[expect(clippy::cast_precision_loss, reason = "a few turns are exact")]
        let expected = expected.map(|(_, turn)| floor + *turn as f64);
        prop_assert_eq!(turn, expected);
    }
    prop_assert_eq!(&scheduled, &model.scheduled.keys().copied().collect());
    let running: BTreeMap<u8, (u8, u32)> = (0..WORKERS)
        .zip(held)
        .flat_map(|(worker, held)| {
            held.into_iter()
                .map(move |(job, attempt)| (job, (worker, attempt)))
        })
        .collect();
    prop_assert_eq!(&running, &model.running);
    let count = |name: &str| counts.get(name).copied().unwrap_or(0);
    prop_assert_eq!(count("running"), i64::try_from(running.len()).unwrap());
    prop_assert_eq!(count("called_off"), i64::try_from(model.hollow.len()).unwrap());
    prop_assert_eq!(count("stale_results"), i64::try_from(model.stale).unwrap());
    let waiting: Vec<u8> = waiting.into_iter().flatten().collect();
    let places = waiting
        .iter()
        .copied()
        .chain(scheduled)
        .chain(running.keys().copied());
    prop_assert_eq!(&envelopes, &places.collect::<BTreeSet<u8>>());
    prop_assert_eq!(&marked, &model.marked);
    for (job, name) in &lane_of {
        prop_assert!(envelopes.contains(job), "the lane of job {} is left", job);
        prop_assert_eq!(name.as_str(), lane(*job));
    }
    // Whoever sleeps is told: jobs that may run, and no token, would be a lost wake-up.
    let allowed = model.most_running.is_none_or(|most| running.len() < most);
    prop_assert!(
        token || waiting.is_empty() || !allowed,
        "jobs wait and nobody is told"
    );
    for (job, times) in &model.finished {
        prop_assert_eq!(*times, 1, "job {} has {} outcomes", job, times);
        prop_assert!(!made.contains_key(job), "the attempts of job {} are left", job);
    }
    Ok(())
}
>>>>>>> monitor-api

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
        .run(&steps::steps(), |steps| {
            let mut real = real.borrow_mut();
            real.ask::<()>(&["FLUSHALL"]);
            let mut model = Model::default();
            for step in &steps {
                act::take(step, &mut model, &mut real)?;
                compare::compare(&model, &mut real)?;
            }
            edges::check(&model, &mut real).map_err(TestCaseError::fail)
        })
        .unwrap();
}
