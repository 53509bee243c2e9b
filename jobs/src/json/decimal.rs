//! A number to its last digit: JSON's numbers have no limit, and a float rounds them.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// An exact decimal number. Two spellings of one number (`1.50`, `1.5`, `15e-1`) are equal.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct Decimal {
    /// Never true of 0.
    negative: bool,
    /// The digits that count: neither the first nor the last is a 0. Empty for 0.
    digits: String,
    /// How many digits stand before the point: the value is 0.DIGITS times ten to this power. 0 for 0.
    point: i64,
}

/// The text is no number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a number")]
pub struct NoDecimal;

impl FromStr for Decimal {
    type Err = NoDecimal;

    /// As JSON writes numbers, and as people do: `+1`, `.5` and `1.` as well.
    fn from_str(text: &str) -> Result<Self, NoDecimal> {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, read_exponent(exponent)?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() && fraction.is_empty() || !all_digits(whole) || !all_digits(fraction) {
            return Err(NoDecimal);
        }
        let whole = whole.trim_start_matches('0');
        let mut point = length(whole).saturating_add(exponent);
        let fraction = fraction.trim_end_matches('0');
        let mut digits = String::with_capacity(whole.len() + fraction.len());
        digits.push_str(whole);
        if whole.is_empty() {
            let rest = fraction.trim_start_matches('0');
            point = point.saturating_sub(length(fraction) - length(rest));
            digits.push_str(rest);
        } else {
            digits.push_str(fraction);
        }
        digits.truncate(digits.trim_end_matches('0').len());
        if digits.is_empty() {
            return Ok(Self::default());
        }
        Ok(Self {
            negative,
            digits,
            point,
        })
    }
}

/// A power that no memory holds counts as the largest one that is distinguished here.
fn read_exponent(text: &str) -> Result<i64, NoDecimal> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NoDecimal);
    }
    let size = digits.parse::<i64>().unwrap_or(i64::MAX).min(i64::MAX / 4);
    Ok(if negative { -size } else { size })
}

fn length(text: &str) -> i64 {
    i64::try_from(text.len()).unwrap_or(i64::MAX)
}

impl Decimal {
    /// How many digits stand before the point; of a number below 1, minus the zeros behind it.
    pub fn magnitude(&self) -> i64 {
        self.point
    }
}

/// A form that [`Decimal::from_str`] and both databases read: plain up to some forty zeros, with a power of ten past
/// them.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ZEROS: i64 = 40;
        if self.digits.is_empty() {
            return f.write_str("0");
        }
        if self.negative {
            f.write_str("-")?;
        }
        let count = length(&self.digits);
        if self.point > count + ZEROS || self.point < -ZEROS {
            let (first, rest) = self.digits.split_at(1);
            let between = if rest.is_empty() { "" } else { "." };
            return write!(f, "{first}{between}{rest}e{}", self.point.saturating_sub(1));
        }
        let zeros = |number: i64| "0".repeat(usize::try_from(number).unwrap_or(0));
        if self.point <= 0 {
            return write!(f, "0.{}{}", zeros(-self.point), self.digits);
        }
        match usize::try_from(self.point) {
            Ok(point) if self.point < count => {
                let (whole, fraction) = self.digits.split_at(point);
                write!(f, "{whole}.{fraction}")
            }
            _ => write!(f, "{}{}", self.digits, zeros(self.point - count)),
        }
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |number: &Self| match (number.digits.is_empty(), number.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        let size = || (self.point, &self.digits).cmp(&(other.point, &other.digits));
        sign(self)
            .cmp(&sign(other))
            .then_with(|| if self.negative { size().reverse() } else { size() })
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn spellings_of_one_number_are_equal() {
        for same in [
            &["1.50", "1.5", "15e-1", "0.15E+1", "+01.500"][..],
            &["100", "1e2", "100.0", "0.1e3"],
            &["0", "-0", "0.000", "0e9", ".0"],
            &["-0.001", "-1e-3", "-.001"],
            &[
                "12345678901234567890123",
                "1234567890123456789012.3e1",
                "12345678901234567890123.0",
            ],
        ] {
            for text in same {
                assert_eq!(number(text), number(same[0]), "{text}");
            }
        }
    }

    #[test]
    fn the_last_digit_counts() {
        let rising = [
            "-1e400",
            "-1970670598291982290.5",
            "-2",
            "-1.0000000000000000000001",
            "-1",
            "-0.5",
            "0",
            "1e-400",
            "0.1234567890123456789012345",
            "0.1234567890123456789012346",
            "9",
            "10",
            "1970670598291982289",
            "1970670598291982290",
            "1970670598291982291",
            "12345678901234567890123",
            "12345678901234567890124",
            "1e400",
        ];
        for pair in rising.windows(2) {
            assert!(number(pair[0]) < number(pair[1]), "{pair:?}");
        }
    }

    #[test]
    fn what_is_written_is_read_as_the_same() {
        for (text, written) in [
            ("1e2", "100"),
            ("-0.50", "-0.5"),
            ("1e50", "1e50"),
            ("-12e-50", "-1.2e-49"),
            ("1970670598291982290", "1970670598291982290"),
            ("0.1234567890123456789012345", "0.1234567890123456789012345"),
            ("1e999999999999999999999", "1e2305843009213693951"),
        ] {
            let shown = number(text).to_string();
            assert_eq!(shown, written);
            assert_eq!(number(&shown), number(text));
        }
    }

    #[test]
    fn what_is_no_number_is_reported() {
        for text in [
            "", "-", ".", "e5", "1e", "1e+", "1_0", "0x10", "inf", "NaN", "1.2.3", " 1", "--1", "1e5.0",
        ] {
            assert_eq!(text.parse::<Decimal>(), Err(NoDecimal), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn floats_keep_their_order(one in proptest::num::f64::NORMAL, other in proptest::num::f64::NORMAL) {
            let (first, second) = (number(&one.to_string()), number(&other.to_string()));
            proptest::prop_assert_eq!(first.partial_cmp(&second), one.partial_cmp(&other));
            proptest::prop_assert_eq!(number(&first.to_string()), first);
        }
    }
}
