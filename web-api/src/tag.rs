//! Tags: what callers mark jobs with, so that they find them again by what they mean (a customer, a release, an import).

use std::fmt;
use std::str::FromStr;

/// The longest tag, in characters.
pub const LONGEST: usize = 64;
/// Tags of one job.
pub const MOST: usize = 10;

/// 1 to 64 letters, digits and `_ - . : / @ + # =`: what a search takes without quotes, and a list parts with commas.
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
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:/@+#=".contains(&byte);
        if (1..=LONGEST).contains(&text.len()) && text.bytes().all(good) {
            Ok(Self(text.to_owned()))
        } else {
            Err(TagError(text.chars().take(LONGEST).collect()))
        }
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
        for bad in ["", "a b", "a,b", "\"", "ü", "a\0", &"x".repeat(LONGEST + 1)] {
            assert!(bad.parse::<Tag>().is_err(), "{bad}");
        }
    }
}
