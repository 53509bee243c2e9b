//! A job is cancelled, and forgotten.

use proptest::prelude::*;
use serde_json::json;

use super::expected::Model;
use super::real::Real;

pub(super) fn cancel(job: u8, model: &mut Model, real: &mut Real) -> Result<(), TestCaseError> {
    let workers: Vec<String> = real.ask(&["ZRANGE", "workers", "0", "-1"]);
    let mut call = real.cancel.call();
    for worker in &workers {
        call.key(format!("running:{worker}"));
    }
    call.arg(json!(workers).to_string()).arg(job);
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

pub(super) fn forget(job: u8, model: &mut Model, real: &mut Real) -> Result<(), TestCaseError> {
    let mut call = real.forget.call();
    call.arg(20).arg(job);
    let forgotten: u64 = call.invoke(&mut real.connection).unwrap();
    let hollow = model.hollow.remove(&job);
    prop_assert_eq!(forgotten, u64::from(hollow));
    if hollow {
        model.leave(job);
        model.suspects.remove(&job);
    }
    Ok(())
}
