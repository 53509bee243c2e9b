//! One walk over all rows, each beside what its caller knows.

use std::collections::{BTreeMap, HashSet};

use anyhow::Result;
use jobs::job::{JobId, JobState};
use jobs::queue::Queues;

use crate::load::Outcome;
use crate::load::ledger::Entry;
use crate::load::mix::Output;
use crate::load::plan::may_end;
use crate::verdict::Offence;
use crate::witness::audit::{Audit, Row};
use crate::witness::stream::queue_names;

#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) states: BTreeMap<&'static str, u64>,
    pub(super) accepted_and_finished: u64,
    pub(super) lost: Vec<Offence>,
    pub(super) stuck: Vec<Offence>,
    pub(super) doubles: Vec<Offence>,
    pub(super) wrong_ends: Vec<Offence>,
    pub(super) wrong_outputs: Vec<Offence>,
    pub(super) left_in_redis: Vec<Offence>,
}

pub(super) async fn walk(audit: &Audit, queues: &Queues, outcome: &Outcome) -> Result<Rows> {
    let mut rows = Rows::default();
    let mut missing: HashSet<JobId> = outcome.accepted().map(|(_, id)| id).collect();
    let mut after = None;
    loop {
        let page = audit.rows(after).await?;
        let Some(last) = page.last() else {
            break;
        };
        after = Some(last.id);
        let finished: Vec<JobId> = page
            .iter()
            .filter(|row| row.state.is_final())
            .map(|row| row.id)
            .collect();
        rows.left_in_redis.extend(held(queues, &finished).await?);
        for row in page {
            let accepted = missing.remove(&row.id);
            rows.accepted_and_finished += u64::from(accepted && row.state.is_final());
            rows.take(&row, outcome);
        }
    }
    rows.lost = missing
        .into_iter()
        .map(|id| Offence::of(id, "it has no row"))
        .collect();
    Ok(rows)
}

/// Those of them that a queue in Redis knows.
async fn held(queues: &Queues, ids: &[JobId]) -> Result<Vec<Offence>> {
    let mut held = Vec::new();
    for name in queue_names()? {
        let unknown: HashSet<JobId> = queues.unknown(&name, ids).await?.into_iter().collect();
        let known = ids.iter().filter(|id| !unknown.contains(id));
        held.extend(known.map(|id| Offence::of(*id, format!("the queue {name} holds it"))));
    }
    Ok(held)
}

impl Rows {
    fn take(&mut self, row: &Row, outcome: &Outcome) {
        *self.states.entry(row.state.as_str()).or_default() += 1;
        if !row.state.is_final() {
            self.stuck
                .push(Offence::of(row.id, format!("it is {}", row.state)));
            return;
        }
        let number = row.key.as_deref().and_then(|key| outcome.calls.number(key));
        let call = number.and_then(|number| Some((number, entry(outcome, number)?)));
        let Some((number, entry)) = call else {
            let what = format!("its key {:?} belongs to no call", row.key);
            self.doubles.push(Offence::of(row.id, what));
            return;
        };
        if entry.job.is_some_and(|job| job != row.id) {
            let what = format!("call {number} was accepted as another job");
            self.doubles.push(Offence::of(row.id, what));
        }
        let plan = outcome.calls.plan(number);
        if !may_end(plan.kind, entry.cancel, row.state) {
            let what = format!(
                "{} {} ended {}, must end {}; cancelling: {:?}",
                plan.kind.function, plan.input, row.state, plan.kind.ends, entry.cancel
            );
            self.wrong_ends.push(Offence::of(row.id, what));
        }
        if row.state == JobState::Completed {
            let output = Output {
                json: row.output.clone(),
                length: row.output_length.map(i64::unsigned_abs),
                preview: row.output_preview.clone().unwrap_or_default(),
            };
            if !(plan.kind.is_right)(&plan.input, &output) {
                let what = format!("{} {} gave {output:?}", plan.kind.function, plan.input);
                self.wrong_outputs.push(Offence::of(row.id, what));
            }
        }
    }
}

fn entry(outcome: &Outcome, number: u32) -> Option<Entry> {
    outcome.entries.get(usize::try_from(number).ok()?).copied()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::load::mix::Mix;
    use crate::load::plan::Calls;

    use super::*;

    fn calls() -> Calls {
        Calls {
            seed: 1,
            mix: Mix::of(&["fibonacci".to_owned()]),
        }
    }

    /// A row as it should be, for call 0.
    fn row(id: JobId) -> Row {
        let plan = calls().plan(0);
        assert_eq!(plan.kind.function, "fibonacci");
        let digits = by_addition(plan.input["index"].as_u64().unwrap());
        Row {
            id,
            state: JobState::Completed,
            key: Some(calls().key(0)),
            output: Some(json!(digits)),
            output_length: Some(i64::try_from(digits.len()).unwrap()),
            output_preview: None,
        }
    }

    /// By adding up the digits: slow and plain.
    fn by_addition(index: u64) -> String {
        let (mut a, mut b) = (vec![0_u8], vec![1_u8]);
        for _ in 0..index {
            let mut sum = Vec::with_capacity(b.len() + 1);
            let mut carry = 0;
            for (at, digit) in b.iter().enumerate() {
                let digit = a.get(at).copied().unwrap_or_default() + digit + carry;
                sum.push(digit % 10);
                carry = digit / 10;
            }
            if carry > 0 {
                sum.push(carry);
            }
            a = std::mem::replace(&mut b, sum);
        }
        a.iter().rev().map(|digit| char::from(b'0' + digit)).collect()
    }

    fn taken(row: &Row, job: Option<JobId>) -> Rows {
        let mut outcome = Outcome::new(calls(), 1);
        outcome.entries[0].job = job;
        let mut rows = Rows::default();
        rows.take(row, &outcome);
        rows
    }

    #[test]
    fn each_way_to_be_wrong_is_told_from_the_others() {
        let id = JobId::new();
        let good = row(id);
        let fine = taken(&good, Some(id));
        assert!(fine.stuck.is_empty() && fine.doubles.is_empty());
        assert!(fine.wrong_ends.is_empty() && fine.wrong_outputs.is_empty());
        // A caller that never got its answer may have a job all the same.
        assert!(taken(&good, None).doubles.is_empty());

        let unfinished = Row {
            state: JobState::Running,
            ..good.clone()
        };
        assert_eq!(taken(&unfinished, Some(id)).stuck.len(), 1);
        let dead = Row {
            state: JobState::Dead,
            ..good.clone()
        };
        assert_eq!(taken(&dead, Some(id)).wrong_ends.len(), 1);
        let wrong = Row {
            output: Some(json!("7")),
            ..good.clone()
        };
        assert_eq!(taken(&wrong, Some(id)).wrong_outputs.len(), 1);
        assert_eq!(taken(&good, Some(JobId::new())).doubles.len(), 1);
        let strange = Row { key: None, ..good };
        assert_eq!(taken(&strange, Some(id)).doubles.len(), 1);
    }
}
