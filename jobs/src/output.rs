//! The output of a job: its JSON text, how it is kept (large ones compressed), and the short view of it that
//! travels with events and lies in SQL.

use std::borrow::Cow;
use std::io::Read;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use unicode_segmentation::GraphemeCursor;

/// Outputs up to this size, in bytes of JSON text, are kept and shown whole everywhere; larger ones are
/// compressed, and events and SQL hold a preview alone.
pub const INLINE_MAX: usize = 4096;

/// Characters that a preview shows at each end of a longer text.
const PREVIEW_END: usize = 100;

/// zstd's level 1: on decimal digits it is within 2.3 % of the raw number, and higher levels are no smaller.
const ZSTD_LEVEL: i32 = 1;

/// The first bytes of every zstd frame (RFC 8878, section 3.1.1); no JSON text begins with them.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// An output in a few bytes.
#[derive(Debug, Clone)]
pub enum OutputSummary {
    /// A large one.
    Measured(OutputMeasure),
    /// The JSON text itself, of at most [`INLINE_MAX`] bytes.
    Whole(Box<RawValue>),
}

/// The measure of an output that is too large to travel with events.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OutputMeasure {
    /// Bytes of the JSON text.
    size: u64,
    preview: String,
    /// Characters, when the output is a string.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    length: Option<u64>,
}

impl OutputSummary {
    /// Describes an output given as JSON text.
    pub fn of(output: Box<RawValue>) -> Self {
        let json = output.get();
        if json.len() <= INLINE_MAX {
            return Self::Whole(output);
        }
        Self::Measured(OutputMeasure {
            size: json.len() as u64,
            preview: preview(json),
            length: length(json),
        })
    }

    /// Bytes of the JSON text.
    pub fn size(&self) -> u64 {
        match self {
            Self::Whole(json) => json.get().len() as u64,
            Self::Measured(measure) => measure.size,
        }
    }

    /// The output itself, when it has at most [`INLINE_MAX`] bytes.
    pub fn json(&self) -> Option<&RawValue> {
        match self {
            Self::Whole(json) => Some(json),
            Self::Measured(_) => None,
        }
    }

    /// The text (of a string: its characters, else the JSON), shortened in the middle past 201 characters.
    pub fn preview(&self) -> String {
        match self {
            Self::Whole(json) => preview(json.get()),
            Self::Measured(measure) => measure.preview.clone(),
        }
    }

    /// Characters, when the output is a string.
    pub fn length(&self) -> Option<u64> {
        match self {
            Self::Whole(json) => length(json.get()),
            Self::Measured(measure) => measure.length,
        }
    }
}

fn preview(json: &str) -> String {
    let text = string_content(json);
    shorten(text.as_deref().unwrap_or(json), 2 * PREVIEW_END + 1, PREVIEW_END)
}

fn length(json: &str) -> Option<u64> {
    Some(string_content(json)?.chars().count() as u64)
}

/// The characters of a JSON string; `None` for any other JSON.
fn string_content(json: &str) -> Option<Cow<'_, str>> {
    let bare = json.strip_prefix('"')?.strip_suffix('"')?;
    // Without a backslash the text stands for itself: two million digits need no parser.
    if bare.contains('\\') {
        serde_json::from_str(json).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(bare))
    }
}

