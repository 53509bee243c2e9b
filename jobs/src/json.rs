//! JSON as the text that it is: inputs and outputs go from their callers to functions and back without a digit lost.
//!
//! `serde_json::Value` holds numbers as floats of 64 bits and rounds the others. Its feature `arbitrary_precision` would
//! be for all crates of a build, and breaks functions whose types have untagged or flattened numbers.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

mod canonical;
mod check;
pub mod decimal;
mod reader;

pub use check::{DEEPEST, Flaw, Unkept, check};

/// A JSON value of any shape, as a text without blanks between its parts. Cheap to clone.
///
/// A function that takes or gives JSON of any shape uses it where it would use `serde_json::Value`.
#[derive(Clone)]
pub struct Json(Arc<RawValue>);

/// The fields of a JSON object.
pub type Object = BTreeMap<String, Json>;

impl Json {
    /// # Errors
    /// When the text is no JSON.
    pub fn of_text(text: &str) -> Result<Self, serde_json::Error> {
        RawValue::from_string(reader::compact(text)).map(Self::from)
    }

    pub fn null() -> Self {
        Self::from(Value::Null)
    }

    pub fn of_object(fields: &Object) -> Self {
        let mut text = String::from("{");
        for (place, (name, value)) in fields.iter().enumerate() {
            text.push_str(if place == 0 { "" } else { "," });
            text.push_str(&Value::from(name.as_str()).to_string());
            text.push(':');
            text.push_str(value.text());
        }
        text.push('}');
        Self::of_text(&text).unwrap_or_else(|_| Self::null())
    }

    pub fn text(&self) -> &str {
        self.0.get()
    }

    pub fn raw(&self) -> &RawValue {
        &self.0
    }

    /// As a tree, in which numbers may be rounded: to look at, not to hand on.
    pub fn rounded(&self) -> Value {
        serde_json::from_str(self.text()).unwrap_or_default()
    }

    pub fn is_null(&self) -> bool {
        self.text() == "null"
    }

    /// The characters, when it is a text.
    pub fn as_str(&self) -> Option<Cow<'_, str>> {
        let bare = self.text().strip_prefix('"')?.strip_suffix('"')?;
        if bare.contains('\\') {
            serde_json::from_str(self.text()).ok().map(Cow::Owned)
        } else {
            Some(Cow::Borrowed(bare))
        }
    }

    /// The fields, when it is an object. Of two with one name the last.
    pub fn as_object(&self) -> Option<Object> {
        self.text().starts_with('{').then(|| self.read())?
    }

    /// The items, when it is an array.
    pub fn as_array(&self) -> Option<Vec<Self>> {
        self.text().starts_with('[').then(|| self.read())?
    }

    /// Anything else that it can be read as.
    pub fn read<T: for<'de> Deserialize<'de>>(&self) -> Option<T> {
        serde_json::from_str(self.text()).ok()
    }

    /// One text for all orders of fields, by which two requests are the same.
    pub fn canonical(&self) -> String {
        canonical::canonical(self.text())
    }

    /// Whether it can be kept.
    ///
    /// # Errors
    /// The first place that cannot.
    pub fn check(&self) -> Result<(), Unkept> {
        check(self.text())
    }
}

/// A name as one step of a JSON pointer (RFC 6901).
pub fn escaped(name: &str) -> Cow<'_, str> {
    if name.contains(['~', '/']) {
        Cow::Owned(name.replace('~', "~0").replace('/', "~1"))
    } else {
        Cow::Borrowed(name)
    }
}

impl From<Box<RawValue>> for Json {
    fn from(raw: Box<RawValue>) -> Self {
        Self(Arc::from(raw))
    }
}

impl From<Value> for Json {
    fn from(value: Value) -> Self {
        let raw = serde_json::value::to_raw_value(&value);
        // A tree always has a text.
        Self::from(raw.unwrap_or_else(|_| RawValue::NULL.to_owned()))
    }
}

impl Default for Json {
    fn default() -> Self {
        Self::null()
    }
}

/// The same value, whatever the spelling.
impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text() || canonical::same(self.text()) == canonical::same(other.text())
    }
}

impl Eq for Json {}

impl PartialEq<Value> for Json {
    fn eq(&self, other: &Value) -> bool {
        let other = Self::from(other.clone());
        *self == other
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let has_blanks = raw.get().bytes().any(|byte| byte.is_ascii_whitespace());
        if has_blanks {
            Self::of_text(raw.get()).map_err(serde::de::Error::custom)
        } else {
            Ok(Self::from(raw))
        }
    }
}

impl JsonSchema for Json {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Value::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Value::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const EXACT: &str =
        r#"{"a":1.50,"b":[1e2,12345678901234567890123,0.1234567890123456789012345],"c":" { } "}"#;

    #[test]
    fn every_digit_stays() {
        let blanks = r#" { "a" : 1.50 , "b" : [ 1e2 , 12345678901234567890123 , 0.1234567890123456789012345 ] , "c" : " { } " } "#;
        let json = Json::of_text(blanks).unwrap();
        assert_eq!(json.text(), EXACT);
        assert_eq!(serde_json::to_string(&json).unwrap(), EXACT);
        assert_eq!(serde_json::from_str::<Json>(blanks).unwrap().text(), EXACT);
        let fields = json.as_object().unwrap();
        assert_eq!(fields["a"].text(), "1.50");
        assert_eq!(
            fields["b"].as_array().unwrap()[1].text(),
            "12345678901234567890123"
        );
        assert_eq!(fields["c"].as_str().unwrap(), " { } ");
        assert_eq!(Json::of_object(&fields).text(), EXACT);
    }

    #[test]
    fn one_value_in_two_spellings_is_equal() {
        let json = |text: &str| Json::of_text(text).unwrap();
        assert_eq!(
            json("{\"a\": 1e2, \"b\": \"\\u0061\"}"),
            json("{\"b\":\"a\",\"a\":100.0}")
        );
        assert_ne!(
            json("[12345678901234567890123]"),
            json("[12345678901234567890124]")
        );
        assert_eq!(json("{\"index\": 90}"), json!({"index": 90}));
    }

    /// Keys of requests that older versions have stored must still fit.
    #[test]
    fn the_canonical_text_is_that_of_older_versions_where_they_lost_nothing() {
        for text in [
            "{\"b\":[1,1.5,-0.0,1e2,\"ä\\n\",null],\"a\":{}}",
            "18446744073709551615",
            "1.50",
        ] {
            let json = Json::of_text(text).unwrap();
            assert_eq!(json.canonical(), json.rounded().to_string());
        }
        let canonical = |text: &str| Json::of_text(text).unwrap().canonical();
        assert_ne!(
            canonical("12345678901234567890123"),
            canonical("12345678901234567890124")
        );
    }
}
