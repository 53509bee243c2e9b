//! What of JSON can be kept: everything that PostgreSQL's `jsonb` gives back as it came, and that readers agree on.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use super::decimal::Decimal;
use super::escaped;
use super::reader::Reader;

/// Objects and arrays within each other; common readers refuse more.
pub const DEEPEST: usize = 127;
/// Digits behind the point. PostgreSQL's numbers have 16,383.
const FINEST: i64 = 16_000;
/// How many digits longer the numbers of one text may become when their powers of ten are written out, as PostgreSQL does.
const GROWTH_MAX: i64 = 16_384;

/// Why a JSON text cannot be kept as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    Twice,
    Nul,
    Surrogate,
    TooLarge,
    TooFine,
    Grows,
    TooDeep,
}

/// The words that can stand behind the place.
impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Twice => "is there twice",
            Self::Nul => "must not hold the character U+0000",
            Self::Surrogate => "must not hold one half of a surrogate pair (U+D800 to U+DFFF)",
            Self::TooLarge => "must be a number from -1.797e308 to 1.797e308",
            Self::TooFine => "must have at most 16,000 digits behind the point",
            Self::Grows => {
                "must not have powers of ten that make numbers 16,384 digits longer when they are written out"
            }
            Self::TooDeep => "must not be nested deeper than 127",
        })
    }
}

/// A place within a JSON text, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{flaw}", if pointer.is_empty() { String::new() } else { format!("{pointer} ") })]
pub struct Unkept {
    /// JSON pointer (RFC 6901); empty for the whole.
    pub pointer: String,
    pub flaw: Flaw,
}

/// Whether what comes in can be kept. `text` is known to be JSON.
///
/// # Errors
/// The first place that cannot.
pub fn check(text: &str) -> Result<(), Unkept> {
    let mut check = Check {
        reader: Reader::new(text),
        pointer: String::new(),
        growth: 0,
    };
    check.value(0).map_err(|flaw| Unkept {
        pointer: check.pointer,
        flaw,
    })
}

struct Check<'t> {
    reader: Reader<'t>,
    /// Where the reader is; where it was, after an error.
    pointer: String,
    growth: i64,
}

