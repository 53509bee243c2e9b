//! The identity of a job: a ULID, so that ids follow the order in which they were made.

use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use ulid::{Generator, Overflow, Ulid};

use crate::clock;

use super::ParseError;

/// The identity of a job: a ULID, so that ids sort by the time at which they were made.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(Ulid);

impl JobId {
    /// Makes a new id that is greater than every id this process made before, unless the clock was set back meanwhile.
    #[expect(
        clippy::new_without_default,
        reason = "a default id would suggest that ids are interchangeable"
    )]
    pub fn new() -> Self {
        static IDS: Mutex<Ids> = Mutex::new(Ids::new());
        Self(
            IDS.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .next(clock::now()),
        )
    }

    /// No job's id: what stands where an id is yet to be filled in.
    pub(super) fn nil() -> Self {
        Self(Ulid::nil())
    }

    /// The time at which the id was made, to the millisecond.
    pub fn created_at(self) -> DateTime<Utc> {
        DateTime::from(self.0.datetime())
    }

    /// The smallest id that could have been made at `time`: a lower bound for ids made later.
    pub fn lower_bound(time: DateTime<Utc>) -> Self {
        Self(Ulid::from_parts(
            u64::try_from(time.timestamp_millis()).unwrap_or(0),
            0,
        ))
    }
}

/// Ids that rise, whatever the clock does within a moment.
struct Ids {
    generator: Generator,
    latest_ms: u64,
}

impl Ids {
    /// When the clock is set back by more than this, ids follow it: they would else tell the wrong time until it has come
    /// to where it was.
    const STEP_BACK_MS: u64 = 10_000;

    const fn new() -> Self {
        Self {
            generator: Generator::new(),
            latest_ms: 0,
        }
    }

    fn next(&mut self, now: DateTime<Utc>) -> Ulid {
        let ms = u64::try_from(now.timestamp_millis()).unwrap_or_default();
        if ms.saturating_add(Self::STEP_BACK_MS) < self.latest_ms {
            self.generator = Generator::new();
        }
        let id = self
            .generator
            .generate_from_datetime(now.into())
            .unwrap_or_else(Overflow::commit_overflow_increment);
        self.latest_ms = id.timestamp_ms();
        id
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for JobId {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let expected = "a job id (a ULID of 26 characters)";
        // ULIDs have one canonical form; accepting others would give one job two addresses.
        let id = Ulid::from_string(text).ok().filter(|id| id.to_string() == text);
        id.map(Self).ok_or_else(|| ParseError::new(text, expected))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        /// Cursors of lists are ids.
        #[test]
        fn a_text_is_an_id_in_one_way_or_none(text in "[0-9A-HJKMNP-TV-Za-z]{26}|\\PC{0,30}") {
            if let Ok(id) = text.parse::<JobId>() {
                proptest::prop_assert_eq!(id.to_string(), text);
            }
        }

        #[test]
        fn ids_sort_as_their_texts_do(one in proptest::prelude::any::<u128>(), other in proptest::prelude::any::<u128>()) {
            let (one, other) = (JobId(Ulid(one)), JobId(Ulid(other)));
            proptest::prop_assert_eq!(one.cmp(&other), one.to_string().cmp(&other.to_string()));
            proptest::prop_assert_eq!(one.to_string().parse::<JobId>().unwrap(), one);
        }
    }

    #[test]
    fn ids_follow_a_clock_that_was_a_year_ahead_and_rise_through_small_steps_back() {
        let now = DateTime::from_timestamp_millis(1_800_000_000_000).unwrap();
        let mut ids = Ids::new();
        let first = ids.next(now);
        let ahead = ids.next(now + chrono::TimeDelta::days(365));
        let next = ids.next(now + chrono::TimeDelta::seconds(3));
        assert!(first < next && next < ahead);
        assert_eq!(next.timestamp_ms(), 1_800_000_003_000);
        let back = ids.next(now + chrono::TimeDelta::seconds(1));
        assert!(next < back, "a small step back");
    }

    #[test]
    fn ids_of_one_process_rise_even_within_a_millisecond() {
        let ids: Vec<JobId> = (0..10_000).map(|_| JobId::new()).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn an_id_has_one_spelling() {
        let id = JobId::new();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!(id.to_string().to_lowercase().parse::<JobId>().is_err());
        assert!("01".parse::<JobId>().is_err());
        assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{id}\""));
        assert_eq!(format!("{id:?}"), id.to_string());
    }
}
