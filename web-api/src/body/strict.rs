//! JSON to a value, refusing an object that names a field twice: readers differ in which of the two they take, and
//! what was checked must be what runs.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Why a text is no usable JSON.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ParseError {
    /// A sentence for the caller.
    Syntax(String),
    /// JSON Pointer to the field.
    Twice { field: String },
}

pub(super) fn parse(text: &[u8]) -> Result<Value, ParseError> {
    let twice = RefCell::new(None);
    let mut reader = serde_json::Deserializer::from_slice(text);
    let seed = Seed {
        path: &RefCell::new(String::new()),
        twice: &twice,
    };
    let result = seed
        .deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value));
    result.map_err(|error| match twice.take() {
        Some(field) => ParseError::Twice { field },
        None => ParseError::Syntax(explain(&error)),
    })
}

fn explain(error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    let reason = error.to_string();
    let reason = reason.split(" at line ").next().unwrap_or_default();
    format!("The body is not JSON: {reason}, at line {line}, column {column}.")
}

#[derive(Clone, Copy)]
struct Seed<'a> {
    /// JSON Pointer to where the reader is.
    path: &'a RefCell<String>,
    twice: &'a RefCell<Option<String>>,
}

impl Seed<'_> {
    fn enter(&self, name: &str) -> usize {
        let mut path = self.path.borrow_mut();
        let length = path.len();
        path.push('/');
        path.push_str(&name.replace('~', "~0").replace('/', "~1"));
        length
    }

    fn leave(&self, length: usize) {
        self.path.borrow_mut().truncate(length);
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        loop {
            let length = self.enter(&values.len().to_string());
            let Some(value) = items.next_element_seed(self)? else {
                self.leave(length);
                return Ok(Value::Array(values));
            };
            self.leave(length);
            values.push(value);
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            let length = self.enter(&name);
            if object.contains_key(&name) {
                *self.twice.borrow_mut() = Some(self.path.borrow().clone());
                return Err(A::Error::custom("a field is there twice"));
            }
            object.insert(name, fields.next_value_seed(self)?);
            self.leave(length);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_of_every_kind_are_read() {
        let text = r#" {"a": [1, -2, 1.5, "x", true, null, {"b": {}}], "c": 18446744073709551615} "#;
        let value = parse(text.as_bytes()).unwrap();
        assert_eq!(
            value,
            json!({"a": [1, -2, 1.5, "x", true, null, {"b": {}}], "c": u64::MAX})
        );
    }

    #[test]
    fn a_field_that_is_there_twice_is_named() {
        let twice = |text: &str| parse(text.as_bytes()).unwrap_err();
        assert_eq!(
            twice(r#"{"index": 1, "index": 2}"#),
            ParseError::Twice {
                field: "/index".to_owned()
            }
        );
        assert_eq!(
            twice(r#"{"a": [0, {"b/c": 1, "b/c": 1}]}"#),
            ParseError::Twice {
                field: "/a/1/b~1c".to_owned()
            }
        );
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
        for bad in [
            "{} {}",
            "{'index': 1}",
            "{\"a\": 1e999}",
            "\u{feff}{}",
            &"[".repeat(1_000),
        ] {
            assert!(
                matches!(parse(bad.as_bytes()), Err(ParseError::Syntax(_))),
                "{bad}"
            );
        }
    }
}
