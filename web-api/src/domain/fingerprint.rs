//! Fingerprints of errors: two errors of one function have the same fingerprint when their messages differ
//! only in numbers, ids, addresses and quoted texts. Pure, and unchanged in every version, because rows store
//! it.

use std::hash::Hasher as _;

use fnv::FnvHasher;
use std::{fmt, net::IpAddr, net::SocketAddr, str::FromStr};

/// The longest pattern, in characters. Messages that differ only after it have the same fingerprint.
const LONGEST: usize = 500;
const NUMBER: &str = "<number>";
const ID: &str = "<id>";
const ADDRESS: &str = "<address>";
const TEXT: &str = "<text>";

/// A group of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(u64);

/// A text that is no fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a fingerprint (16 hexadecimal digits)")]
pub struct ParseFingerprintError(String);

impl Fingerprint {
    /// The fingerprint of an error with this pattern.
    pub fn of(function: &str, kind: &str, pattern: &str) -> Self {
        let mut hasher = FnvHasher::default();
        for text in [function, "\0", kind, "\0", pattern] {
            hasher.write(text.as_bytes());
        }
        Self(hasher.finish())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for Fingerprint {
    type Err = ParseFingerprintError;

    fn from_str(text: &str) -> Result<Self, ParseFingerprintError> {
        let number = u64::from_str_radix(text, 16).ok().map(Self);
        number
            .filter(|fingerprint| fingerprint.to_string() == text)
            .ok_or_else(|| ParseFingerprintError(text.chars().take(80).collect()))
    }
}

/// The message without what differs from one error to the next.
pub fn pattern(message: &str) -> String {
    let characters: Vec<char> = message.chars().take(LONGEST).collect();
    let mut pattern = String::new();
    let mut place = 0;
    while let Some(character) = characters.get(place).copied() {
        if character.is_whitespace() {
            // Any white space counts as one blank.
            if !pattern.is_empty() && !pattern.ends_with(' ') {
                pattern.push(' ');
            }
            place += 1;
        } else if let Some(after) = quoted(&characters, place) {
            pattern.push_str(TEXT);
            place = after;
        } else {
            let rest = &characters[place..];
            let length = rest
                .iter()
                .take_while(|next| !next.is_whitespace() && !matches!(next, '"' | '\'' | '`'))
                .count()
                .max(1);
            let word: String = rest[..length].iter().collect();
            word_into(&mut pattern, &word);
            place += length;
        }
    }
    pattern.truncate(pattern.trim_end().len());
    pattern
}

/// The position after the quoted text that starts here. An apostrophe within a word starts none.
fn quoted(characters: &[char], place: usize) -> Option<usize> {
    let quote = characters[place];
    let within_a_word = place > 0 && characters[place - 1].is_alphanumeric();
    if !matches!(quote, '"' | '\'' | '`') || within_a_word {
        return None;
    }
    let rest = &characters[place + 1..];
    let length = rest.iter().position(|next| *next == quote)?;
    Some(place + length + 2)
}

fn word_into(pattern: &mut String, word: &str) {
    // An address of IPv6 with a port begins with a bracket itself.
    let whole = word.trim_end_matches([',', '.', ';', ')']);
    if whole.parse::<SocketAddr>().is_ok() {
        pattern.push_str(ADDRESS);
        pattern.push_str(&word[whole.len()..]);
        return;
    }
    let begins = word.trim_start_matches(['(', '[', '{', '<', '=']);
    let bare = begins.trim_end_matches([',', '.', ';', ':', ')', ']', '}', '>', '!', '?']);
    let is_address = bare.contains("://")
        || bare.contains('@')
        || bare.parse::<SocketAddr>().is_ok()
        || bare.parse::<IpAddr>().is_ok();
    if is_address && !bare.is_empty() {
        pattern.push_str(&word[..word.len() - begins.len()]);
        pattern.push_str(ADDRESS);
        pattern.push_str(&begins[bare.len()..]);
        return;
    }
    let mut rest = word;
    while !rest.is_empty() {
        let length = rest
            .find(|character: char| !character.is_ascii_alphanumeric() && character != '-')
            .unwrap_or(rest.len());
        if is_id(&rest[..length]) {
            pattern.push_str(ID);
            rest = &rest[length..];
            continue;
        }
        let length = rest
            .find(|character: char| !character.is_ascii_alphanumeric())
            .unwrap_or(rest.len());
        let next = rest[length..].chars().next().map_or(0, char::len_utf8);
        if is_id(&rest[..length]) {
            pattern.push_str(ID);
            rest = &rest[length..];
        } else if length == 0 {
            pattern.push_str(&rest[..next]);
            rest = &rest[next..];
        } else if rest.starts_with(|character: char| character.is_ascii_digit()) {
            pattern.push_str(NUMBER);
            rest = after_number(rest);
        } else {
            let letters = rest[..length]
                .find(|character: char| character.is_ascii_digit())
                .unwrap_or(length);
            pattern.push_str(&rest[..letters]);
            rest = &rest[letters..];
        }
    }
}

/// What follows a number, which may have a fraction, or commas between its digits.
fn after_number(text: &str) -> &str {
    let bytes = text.as_bytes();
    let digit = |place: usize| bytes.get(place).is_some_and(u8::is_ascii_digit);
    let mut end = 0;
    while digit(end) || (matches!(bytes.get(end), Some(b'.' | b',')) && digit(end + 1)) {
        end += 1;
    }
    &text[end..]
}

/// UUIDs, ULIDs, hashes, and numbers in hexadecimal.
fn is_id(text: &str) -> bool {
    let hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let has_digit = text.bytes().any(|byte| byte.is_ascii_digit());
    let uuid = text.len() == 36
        && text
            .split('-')
            .map(|part| if hex(part) { part.len() } else { 0 })
            .eq([8, 4, 4, 4, 12]);
    let ulid = text.len() == 26
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
    let hash = text.len() >= 8 && hex(text) && text.bytes().any(|byte| byte.is_ascii_alphabetic());
    let prefixed = text
        .strip_prefix("0x")
        .is_some_and(|rest| !rest.is_empty() && hex(rest));
    has_digit && (uuid || ulid || hash || prefixed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_differs_from_one_error_to_the_next_is_left_out() {
        for (message, expected) in [
            ("timed out after 5s", "timed out after <number>s"),
            ("timed out after 1,500.25s", "timed out after <number>s"),
            ("job 01JD3Y8M5Q2W7E9R4T6Y1P0A2S is gone", "job <id> is gone"),
            ("no row 6f1c2d3e-0a1b-4c5d-8e9f-001122334455.", "no row <id>."),
            ("commit 3f9a2bc17d at 0xdeadbeef", "commit <id> at <id>"),
            ("at 0x7f3a", "at <id>"),
            (
                "cannot reach 10.0.0.7:5432 (refused)",
                "cannot reach <address> (refused)",
            ),
            ("GET https://example.com/a?b=1: 503", "GET <address>: <number>"),
            ("mail to anna@example.com, failed", "mail to <address>, failed"),
            ("[::1]:80", "<address>"),
            ("no such file: \"/tmp/a b\"", "no such file: <text>"),
            (
                "unknown field `age`, can't go on",
                "unknown field <text>, can't go on",
            ),
            (
                "worker-3 vanished\n  during attempt 2",
                "worker-<number> vanished during attempt <number>",
            ),
            ("decade defaced", "decade defaced"),
            ("", ""),
        ] {
            assert_eq!(pattern(message), expected, "{message}");
        }
    }

    #[test]
    fn a_fingerprint_is_one_text_and_stays_the_same() {
        let fingerprint = Fingerprint::of("fibonacci", "error", &pattern("timed out after 5s"));
        assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
        // Rows store these values: another computation would split existing groups.
        assert_eq!(
            fingerprint,
            Fingerprint::of("fibonacci", "error", "timed out after <number>s")
        );
        assert_ne!(
            fingerprint,
            Fingerprint::of("other", "error", "timed out after <number>s")
        );
        assert_ne!(
            fingerprint,
            Fingerprint::of("fibonacci", "timeout", "timed out after <number>s")
        );
        for bad in [
            "",
            "1",
            "123456789ABCDEF0",
            "+123456789abcdef",
            "0123456789abcdef0",
        ] {
            assert!(bad.parse::<Fingerprint>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_message_has_a_pattern(message in ".*", number in 0..1_000_000_u32) {
            pattern(&message);
            let with = |number: u32| pattern(&format!("row {number} is gone, see #{number}"));
            prop_assert_eq!(with(number), with(7));
        }
    }
}
