//! What came of a run: figures to read, and checks that hold or do not.

use jobs::job::JobId;

#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) figures: Vec<(&'static str, String)>,
    pub(crate) checks: Vec<Check>,
}

/// One thing that has to be so. It holds when nothing offends against it.
#[derive(Debug)]
pub(crate) struct Check {
    pub(crate) what: &'static str,
    pub(crate) offences: Vec<Offence>,
}

/// One case in which it is not so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Offence {
    pub(crate) job: Option<JobId>,
    pub(crate) what: String,
}

impl Verdict {
    pub(crate) fn figure(&mut self, what: &'static str, value: impl Into<String>) {
        self.figures.push((what, value.into()));
    }

    pub(crate) fn check(&mut self, what: &'static str, offences: Vec<Offence>) {
        self.checks.push(Check { what, offences });
    }

    pub(crate) fn failed(&self) -> usize {
        self.checks.iter().filter(|check| !check.holds()).count()
    }
}

impl Check {
    pub(crate) fn holds(&self) -> bool {
        self.offences.is_empty()
    }
}

impl Offence {
    pub(crate) fn of(job: JobId, what: impl Into<String>) -> Self {
        Self {
            job: Some(job),
            what: what.into(),
        }
    }

    pub(crate) fn general(what: impl Into<String>) -> Self {
        Self {
            job: None,
            what: what.into(),
        }
    }
}
