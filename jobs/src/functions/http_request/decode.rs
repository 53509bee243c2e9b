//! From the bytes of an answer to its text: what `content-encoding` and `charset` say, within bounds.

use std::borrow::Cow;
use std::io::Read;

use bytes::Bytes;
use encoding_rs::Encoding;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};

/// Encodings on top of each other that are undone. No server sends two.
const LAYERS_MAX: usize = 3;

/// What is behind a body's encodings.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decompressed {
    /// The body itself.
    Body(Bytes),
    /// Still compressed: in a way that is not known here, or damaged.
    Unreadable(Bytes),
    /// More than the limit.
    TooLarge,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Gzip,
    Deflate,
    Zstd,
}

/// The encodings in the order in which they are to be undone; `None` when one is not known.
fn codings(headers: &HeaderMap) -> Option<Vec<Coding>> {
    let mut codings = Vec::new();
    for value in headers.get_all(CONTENT_ENCODING) {
        for name in value.to_str().ok()?.split(',') {
            match name.trim().to_ascii_lowercase().as_str() {
                "" | "identity" => {}
                "gzip" | "x-gzip" => codings.push(Coding::Gzip),
                "deflate" => codings.push(Coding::Deflate),
                "zstd" => codings.push(Coding::Zstd),
                _ => return None,
            }
        }
    }
    codings.reverse();
    (codings.len() <= LAYERS_MAX).then_some(codings)
}

/// Undoes the encodings of a body. Never holds more than `limit` bytes of what comes out.
pub(super) async fn decompress(headers: &HeaderMap, body: Bytes, limit: u64) -> Decompressed {
    match codings(headers) {
        None => Decompressed::Unreadable(body),
        Some(codings) if codings.is_empty() || body.is_empty() => Decompressed::Body(body),
        Some(codings) => {
            let compressed = body.clone();
            let undone = tokio::task::spawn_blocking(move || undo_all(&codings, body, limit));
            undone.await.unwrap_or(Decompressed::Unreadable(compressed))
        }
    }
}

fn undo_all(codings: &[Coding], compressed: Bytes, limit: u64) -> Decompressed {
    let mut body = compressed.clone();
    for coding in codings {
        // One byte more than is allowed tells that there is more.
        let (bytes, complete) = undo(*coding, &body, limit.saturating_add(1));
        if bytes.len() as u64 > limit {
            return Decompressed::TooLarge;
        }
        if !complete {
            return Decompressed::Unreadable(compressed);
        }
        body = bytes.into();
    }
    Decompressed::Body(body)
}

/// As much of what is behind one encoding as there is, up to `most` bytes; and whether that came to its end in order.
fn undo(coding: Coding, compressed: &[u8], most: u64) -> (Vec<u8>, bool) {
    fn all(from: impl Read, most: u64) -> (Vec<u8>, bool) {
        let mut bytes = Vec::new();
        let read = from.take(most).read_to_end(&mut bytes);
        (bytes, read.is_ok())
    }
    match coding {
        Coding::Gzip => all(MultiGzDecoder::new(compressed), most),
        // The standard means zlib; some servers send what is inside it.
        Coding::Deflate => match all(ZlibDecoder::new(compressed), most) {
            (bytes, false) if bytes.is_empty() => all(DeflateDecoder::new(compressed), most),
            done => done,
        },
        Coding::Zstd => match zstd::stream::read::Decoder::new(compressed) {
            Ok(decoder) => all(decoder, most),
            Err(_) => (Vec::new(), false),
        },
    }
}

/// The beginning of a body of which only a part was read, as far as it can be told.
pub(super) fn beginning(headers: &HeaderMap, part: &[u8], most: usize) -> String {
    let mut bytes = Cow::Borrowed(part);
    match codings(headers) {
        None => return String::new(),
        Some(codings) => {
            for coding in codings {
                bytes = Cow::Owned(undo(coding, &bytes, most as u64).0);
            }
        }
    }
    match charset(headers) {
        Some(encoding) => encoding.decode(&bytes).0.into_owned(),
        None => String::from_utf8_lossy(&bytes).into_owned(),
    }
}

/// The text of a body, if it is one: in the `charset` that the server names, or else in UTF-8.
pub(super) fn text<'a>(headers: &HeaderMap, body: &'a [u8]) -> Option<Cow<'a, str>> {
    match charset(headers) {
        Some(encoding) => {
            let (text, _, damaged) = encoding.decode(body);
            (!damaged).then_some(text)
        }
        None => std::str::from_utf8(body).ok().map(Cow::Borrowed),
    }
}

