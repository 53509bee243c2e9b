//! The catch-up policy of a schedule: what happens to missed runs.

use std::str::FromStr;

use chrono::TimeDelta;

/// A run that is later than this counts as missed. A restart is faster.
pub const LATE: TimeDelta = TimeDelta::minutes(1);
/// The most missed runs that [`CatchUp::All`] makes.
pub const MADE_UP: usize = 1_000;

/// What happens to missed runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CatchUp {
    /// They are skipped.
    Skip,
    /// One run replaces all of them.
    Once,
    /// Each of them is made, up to [`MADE_UP`].
    All,
}

impl CatchUp {
    pub const ALL: [Self; 3] = [Self::Skip, Self::Once, Self::All];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Once => "once",
            Self::All => "all",
        }
    }
}

/// The text names no policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be skip, once or all")]
pub struct NoCatchUp;

impl FromStr for CatchUp {
    type Err = NoCatchUp;

    fn from_str(text: &str) -> Result<Self, NoCatchUp> {
        let found = Self::ALL.into_iter().find(|policy| policy.as_str() == text);
        found.ok_or(NoCatchUp)
    }
}
