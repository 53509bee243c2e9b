//! What the calls are, each by its number and the seed: nothing has to be remembered to know it again.

use std::time::Duration;

use jobs::job::JobState;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

use super::mix::{Kind, Mix};

/// Attempts that each job may take: so many that no job runs out of them by the faults alone.
const MOST_ATTEMPTS: u32 = 50;

pub(crate) struct Plan {
    pub(crate) kind: &'static Kind,
    pub(crate) input: Value,
    /// Not to run before this many seconds have passed.
    pub(crate) delay: Option<u32>,
    /// Wait for the outcome in the call.
    pub(crate) waits: bool,
    /// Made once more when it was answered.
    pub(crate) repeats: bool,
    /// Cancelled so long after it was accepted.
    pub(crate) cancelled_after: Option<Duration>,
}

/// All calls of a run.
#[derive(Clone)]
pub(crate) struct Calls {
    pub(crate) seed: u64,
    pub(crate) mix: Mix,
}

impl Calls {
    pub(crate) fn plan(&self, number: u32) -> Plan {
        let mut dice = StdRng::seed_from_u64(self.seed << 32 | u64::from(number));
        let kind = self.mix.draw(&mut dice);
        Plan {
            kind,
            input: (kind.input)(&mut dice),
            delay: dice.random_bool(0.10).then(|| dice.random_range(1..=10)),
            waits: dice.random_bool(0.01),
            repeats: dice.random_bool(0.02),
            cancelled_after: dice
                .random_bool(0.04)
                .then(|| Duration::from_millis(dice.random_range(0..4_000))),
        }
    }

    /// What makes the repetitions of a call the same call.
    pub(crate) fn key(&self, number: u32) -> String {
        format!("chaos-{}-{number}", self.seed)
    }

    /// The call that a key belongs to.
    pub(crate) fn number(&self, key: &str) -> Option<u32> {
        let number = key.strip_prefix(&format!("chaos-{}-", self.seed))?;
        number.parse().ok()
    }
}

impl Plan {
    pub(crate) fn path(&self) -> String {
        let wait = if self.waits { "?wait=2s" } else { "" };
        format!("/api/v1/functions/{}/jobs{wait}", self.kind.function)
    }

    pub(crate) fn body(&self) -> Value {
        let mut body = json!({ "input": self.input, "max_attempts": MOST_ATTEMPTS });
        if let Some(delay) = self.delay {
            body["delay_seconds"] = delay.into();
        }
        body
    }
}

/// What became of calling a job off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Cancel {
    #[default]
    NotAsked,
    /// Asked, and never answered.
    Unanswered,
    /// It runs and was told.
    Told,
    /// It is cancelled.
    Done,
    /// It had ended.
    TooLate,
}

/// Whether a job may end like this.
pub(crate) fn may_end(kind: &Kind, cancel: Cancel, state: JobState) -> bool {
    match cancel {
        Cancel::NotAsked | Cancel::TooLate => state == kind.ends,
        Cancel::Done => state == JobState::Cancelled,
        Cancel::Unanswered | Cancel::Told => state == kind.ends || state == JobState::Cancelled,
    }
}

#[cfg(test)]
mod tests {
    use super::super::mix::KINDS;
    use super::*;

    fn calls(seed: u64) -> Calls {
        Calls {
            seed,
            mix: Mix::of(&["fibonacci".to_owned()]),
        }
    }

    #[test]
    fn a_call_is_the_same_each_time_and_another_one_for_another_seed() {
        let text = |seed, number| {
            let plan = calls(seed).plan(number);
            format!("{}{}", plan.path(), plan.body())
        };
        assert_eq!(text(1, 7), text(1, 7));
        let differs = |other: fn(u32) -> (u64, u32)| {
            (0..50).any(|number| {
                let (seed, other) = other(number);
                text(1, number) != text(seed, other)
            })
        };
        assert!(differs(|number| (2, number)) && differs(|number| (1, number + 1)));
    }

    #[test]
    fn a_key_leads_back_to_its_call() {
        let calls = calls(17);
        assert_eq!(calls.number(&calls.key(4)), Some(4));
        assert_eq!(calls.number("chaos-1-4"), None);
        assert_eq!(calls.number("chaos-17-four"), None);
    }

    #[test]
    fn a_cancel_that_was_confirmed_holds() {
        let kind = &KINDS[0];
        assert!(may_end(kind, Cancel::Done, JobState::Cancelled));
        assert!(!may_end(kind, Cancel::Done, JobState::Completed));
        assert!(!may_end(kind, Cancel::NotAsked, JobState::Cancelled));
        assert!(!may_end(kind, Cancel::TooLate, JobState::Cancelled));
        assert!(may_end(kind, Cancel::Told, JobState::Completed));
        assert!(!may_end(kind, Cancel::Told, JobState::Dead));
    }
}
