//! Medians, and how numbers are shown.

use std::time::Duration;

/// The middle of the values; with an even count, the lower of the two.
pub(crate) fn median<T: PartialOrd + Copy + Default>(values: &[T]) -> T {
    percentile(values, 50)
}

/// The smallest of the values that so many percent of them do not exceed.
pub(crate) fn percentile<T: PartialOrd + Copy + Default>(values: &[T], percent: usize) -> T {
    let mut sorted = values.to_vec();
    sorted.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

/// The median of what `field` takes from each of them.
pub(crate) fn median_of<R, T: PartialOrd + Copy + Default>(rounds: &[R], field: impl Fn(&R) -> T) -> T {
    median(&rounds.iter().map(field).collect::<Vec<_>>())
}

/// How many a second; not a number when there is no time.
pub(crate) fn rate(number: u64, time: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a few millions are exact")]
    let number = number as f64;
    if time.is_zero() {
        f64::NAN
    } else {
        number / time.as_secs_f64()
    }
}

/// A rate, with two digits less than a noisy machine can stand for: `43,400`.
pub(crate) fn hundreds(rate: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate is positive and small"
    )]
    let rate = rate as u64;
    count(rate / 100 * 100)
}

/// `0.3 µs`, `1.24 ms`, `312 ms`, `1.27 s`.
pub(crate) fn time(length: Duration) -> String {
    let seconds = length.as_secs_f64();
    let (value, unit) = if seconds < 1e-3 {
        (seconds * 1e6, "µs")
    } else if seconds < 1.0 {
        (seconds * 1e3, "ms")
    } else {
        (seconds, "s")
    };
    let digits = usize::from(value < 10.0) + usize::from(value < 100.0);
    format!("{value:.digits$} {unit}")
}

/// `1,234,567`
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1.04`, `12.3`, `8,060`: three digits are more than a noisy machine can stand for.
pub(crate) fn ratio(value: f64) -> String {
    if value < 9.995 {
        format!("{value:.2}")
    } else if value < 99.95 {
        format!("{value:.1}")
    } else {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is far from both ends"
        )]
        let whole = value.round() as u64;
        count(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(&[3, 1, 2]), 2);
        assert_eq!(median(&[4, 1, 3, 2]), 2);
        assert_eq!(median::<u64>(&[]), 0);
        assert_eq!(median_of(&[(1, 9), (2, 8), (3, 7)], |pair| pair.1), 8);
    }

    #[test]
    fn percentiles() {
        let values: Vec<u32> = (1..=200).rev().collect();
        assert_eq!(
            [50, 95, 99, 100].map(|percent| percentile(&values, percent)),
            [100, 190, 198, 200]
        );
        assert_eq!(percentile(&[7], 99), 7);
    }

    #[test]
    fn rates() {
        assert!((rate(500, Duration::from_millis(250)) - 2_000.0).abs() < 1e-9);
        assert!(rate(500, Duration::ZERO).is_nan());
        assert_eq!(hundreds(43_471.9), "43,400");
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(time(Duration::from_nanos(312)), "0.31 µs");
        assert_eq!(time(Duration::from_micros(1_240)), "1.24 ms");
        assert_eq!(time(Duration::from_millis(1_274)), "1.27 s");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(999), "999");
        assert_eq!(
            [ratio(1.0412), ratio(12.34), ratio(8060.2)],
            ["1.04", "12.3", "8,060"]
        );
    }
}
