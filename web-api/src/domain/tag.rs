//! Tags: labels that callers give to jobs to find them later (a customer, a release, an import).

use std::fmt;
use std::str::FromStr;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// The longest tag, in characters.
pub const LONGEST: usize = 64;
/// The most tags of one job.
pub const MOST: usize = 10;
/// Of a character as it may be sent, with its marks apart.
const MOST_BYTES: usize = 16;

/// 1 to 64 letters and digits of any script and `_ - . : / @ + # =`: characters that need no quotes in a
/// search, and no escape in a list with commas. Tags are stored in Unicode's normal form C, so that a letter
/// with two spellings is one letter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(String);

/// A text that is no tag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a tag: 1 to {LONGEST} letters, digits and _ - . : / @ + # =")]
pub struct TagError(String);

impl Tag {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tag {
    type Err = TagError;

    fn from_str(text: &str) -> Result<Self, TagError> {
        let good = |character: char| {
            // Many scripts write vowels as marks on letters.
            character.is_alphanumeric() || is_combining_mark(character) || "_-.:/@+#=".contains(character)
        };
        // Normalization changes the length, so a text that is far too long is refused before it.
        if text.len() <= LONGEST * MOST_BYTES {
            let tag: String = text.nfc().collect();
            if (1..=LONGEST).contains(&tag.chars().count()) && tag.chars().all(good) {
                return Ok(Self(tag));
            }
        }
        Err(TagError(text.chars().take(LONGEST).collect()))
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_has_no_blank_no_comma_and_no_quotes() {
        for good in [
            "a",
            "customer:17",
            "import/2026-11",
            "v1.2.3+b4",
            "a@b.c",
            "#5",
            "k=v",
        ] {
            assert_eq!(good.parse::<Tag>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            "a b",
            "a,b",
            "\"",
            "a\0",
            "💥",
            "a\u{200b}b",
            &"x".repeat(LONGEST + 1),
            &"é".repeat(LONGEST + 1),
        ] {
            assert!(bad.parse::<Tag>().is_err(), "{bad}");
        }
    }

    #[test]
    fn letters_of_every_script_are_letters() {
        for good in [
            "über",
            "kunde:müller",
            "клиент-17",
            "顧客",
            "고객",
            "לקוח",
            "عميل",
            "ग्राहक",
            "ลูกค้า",
            "ΑΒΓ",
            &"é".repeat(LONGEST),
        ] {
            assert_eq!(good.parse::<Tag>().unwrap().as_str(), good);
        }
    }

    #[test]
    fn a_letter_that_is_written_in_two_ways_is_one_tag() {
        let apart: Tag = "u\u{308}ber".parse().unwrap();
        assert_eq!(apart, "über".parse().unwrap());
        assert!("u\u{308}".repeat(LONGEST).parse::<Tag>().is_ok());
    }
}
