//! Values that several types share: a time, and JSON of any kind.

use chrono::{DateTime, SecondsFormat, Utc};
use jobs::json::Json;
use salvo::oapi::schema::{BasicType, KnownFormat, Object, Schema, SchemaFormat, SchemaType};
use salvo::oapi::{Components, RefOr, ToSchema};
use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::domain::times;

/// A time as RFC 3339 in UTC with milliseconds, `2026-01-02T03:04:05.678Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub DateTime<Utc>);

impl From<DateTime<Utc>> for Timestamp {
    fn from(time: DateTime<Utc>) -> Self {
        Self(time)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let time = times::without_leap_second(self.0);
        serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl ToSchema for Timestamp {
    fn to_schema(_components: &mut Components) -> RefOr<Schema> {
        Object::with_type(BasicType::String)
            .format(SchemaFormat::KnownFormat(KnownFormat::DateTime))
            .example("2026-01-02T03:04:05.678Z")
            .into()
    }
}

/// JSON of any kind, kept as a value or as its text.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum AnyJson {
    Value(Value),
    Json(Json),
    Text(Box<RawValue>),
}

impl From<Value> for AnyJson {
    fn from(value: Value) -> Self {
        Self::Value(value)
    }
}

impl From<Json> for AnyJson {
    fn from(json: Json) -> Self {
        Self::Json(json)
    }
}

impl From<Box<RawValue>> for AnyJson {
    fn from(text: Box<RawValue>) -> Self {
        Self::Text(text)
    }
}

impl ToSchema for AnyJson {
    fn to_schema(_components: &mut Components) -> RefOr<Schema> {
        Object::with_type(SchemaType::AnyValue).into()
    }
}
