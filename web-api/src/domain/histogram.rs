//! Histograms of durations with fixed buckets: small, and those of many processes and minutes can be added.
//!
//! Eight buckets per doubling of milliseconds, so that a percentile has an error of less than 5 %. Knows no
//! SQL.

use std::time::Duration;

/// Buckets per doubling.
const STEPS: f64 = 8.0;

/// Counts of durations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histogram {
    /// Only as many as needed: the last one is not 0.
    buckets: Vec<u64>,
}

impl Histogram {
    pub fn record(&mut self, time: Duration) {
        self.count_in(bucket(time), 1);
    }

    pub fn add(&mut self, other: &Self) {
        for (bucket, count) in other.filled() {
            self.count_in(bucket, count);
        }
    }

    /// Adds a histogram in the form of [`Histogram::to_bytes`] without building it first, since one response
    /// may add up thousands. Invalid bytes are ignored, since a missing number does less harm than a failed
    /// page.
    pub fn add_bytes(&mut self, bytes: &[u8]) {
        let mut bytes = bytes.iter();
        while let Some(bucket) = bytes.next() {
            let (mut count, mut shift) = (0_u64, 0);
            for byte in bytes.by_ref() {
                count |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or_default();
                shift += 7;
                if byte & 0x80 == 0 {
                    break;
                }
            }
            if count > 0 {
                self.count_in(*bucket, count);
            }
        }
    }

    fn count_in(&mut self, bucket: u8, count: u64) {
        let bucket = usize::from(bucket);
        if self.buckets.len() <= bucket {
            self.buckets.resize(bucket + 1, 0);
        }
        self.buckets[bucket] = self.buckets[bucket].saturating_add(count);
    }

    /// The buckets that are not empty, the lowest first.
    fn filled(&self) -> impl Iterator<Item = (u8, u64)> {
        let counts = (0_u8..=u8::MAX).zip(self.buckets.iter().copied());
        counts.filter(|(_, count)| *count > 0)
    }

    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// The longest duration within this fraction (0 to 1) of all; `None` when the histogram is empty.
    pub fn quantile(&self, part: f64) -> Option<Duration> {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rank among counts, which are small"
        )]
        let rank = ((self.count() as f64 * part).ceil() as u64).max(1);
        let mut seen = 0;
        self.filled().find_map(|(bucket, count)| {
            seen += count;
            (seen >= rank).then(|| middle(bucket))
        })
    }

    /// Pairs of a bucket and its count, seven bits a byte, the lowest first.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (bucket, count) in self.filled() {
            bytes.push(bucket);
            let mut left = count;
            loop {
                let [low, ..] = left.to_le_bytes();
                left >>= 7;
                if left == 0 {
                    bytes.push(low & 0x7f);
                    break;
                }
                bytes.push(low | 0x80);
            }
        }
        bytes
    }

    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut histogram = Self::default();
        histogram.add_bytes(bytes);
        histogram
    }
}

/// Bucket 0 is for less than a millisecond, 255 for weeks.
fn bucket(time: Duration) -> u8 {
    let millis = time.as_secs_f64() * 1_000.0;
    if millis < 1.0 {
        return 0;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is at least 1, and past 255 it is 255"
    )]
    let bucket = ((millis.log2() * STEPS).floor() + 1.0) as u8;
    bucket
}

fn middle(bucket: u8) -> Duration {
    if bucket == 0 {
        return Duration::ZERO;
    }
    let millis = ((f64::from(bucket) - 0.5) / STEPS).exp2();
    Duration::from_secs_f64(millis.round() / 1_000.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(millis: impl IntoIterator<Item = u64>) -> Histogram {
        let mut histogram = Histogram::default();
        for time in millis {
            histogram.record(Duration::from_millis(time));
        }
        histogram
    }

    #[test]
    fn percentiles_are_near_what_they_are() {
        let times = of(1..=1_000);
        for (part, right) in [(0.5, 500.0), (0.95, 950.0), (0.99, 990.0), (1.0, 1_000.0)] {
            let told = times.quantile(part).unwrap().as_secs_f64() * 1_000.0;
            assert!((told - right).abs() / right < 0.05, "{part}: {told}");
        }
        assert_eq!(times.count(), 1_000);
        assert_eq!(Histogram::default().quantile(0.5), None);
        assert_eq!(of([0, 0, 5_000]).quantile(0.5), Some(Duration::ZERO));
        assert_eq!(of([1]).quantile(0.01), Some(Duration::from_millis(1)));
        let longest = of([u64::MAX]).quantile(0.5).unwrap();
        assert!(longest > Duration::from_hours(24 * 7), "{longest:?}");
    }

    #[test]
    fn bytes_that_nobody_wrote_are_no_panic() {
        for bytes in [&[][..], &[1], &[1, 0x80], &[3, 0xff, 0xff], &[0xff; 64]] {
            Histogram::from_bytes(bytes);
        }
    }

    proptest! {
        #[test]
        fn it_is_read_as_it_was_written_and_adds_up(
            some in prop::collection::vec(0_u64..100_000_000, 0..300),
            more in prop::collection::vec(0_u64..100_000_000, 0..300),
        ) {
            let (one, other) = (of(some.clone()), of(more.clone()));
            prop_assert_eq!(&Histogram::from_bytes(&one.to_bytes()), &one);
            let mut sum = one;
            sum.add(&other);
            prop_assert_eq!(&sum, &of(some.into_iter().chain(more)));
            prop_assert_eq!(&Histogram::from_bytes(&sum.to_bytes()), &sum);
        }
    }
}