/// The text without U+0000, for which PostgreSQL has no place, and with U+FFFD where it stood.
pub fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        Cow::Owned(text.replace('\0', "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// `text` as it is up to `longest` code points, else its first and last `end` around an ellipsis; fewer where a character
/// would be cut in two that consists of several, such as a letter with its accents or an emoji.
pub fn shorten(text: &str, longest: usize, end: usize) -> String {
    if text.len() <= longest || text.chars().nth(longest).is_none() {
        return text.to_owned();
    }
    let head_end = text.char_indices().nth(end).map_or(text.len(), |(at, _)| at);
    let tail_start = text
        .char_indices()
        .rev()
        .nth(end.saturating_sub(1))
        .map_or(0, |(at, _)| at);
    let (head_end, tail_start) = (whole_before(text, head_end), whole_after(text, tail_start));
    format!("{}…{}", &text[..head_end], &text[tail_start..])
}

/// Bytes within which a character has to end: longer ones are cut in two.
const LONGEST_CHARACTER: usize = 64;

/// The last place at or before `at` where a character ends.
fn whole_before(text: &str, at: usize) -> usize {
    let mut cursor = GraphemeCursor::new(at, text.len(), true);
    if cursor.is_boundary(text, 0) != Ok(false) {
        return at;
    }
    match cursor.prev_boundary(text, 0) {
        Ok(Some(before)) if at - before <= LONGEST_CHARACTER => before,
        _ => at,
    }
}

/// The first place at or after `at` where a character ends.
fn whole_after(text: &str, at: usize) -> usize {
    let mut cursor = GraphemeCursor::new(at, text.len(), true);
    if cursor.is_boundary(text, 0) != Ok(false) {
        return at;
    }
    match cursor.next_boundary(text, 0) {
        Ok(Some(after)) if after - at <= LONGEST_CHARACTER => after,
        _ => at,
    }
}

/// The same JSON with a long string shortened as in a preview: what the list of values shows.
pub(crate) fn shortened_json(output: &RawValue, longest: usize) -> Box<RawValue> {
    let shortened = string_content(output.get())
        .filter(|text| text.len() > longest)
        .and_then(|text| serde_json::value::to_raw_value(&shorten(&text, longest, PREVIEW_END)).ok());
    shortened.unwrap_or_else(|| output.to_owned())
}

/// The bytes under which Redis keeps an output: JSON text, compressed when it is large.
pub(crate) fn pack(json: &str) -> Vec<u8> {
    if json.len() <= INLINE_MAX {
        return json.as_bytes().to_vec();
    }
    // Compressing into memory cannot fail; were it to, the plain text is as good.
    zstd::bulk::compress(json.as_bytes(), ZSTD_LEVEL).unwrap_or_else(|_| json.as_bytes().to_vec())
}

/// The JSON text out of what [`pack`] made. `Err` when the bytes are damaged or grow beyond `limit` bytes.
pub(crate) fn unpack(packed: Bytes, limit: u64) -> std::io::Result<Bytes> {
    if !packed.starts_with(&ZSTD_MAGIC) {
        return Ok(packed);
    }
    let mut json = Vec::new();
    zstd::stream::read::Decoder::new(packed.as_ref())?
        .take(limit + 1)
        .read_to_end(&mut json)?;
    if json.len() as u64 > limit {
        return Err(std::io::Error::other(format!(
            "the output is larger than {limit} bytes"
        )));
    }
    Ok(Bytes::from(json))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(value: &serde_json::Value) -> Box<RawValue> {
        serde_json::value::to_raw_value(value).unwrap()
    }

    #[test]
    fn small_outputs_are_summed_up_whole() {
        let summary = OutputSummary::of(raw(&serde_json::json!("2880067194370816120")));
        assert_eq!((summary.size(), summary.length()), (21, Some(19)));
        assert_eq!(summary.preview(), "2880067194370816120");
        assert_eq!(summary.json().unwrap().get(), "\"2880067194370816120\"");

        let summary = OutputSummary::of(raw(&serde_json::json!({"sent": true})));
        assert_eq!(
            (summary.preview().as_str(), summary.length()),
            ("{\"sent\":true}", None)
        );
    }

    #[test]
    fn large_outputs_keep_both_ends() {
        let digits = "1".repeat(3_000) + &"2".repeat(3_000);
        let summary = OutputSummary::of(raw(&digits.clone().into()));
        assert!(summary.json().is_none());
        assert_eq!((summary.size(), summary.length()), (6_002, Some(6_000)));
        assert_eq!(
            summary.preview(),
            format!("{}…{}", "1".repeat(100), "2".repeat(100))
        );
    }

    #[test]
    fn shortening_counts_characters_not_bytes() {
        assert_eq!(shorten("äöüßé", 5, 2), "äöüßé");
        assert_eq!(shorten("äöüßéx", 5, 2), "äö…éx");
        assert_eq!(shorten("", 5, 2), "");
    }

    #[test]
    fn shortening_cuts_no_character_in_two() {
        let family = "👨\u{200d}👩\u{200d}👧";
        for character in [family, "e\u{301}", "🇩🇪", "नि", "👍🏽"] {
            let text = character.repeat(40);
            for end in 1..20 {
                let short = shorten(&text, 39, end);
                let (head, tail) = short.split_once('…').unwrap();
                for part in [head, tail] {
                    assert_eq!(part.len() % character.len(), 0, "{character} {end}: {short}");
                    assert!(part.chars().count() <= end, "{short}");
                }
            }
        }
        // One that never ends is cut all the same.
        let endless = format!("a{}", "\u{301}".repeat(5_000));
        assert_eq!(shorten(&endless, 201, 100).chars().count(), 201);
    }

    #[test]
    fn what_is_packed_comes_back() {
        for json in ["null".to_owned(), format!("\"{}\"", "7".repeat(INLINE_MAX * 3))] {
            let packed = pack(&json);
            assert!(packed.len() <= json.len());
            assert_eq!(unpack(Bytes::from(packed), 1 << 20).unwrap(), json);
        }
    }

    #[test]
    fn a_frame_that_grows_past_the_limit_is_refused() {
        let packed = Bytes::from(pack(&format!("\"{}\"", "7".repeat(1 << 20))));
        assert!(unpack(packed.clone(), 1 << 10).is_err());
        assert!(unpack(packed.slice(..20), 1 << 21).is_err());
    }
}
