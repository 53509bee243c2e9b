//! What the callers know: which calls were accepted, as which job, and everything that was not as it should be.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jobs::job::JobId;

use super::plan::{Calls, Cancel};

/// One call, as far as its caller knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Entry {
    /// `None` was never accepted.
    pub(crate) job: Option<JobId>,
    pub(crate) cancel: Cancel,
}

/// Something that a caller met and should not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Oddity {
    pub(crate) number: u32,
    pub(crate) job: Option<JobId>,
    pub(crate) what: String,
}

/// What came of all calls.
#[derive(Clone)]
pub(crate) struct Outcome {
    pub(crate) calls: Calls,
    /// By the number of the call.
    pub(crate) entries: Vec<Entry>,
    /// Tries that came to nothing, by the reason.
    pub(crate) failures: BTreeMap<&'static str, u64>,
    /// Answers that are neither an acceptance nor "try again".
    pub(crate) odd_answers: Vec<Oddity>,
    /// Keys that became two jobs; the second one.
    pub(crate) doubles: Vec<Oddity>,
}

pub(super) struct Ledger {
    outcome: Mutex<Outcome>,
    accepted: AtomicU32,
}

impl Ledger {
    pub(super) fn new(calls: Calls, count: u32) -> Self {
        Self {
            outcome: Mutex::new(Outcome::new(calls, count)),
            accepted: AtomicU32::new(0),
        }
    }

    pub(super) fn accept(&self, number: u32, job: JobId) {
        let mut outcome = self.lock();
        let Some(entry) = outcome.entry(number) else {
            return;
        };
        match entry.job {
            Some(first) if first != job => outcome.doubles.push(Oddity {
                number,
                job: Some(job),
                what: format!("the key of {first} became {job} as well"),
            }),
            Some(_) => {}
            None => {
                entry.job = Some(job);
                self.accepted.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// How many calls were accepted so far.
    pub(super) fn accepted(&self) -> u32 {
        self.accepted.load(Ordering::Relaxed)
    }

    pub(super) fn cancel(&self, number: u32, cancel: Cancel) {
        if let Some(entry) = self.lock().entry(number) {
            entry.cancel = cancel;
        }
    }

    pub(super) fn failed(&self, why: &'static str) {
        *self.lock().failures.entry(why).or_default() += 1;
    }

    pub(super) fn odd(&self, number: u32, job: Option<JobId>, what: &str) {
        self.lock().odd_answers.push(Oddity {
            number,
            job,
            what: what.chars().take(300).collect(),
        });
    }

    pub(super) fn outcome(&self) -> Outcome {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Outcome> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outcome {
    pub(crate) fn new(calls: Calls, count: u32) -> Self {
        Self {
            calls,
            entries: vec![Entry::default(); usize::try_from(count).unwrap_or_default()],
            failures: BTreeMap::new(),
            odd_answers: Vec::new(),
            doubles: Vec::new(),
        }
    }

    fn entry(&mut self, number: u32) -> Option<&mut Entry> {
        self.entries.get_mut(usize::try_from(number).ok()?)
    }

    pub(crate) fn accepted(&self) -> impl Iterator<Item = (u32, JobId)> {
        (0..)
            .zip(&self.entries)
            .filter_map(|(number, entry)| Some((number, entry.job?)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::mix::Mix;
    use super::*;

    #[test]
    fn a_key_that_becomes_two_jobs_is_noticed() {
        let calls = Calls {
            seed: 1,
            mix: Mix::of(&[]),
        };
        let ledger = Ledger::new(calls, 2);
        let (first, second) = (JobId::new(), JobId::new());
        ledger.accept(1, first);
        ledger.accept(1, first);
        assert_eq!(ledger.accepted(), 1);
        assert!(ledger.outcome().doubles.is_empty());
        ledger.accept(1, second);
        let outcome = ledger.outcome();
        assert_eq!(outcome.doubles.len(), 1);
        assert_eq!(outcome.accepted().collect::<Vec<_>>(), [(1, first)]);
    }
}
