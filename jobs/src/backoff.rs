//! How long to wait before the next attempt: pure arithmetic, no clock.

use std::time::Duration;

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

/// The wait before the next attempt, as a function of the attempts made so far. In JSON, times are milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backoff {
    /// A random wait between nothing and `base * 2^(attempt - 1)`, at most `cap`: "full jitter", which spreads
    /// the retries of many jobs that failed together better than any fixed wait
    /// (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
    Exponential {
        #[serde(rename = "base_ms", with = "millis")]
        base: Duration,
        #[serde(rename = "cap_ms", with = "millis")]
        cap: Duration,
    },
    /// These waits in turn; the last one again and again.
    #[serde(with = "millis_list")]
    Fixed(Vec<Duration>),
}

impl Default for Backoff {
    fn default() -> Self {
        Self::Exponential {
            base: Duration::from_secs(2),
            cap: Duration::from_mins(10),
        }
    }
}

impl Backoff {
    /// The wait after `attempt` (counted from 1) has failed.
    pub fn wait(&self, attempt: u32, random: &mut impl Rng) -> Duration {
        match self {
            Self::Exponential { base, cap } => {
                let doublings = attempt.saturating_sub(1).min(31);
                let longest = base.saturating_mul(1 << doublings).min(*cap);
                longest.mul_f64(random.random_range(0.0..=1.0))
            }
            Self::Fixed(waits) => {
                let turn = usize::try_from(attempt.saturating_sub(1)).unwrap_or(usize::MAX);
                waits.get(turn).or(waits.last()).copied().unwrap_or_default()
            }
        }
    }
}

mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        whole(duration).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }

    pub(super) fn whole(duration: &Duration) -> u64 {
        u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
    }
}

mod millis_list {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(durations: &[Duration], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(durations.iter().map(super::millis::whole))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Duration>, D::Error> {
        let millis = Vec::<u64>::deserialize(deserializer)?;
        Ok(millis.into_iter().map(Duration::from_millis).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponential_waits_stay_below_their_bound_and_spread() {
        let (base, cap) = (Duration::from_secs(1), Duration::from_mins(1));
        let backoff = Backoff::Exponential { base, cap };
        let mut random = rand::rng();
        for attempt in [1, 2, 3, 6, 7, 31, 32, 33, u32::MAX] {
            let bound = base.saturating_mul(1 << (attempt - 1).min(31)).min(cap);
            let waits: Vec<Duration> = (0..200).map(|_| backoff.wait(attempt, &mut random)).collect();
            assert!(waits.iter().all(|wait| *wait <= bound), "attempt {attempt}");
            assert!(
                waits.iter().any(|wait| *wait < bound / 3),
                "attempt {attempt}: no jitter below"
            );
            assert!(
                waits.iter().any(|wait| *wait > bound / 3 * 2),
                "attempt {attempt}: no jitter above"
            );
        }
    }

    #[test]
    fn fixed_waits_are_taken_in_turn_and_the_last_one_stays() {
        let seconds = |n| Duration::from_secs(n);
        let backoff = Backoff::Fixed(vec![seconds(1), seconds(5)]);
        let mut random = rand::rng();
        let waits: Vec<Duration> = (1..=4)
            .map(|attempt| backoff.wait(attempt, &mut random))
            .collect();
        assert_eq!(waits, [seconds(1), seconds(5), seconds(5), seconds(5)]);
        assert_eq!(Backoff::Fixed(Vec::new()).wait(1, &mut random), Duration::ZERO);
    }

    #[test]
    fn it_reads_back_as_it_was_written() {
        for (backoff, json) in [
            (
                Backoff::default(),
                r#"{"exponential":{"base_ms":2000,"cap_ms":600000}}"#,
            ),
            (
                Backoff::Fixed(vec![Duration::from_millis(5), Duration::from_secs(1)]),
                r#"{"fixed":[5,1000]}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&backoff).unwrap(), json);
            assert_eq!(serde_json::from_str::<Backoff>(json).unwrap(), backoff);
        }
    }
}