/// The charset that the content-type names, if it is another one than UTF-8 and known (by its WHATWG names).
fn charset(headers: &HeaderMap) -> Option<&'static Encoding> {
    let content_type = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let named = content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let is_it = name.trim().eq_ignore_ascii_case("charset");
        is_it.then(|| value.trim().trim_matches('"').trim_matches('\''))
    })?;
    let encoding = Encoding::for_label(named.as_bytes())?;
    (encoding != encoding_rs::UTF_8).then_some(encoding)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use http::header::{HeaderName, HeaderValue};

    use super::*;

    fn headers(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[tokio::test]
    async fn each_encoding_is_undone_and_what_is_not_known_or_damaged_is_left() {
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(b"text").unwrap();
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::fast());
        raw.write_all(b"text").unwrap();
        let two_members = [gzip(b"te"), gzip(b"xt")].concat();
        for (name, compressed) in [
            ("identity", b"text".to_vec()),
            ("gzip", gzip(b"text")),
            ("X-GZIP", two_members),
            ("deflate", zlib.finish().unwrap()),
            ("deflate", raw.finish().unwrap()),
            ("zstd", zstd::encode_all(&b"text"[..], 1).unwrap()),
            ("gzip, gzip", gzip(&gzip(b"text"))),
        ] {
            let headers = headers(CONTENT_ENCODING, name);
            let body = decompress(&headers, compressed.into(), 100).await;
            assert_eq!(body, Decompressed::Body(Bytes::from_static(b"text")), "{name}");
        }
        let mut broken_off = gzip(b"text");
        broken_off.truncate(15);
        for (name, body) in [
            ("br", b"text".to_vec()),
            ("gzip", b"text".to_vec()),
            ("gzip", broken_off),
            ("gzip, gzip, gzip, gzip", gzip(b"text")),
        ] {
            let body = Bytes::from(body);
            let left = decompress(&headers(CONTENT_ENCODING, name), body.clone(), 100).await;
            assert_eq!(left, Decompressed::Unreadable(body), "{name}");
        }
    }

    #[tokio::test]
    async fn what_is_larger_than_the_limit_is_not_unpacked_to_its_end() {
        let bomb = gzip(&vec![b' '; 100 << 20]);
        let twice: Bytes = gzip(&bomb).into();
        assert!(twice.len() < 10_000, "{}", twice.len());
        let headers = headers(CONTENT_ENCODING, "gzip, gzip");
        assert_eq!(decompress(&headers, twice, 1 << 20).await, Decompressed::TooLarge);
    }

    #[test]
    fn a_text_is_read_in_the_charset_that_it_names() {
        let cases: [(&str, &[u8], Option<&str>); 8] = [
            ("text/plain; charset=latin1", b"gr\xfc\xdfe", Some("grüße")),
            ("text/plain;Charset=\"ISO-8859-1\"", b"gr\xfc\xdfe", Some("grüße")),
            ("text/html; charset=windows-1252", b"\x80", Some("€")),
            ("text/plain; charset=shift_jis", b"\x82\xa0", Some("あ")),
            ("text/plain; charset=utf-16le", b"a\0b\0", Some("ab")),
            ("text/plain; charset=utf-8", b"gr\xfc\xdfe", None),
            ("text/plain; charset=made-up", "ä".as_bytes(), Some("ä")),
            ("text/plain", b"gr\xfc\xdfe", None),
        ];
        for (content_type, body, expected) in cases {
            let found = text(&headers(CONTENT_TYPE, content_type), body);
            assert_eq!(found.as_deref(), expected, "{content_type}");
        }
    }

    #[test]
    fn the_beginning_of_a_compressed_error_can_be_read() {
        let lines: Vec<String> = (0..10_000_u32)
            .map(|n| format!("no room {}", n.wrapping_mul(7_919)))
            .collect();
        let compressed = gzip(lines.join(" ").as_bytes());
        let text = beginning(&headers(CONTENT_ENCODING, "gzip"), &compressed[..4_096], 500);
        assert!(text.starts_with("no room 0 no room 7919"), "{text}");
        assert!(text.len() <= 500);
    }
}
