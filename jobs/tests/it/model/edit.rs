//! A job that waits gets another envelope.

use proptest::prelude::*;
use serde_json::json;

use super::expected::Model;
use super::real::Real;
use super::steps::MAX_ATTEMPTS;

pub(super) fn edit(job: u8, model: &mut Model, real: &mut Real) -> Result<(), TestCaseError> {
    let workers: Vec<String> = real.ask(&["ZRANGE", "workers", "0", "-1"]);
    let envelope: Option<String> = real.ask(&["HGET", "jobs", &job.to_string()]);
    let mut call = real.edit.call();
    for worker in &workers {
        call.key(format!("running:{worker}"));
    }
    let edited = format!("{{\"max_attempts\":{MAX_ATTEMPTS},\"function\":\"f\",\"edited\":true}}");
    call.arg(json!(workers).to_string()).arg(job).arg(&edited);
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
