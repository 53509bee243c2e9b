//! The shapes of the demo's own routes under `/api/values`.

use std::collections::BTreeMap;

use salvo::oapi::ToSchema;
use serde::Serialize;

use super::jobs::Job;
use super::scalar::{AnyJson, Timestamp};
use crate::db::demo::AskedIndex;

/// A request for one Fibonacci number.
#[derive(Debug, Clone, ToSchema)]
#[salvo(schema(name = "NewValue"))]
pub struct NewValue {
    /// The index of the Fibonacci number, from 0. The largest is 10,000,000 unless the server sets another
    /// limit.
    #[salvo(schema(minimum = 0, maximum = 10_000_000, example = 90))]
    pub index: u64,
}

/// The job that computes a Fibonacci number, with the number once it is computed.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "Value"))]
pub struct Value {
    #[salvo(schema(example = 90))]
    pub index: u64,
    /// The number in decimal digits. Absent until it is computed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[salvo(schema(value_type = Option<String>, example = "2880067194370816120"))]
    pub value: Option<AnyJson>,
    pub job: Job,
}

/// A requested index.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "Index"))]
pub struct Index {
    #[salvo(schema(example = 90))]
    pub index: u64,
    pub first_asked_at: Timestamp,
    pub last_asked_at: Timestamp,
    #[salvo(schema(minimum = 1))]
    pub times_asked: u64,
}

impl From<AskedIndex> for Index {
    fn from(asked: AskedIndex) -> Self {
        Self {
            index: asked.index,
            first_asked_at: asked.first_asked_at.into(),
            last_asked_at: asked.last_asked_at.into(),
            times_asked: asked.times_asked,
        }
    }
}

/// The requested indices, newest first, at most 1,000.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "IndexList"))]
pub struct IndexList {
    pub indices: Vec<Index>,
}

/// Index to value. Values of more than 1,000 digits are shortened in the middle with "…".
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
#[salvo(schema(name = "CurrentValues", value_type = BTreeMap<String, String>))]
#[serde(transparent)]
pub struct CurrentValues(pub BTreeMap<String, AnyJson>);
