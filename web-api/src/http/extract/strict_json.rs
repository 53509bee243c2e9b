//! Checks that a body is JSON that can be stored unchanged: without duplicate fields (parsers differ in which
//! of the two they use, and what was checked must be what runs), and without texts or numbers that the
//! databases cannot store.

use jobs::json::{self, Flaw, Unkept};
use serde_json::value::RawValue;

/// Why a text is not usable JSON.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ParseError {
    /// A sentence for the caller.
    Syntax(String),
    /// What is wrong with a part of it.
    Unkept(Unkept),
}

/// The text of the value in the body.
pub(crate) fn parse(bytes: &[u8]) -> Result<&str, ParseError> {
    let value: &RawValue =
        serde_json::from_slice(bytes).map_err(|error| ParseError::Syntax(explain(&error)))?;
    match json::check(value.get()) {
        Ok(()) => Ok(value.get()),
        Err(unkept) if unkept.flaw == Flaw::TooDeep => Err(ParseError::Syntax(format!(
            "The body is JSON that {}.",
            unkept.flaw
        ))),
        Err(unkept) => Err(ParseError::Unkept(unkept)),
    }
}

fn explain(error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    let reason = error.to_string();
    let reason = reason.split(" at line ").next().unwrap_or_default();
    format!("The body is not JSON: {reason}, at line {line}, column {column}.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_read_as_it_came() {
        let text = r#"{"a": [1, -2, 1.50, "x", true, null, {"b": {}}], "c": 12345678901234567890123}"#;
        assert_eq!(parse(format!("\n {text} \n").as_bytes()), Ok(text));
    }

    #[test]
    fn what_cannot_be_kept_is_named() {
        for (text, pointer, flaw) in [
            (r#"{"index": 1, "index": 2}"#, "/index", Flaw::Twice),
            (r#"{"a": [0, {"b/c": 1, "b/c": 1}]}"#, "/a/1/b~1c", Flaw::Twice),
            (r#"{"a": "\u0000"}"#, "/a", Flaw::Nul),
            (r#"{"a": "\ud800"}"#, "/a", Flaw::Surrogate),
            (r#"{"a": 1e999}"#, "/a", Flaw::TooLarge),
        ] {
            let pointer = pointer.to_owned();
            let unkept = ParseError::Unkept(Unkept { pointer, flaw });
            assert_eq!(parse(text.as_bytes()), Err(unkept), "{text}");
        }
        assert!(parse(br#"{"a": {"x": 1}, "b": {"x": 1}}"#).is_ok());
    }

    #[test]
    fn a_syntax_error_is_told_with_its_place() {
        let ParseError::Syntax(message) = parse(b"{\"index\": 9").unwrap_err() else {
            panic!("not a syntax error")
        };
        assert_eq!(
            message,
            "The body is not JSON: EOF while parsing an object, at line 1, column 11."
        );
        let deep = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
        for bad in ["{} {}", "{'index': 1}", "\u{feff}{}", &"[".repeat(1_000), &deep] {
            assert!(
                matches!(parse(bad.as_bytes()), Err(ParseError::Syntax(_))),
                "{bad}"
            );
        }
        assert!(matches!(parse(b"\"\xff\""), Err(ParseError::Syntax(_))));
    }
}