impl Check<'_> {
    fn value(&mut self, depth: usize) -> Result<(), Flaw> {
        let deeper = || (depth < DEEPEST).then_some(depth + 1).ok_or(Flaw::TooDeep);
        match self.reader.peek() {
            b'{' => self.object(deeper()?),
            b'[' => self.array(deeper()?),
            b'"' => text(self.reader.string()),
            b't' | b'f' | b'n' => {
                self.reader.scalar();
                Ok(())
            }
            _ => {
                let number = self.reader.scalar();
                self.number(number)
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), Flaw> {
        let mut names = HashSet::<Cow<'_, str>>::new();
        self.reader.take(b'{');
        while !self.reader.take(b'}') && self.reader.peek() != 0 {
            let raw = self.reader.string();
            let length = self.pointer.len();
            let name = match raw.get(1..raw.len().saturating_sub(1)) {
                Some(bare) if !bare.contains('\\') => Cow::Borrowed(bare),
                _ => Cow::Owned(serde_json::from_str::<String>(raw).unwrap_or_else(|_| raw.to_owned())),
            };
            self.pointer.push('/');
            self.pointer.push_str(&escaped(&name));
            text(raw)?;
            if !names.insert(name) {
                return Err(Flaw::Twice);
            }
            self.reader.take(b':');
            self.value(depth)?;
            self.pointer.truncate(length);
            self.reader.take(b',');
        }
        Ok(())
    }

    fn array(&mut self, depth: usize) -> Result<(), Flaw> {
        self.reader.take(b'[');
        let length = self.pointer.len();
        let mut place = 0_usize;
        while !self.reader.take(b']') && self.reader.peek() != 0 {
            self.pointer.push('/');
            self.pointer.push_str(&place.to_string());
            self.value(depth)?;
            self.pointer.truncate(length);
            self.reader.take(b',');
            place += 1;
        }
        Ok(())
    }

    fn number(&mut self, number: &str) -> Result<(), Flaw> {
        // Most numbers.
        if number.len() < 300 && !number.contains(['e', 'E']) {
            return Ok(());
        }
        if !number.parse::<f64>().is_ok_and(f64::is_finite) {
            return Err(Flaw::TooLarge);
        }
        let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
        let fraction = mantissa.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        let exponent = exponent
            .trim_start_matches('+')
            .parse::<i64>()
            .map_err(|_too_large| Flaw::TooFine)?;
        let fraction = i64::try_from(fraction).unwrap_or(i64::MAX);
        if fraction.saturating_sub(exponent) > FINEST {
            return Err(Flaw::TooFine);
        }
        // Zero times a power of ten is as long as the power all the same.
        let zero = number
            .parse::<Decimal>()
            .is_ok_and(|number| number == Decimal::default());
        if zero && exponent > 308 {
            return Err(Flaw::TooLarge);
        }
        self.growth = self.growth.saturating_add(exponent.saturating_abs());
        if self.growth > GROWTH_MAX {
            return Err(Flaw::Grows);
        }
        Ok(())
    }
}

/// A text with its quotes.
fn text(quoted: &str) -> Result<(), Flaw> {
    let mut rest = quoted;
    // The first half of a pair that waits for the second.
    let mut first_half = false;
    while let Some(at) = rest.find('\\') {
        if first_half && at > 0 {
            return Err(Flaw::Surrogate);
        }
        let escape = &rest[at + 1..];
        let code = escape
            .strip_prefix('u')
            .and_then(|hex| u32::from_str_radix(hex.get(..4)?, 16).ok());
        let second_half = code.is_some_and(|code| (0xdc00..0xe000).contains(&code));
        if second_half != first_half {
            return Err(Flaw::Surrogate);
        }
        if code == Some(0) {
            return Err(Flaw::Nul);
        }
        first_half = code.is_some_and(|code| (0xd800..0xdc00).contains(&code));
        rest = escape
            .get(if code.is_some() { 5 } else { 1 }..)
            .unwrap_or_default();
    }
    if first_half { Err(Flaw::Surrogate) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flaw(text: &str) -> Option<(String, Flaw)> {
        serde_json::from_str::<&serde_json::value::RawValue>(text).unwrap();
        check(text).err().map(|unkept| (unkept.pointer, unkept.flaw))
    }

    #[test]
    fn what_can_be_kept_passes() {
        for text in [
            "null",
            " { \"a\" : [ 1 , -2.50 , 1e2 , true , \"x\" , { } , [ ] ] , \"b\" : { \"a\" : 1 } } ",
            "\"\\ud83e\\udd80 \\u0001 \\\\u0000 \\\\ud800 \\\" \u{1f980}\"",
            "[1e308, -1e-16000, 1.50, 0e5]",
            "12345678901234567890123.1234567890123456789012345",
            "{\"\": 1, \"\\u0061\": 2}",
        ] {
            assert_eq!(flaw(text), None, "{text}");
        }
        let deep = format!("{}{}", "[".repeat(DEEPEST), "]".repeat(DEEPEST));
        assert_eq!(flaw(&deep), None);
        assert_eq!(flaw(&format!("0.{}", "1".repeat(16_000))), None);
    }

    #[test]
    fn what_cannot_is_reported_with_its_place() {
        let large = format!("[{}]", "9".repeat(310));
        let fine = format!("{{\"x\": 0.{}}}", "1".repeat(16_001));
        let grows = format!("[{}1]", "1e300, ".repeat(60));
        let deep = format!("{}{}", "[".repeat(DEEPEST + 1), "]".repeat(DEEPEST + 1));
        for (text, pointer, expected) in [
            ("{\"a\": 1, \"a\": 2}", "/a", Flaw::Twice),
            ("{\"a\": 1, \"\\u0061\": 2}", "/a", Flaw::Twice),
            (
                "[0, {\"b/c~\": [1, {\"x\": 1, \"x\": 1}]}]",
                "/1/b~1c~0/1/x",
                Flaw::Twice,
            ),
            ("{\"a\": [\"b\", \"c\\u0000\"]}", "/a/1", Flaw::Nul),
            ("{\"a\\u0000\": 1}", "/a\u{0}", Flaw::Nul),
            ("\"\\ud800\"", "", Flaw::Surrogate),
            ("[\"\\ud800x\\udc00\"]", "/0", Flaw::Surrogate),
            ("[\"\\udc00\"]", "/0", Flaw::Surrogate),
            ("[\"\\ud800\\ud800\"]", "/0", Flaw::Surrogate),
            ("[\"\\ud800\\n\"]", "/0", Flaw::Surrogate),
            ("{\"x\": 1e400}", "/x", Flaw::TooLarge),
            ("{\"x\": -1E+309}", "/x", Flaw::TooLarge),
            ("{\"x\": 0e99999}", "/x", Flaw::TooLarge),
            (&large, "/0", Flaw::TooLarge),
            ("{\"x\": 1e-16001}", "/x", Flaw::TooFine),
            ("{\"x\": 1e-99999999999999999999}", "/x", Flaw::TooFine),
            (&fine, "/x", Flaw::TooFine),
            (&grows, "/54", Flaw::Grows),
            (&deep, &"/0".repeat(DEEPEST), Flaw::TooDeep),
        ] {
            assert_eq!(flaw(text), Some((pointer.to_owned(), expected)), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_serde_reads_can_be_kept_or_says_why(text in "[\\[\\]{}:,\"\\\\ux0-9eE.+ -]{0,40}|\"(\\\\u[d0][89c0][0-9a]{2}|a){0,4}\"") {
            if serde_json::from_str::<&serde_json::value::RawValue>(&text).is_ok() {
                let read = serde_json::from_str::<serde_json::Value>(&text);
                if let Ok(()) = check(&text) {
                    proptest::prop_assert!(read.is_ok(), "{}", text);
                    let compact = crate::json::reader::compact(&text);
                    proptest::prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&compact).ok(), read.ok());
                }
            }
        }
    }
}
