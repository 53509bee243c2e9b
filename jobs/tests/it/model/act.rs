//! Does a step to both, the model and Redis, and compares the answers.

use proptest::prelude::*;
use serde_json::json;

use super::cancel::{cancel, forget};
use super::edit::edit;
use super::expected::Model;
use super::fetch::{Room, fetch};
use super::real::{Real, worker_name};
use super::rescue::rescue;
use super::steps::{JOBS, LANES, MAX_ATTEMPTS, Step, Then, lane};

/// Further off than a test takes, in ms.
const FAR: i64 = 3_600_000;

/// Does one step to both and compares the answers.
pub(super) fn take(step: &Step, model: &mut Model, real: &mut Real) -> Result<(), TestCaseError> {
    match *step {
        Step::Push { job, later, late } => push(job, later, late, model, real)?,
        Step::Fetch {
            worker,
            most,
            places,
            suspect,
        } => fetch(
            worker,
            Room {
                most,
                places,
                suspect,
            },
            model,
            real,
        )?,
        Step::Finish {
            worker,
            job,
            attempt,
            then,
            twice,
        } => finish(worker, (job, attempt), then, twice, model, real)?,
        Step::GiveBack {
            worker,
            job,
            attempt,
            later,
        } => give_back(worker, (job, attempt), later, model, real)?,
        Step::Report { worker, job, attempt } => {
            let mut call = real.report.call_of(worker);
            call.arg(worker_name(worker));
            call.arg(job).arg(attempt).arg(json!([job, attempt]).to_string());
            let reported: u64 = call.invoke(&mut real.connection).unwrap();
            let holds = model.running.get(&job) == Some(&(worker, attempt));
            prop_assert_eq!(reported, u64::from(holds));
            if holds {
                model.begun.insert(job);
            }
        }
        Step::Begin { worker, job, attempt } => begin(worker, (job, attempt), model, real)?,
        Step::Lapse { worker, old } => rescue(worker, old, model, real)?,
        Step::Cancel { job } => cancel(job, model, real)?,
        Step::Forget { job } => forget(job, model, real)?,
        Step::RunNow { job } => {
            let mut call = real.run_now.call();
            call.arg(job);
            let due: Vec<u64> = call.invoke(&mut real.connection).unwrap();
            let waited = model.scheduled.remove(&job).is_some();
            prop_assert_eq!(due, [u64::from(waited)]);
            if waited {
                model.enqueue(job, false);
            }
        }
        Step::Edit { job } => edit(job, model, real)?,
        Step::Limit { most } => {
            let mut call = real.limit.call();
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

fn push(job: u8, later: bool, late: bool, model: &mut Model, real: &mut Real) -> Result<(), TestCaseError> {
    // A finished job is not pushed again: SQL knows that it has ended.
    if model.finished.contains_key(&job) {
        return Ok(());
    }
    let due = if later { real.now() + FAR } else { 0 };
    let envelope = format!("{{\"max_attempts\":{MAX_ATTEMPTS},\"function\":\"f\"}}");
    let mut call = real.push.call();
    let own_lane = if lane(job) == LANES[0] { "" } else { lane(job) };
    call.arg(u8::from(late)).arg(job).arg(envelope).arg(due);
    let event = json!({ "id": job, "later": later });
    call.arg(0).arg(own_lane).arg(event.to_string());
    let (pushed, held): (i64, usize) = call.invoke(&mut real.connection).unwrap();
    let is_new = !late && !model.knows(job);
    prop_assert_eq!(pushed, if late { -1 } else { i64::from(is_new) });
    if is_new && later {
        model.scheduled.insert(job, false);
    } else if is_new {
        model.enqueue(job, false);
    }
    let known = (0..JOBS).filter(|job| model.knows(*job)).count();
    prop_assert_eq!(held, known);
    Ok(())
}

fn begin(
    worker: u8,
    (job, attempt): (u8, u32),
    model: &mut Model,
    real: &mut Real,
) -> Result<(), TestCaseError> {
    let mut call = real.begin.call_of(worker);
    call.arg(worker_name(worker)).arg(60_000).arg(job).arg(attempt);
    let answer: Vec<u64> = call.invoke(&mut real.connection).unwrap();
    let holds = model.running.get(&job) == Some(&(worker, attempt));
    let expected = if holds && model.marked.contains(&job) {
        2
    } else {
        u64::from(holds)
    };
    prop_assert_eq!(answer, [expected]);
    if expected == 1 {
        model.begun.insert(job);
    }
    Ok(())
}

fn give_back(
    worker: u8,
    (job, attempt): (u8, u32),
    later: bool,
    model: &mut Model,
    real: &mut Real,
) -> Result<(), TestCaseError> {
    let mut call = real.give_back.call_of(worker);
    call.arg(worker_name(worker)).arg(if later { FAR } else { 0 });
    let given: u64 = call.arg(job).arg(attempt).invoke(&mut real.connection).unwrap();
    let holds = model.running.get(&job) == Some(&(worker, attempt));
    prop_assert_eq!(given, u64::from(holds));
    if holds {
        model.let_go(job);
        // What the row of attempts says is left as it was: one less than the attempt.
        model.set_made(job, attempt - 1);
        if model.marked.contains(&job) {
            model.end(job);
        } else if later {
            model.scheduled.insert(job, false);
        } else {
            model.enqueue(job, true);
        }
    }
    Ok(())
}

fn finish(
    worker: u8,
    (job, attempt): (u8, u32),
    then: Then,
    twice: bool,
    model: &mut Model,
    real: &mut Real,
) -> Result<(), TestCaseError> {
    let mut call = real.finish.call_of(worker);
    let next = match then {
        Then::End => "end".to_owned(),
        Then::AgainNow => "0".to_owned(),
        Then::AgainLater => FAR.to_string(),
        Then::Park => "park".to_owned(),
    };
    let event = json!([job, attempt, then.name()]).to_string();
    let times = if twice { 2 } else { 1 };
    let events = vec![event.as_str(); times].join(",");
    call.arg(worker_name(worker))
        .arg(1_000)
        .arg(format!("[{events}]"));
    for time in 1..=times {
        let ends = (event.len() + 1) * time;
        call.arg(job).arg(attempt).arg(&next).arg(ends).arg("1");
    }
    let counted: Vec<u64> = call.invoke(&mut real.connection).unwrap();
    let holds = model.running.get(&job) == Some(&(worker, attempt));
    let expected: Vec<u64> = (0..times).map(|time| u64::from(holds && time == 0)).collect();
    model.stale += expected.iter().filter(|counted| **counted == 0).count() as u64;
    prop_assert_eq!(counted, expected);
    if holds {
        model.let_go(job);
        model.suspects.remove(&job);
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
    }
    Ok(())
}
