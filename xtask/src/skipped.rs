//! What is left out because a machine cannot do it, which is no failure: an error that says why.

use std::error::Error;
use std::fmt::{Display, Formatter, Result};

/// Something that this machine cannot do and need not.
#[derive(Debug)]
pub(crate) struct Skipped(String);

impl Skipped {
    pub(crate) fn because(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl Display for Skipped {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        formatter.write_str(&self.0)
    }
}

impl Error for Skipped {}
