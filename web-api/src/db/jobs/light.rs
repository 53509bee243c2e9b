//! Rows without their large inputs, for whoever looks at many of them: a hundred inputs of a megabyte would cross the wire
//! and lie in memory for a list that shows a line of each.

use jobs::json::Json;
use sea_orm::{DbBackend, Iterable, QuerySelect, Select, sea_query::Expr};

use super::{
    Job,
    row::{Column, Entity, Model},
};
use crate::db::StoreError;
use crate::db::values::storable;

/// Bytes of the JSON text of an input that is read with its row; as many as of an output.
const INPUT_MAX: usize = 4_096;
/// Characters of the beginning of a larger one.
const PREVIEW: usize = 200;

/// An input that was left out of a list because it is large.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputCut {
    /// Bytes of the JSON text.
    pub size: u64,
    /// How the JSON text begins.
    pub preview: String,
}

impl InputCut {
    /// `None` for an input that was read.
    pub(in crate::db) fn of(size: i64, preview: Option<String>) -> Option<Self> {
        let size = size.unsigned_abs();
        (size > INPUT_MAX as u64).then(|| Self {
            size,
            preview: preview.unwrap_or_default(),
        })
    }
}

/// How a database measures and cuts the column `input` of a table.
pub(in crate::db) struct InputSql {
    column: String,
    text: String,
    null: &'static str,
    /// The bytes of the JSON text.
    pub(in crate::db) bytes: String,
}

impl InputSql {
    pub(in crate::db) fn of(table: &str, backend: DbBackend) -> Self {
        let column = format!("\"{table}\".\"input\"");
        if backend == DbBackend::Postgres {
            let text = format!("{column}::text");
            Self {
                bytes: format!("octet_length({text})::bigint"),
                null: "'null'::jsonb",
                text,
                column,
            }
        } else {
            Self {
                bytes: format!("length(CAST({column} AS BLOB))"),
                null: "'null'",
                text: column.clone(),
                column,
            }
        }
    }

    /// The input, or JSON's null when `bytes` says that it is large.
    pub(in crate::db) fn when_small(&self, bytes: &str) -> String {
        let Self { column, null, .. } = self;
        format!("CASE WHEN {bytes} <= {INPUT_MAX} THEN {column} ELSE {null} END")
    }

    /// How the JSON text begins.
    pub(in crate::db) fn beginning(&self) -> String {
        format!("substr({}, 1, {PREVIEW})", self.text)
    }
}

/// The columns that say how large an input is, and how a large one begins.
pub(super) fn measured(input: &Json) -> (Option<i64>, Option<String>) {
    let text = input.text();
    let size = i64::try_from(text.len()).unwrap_or(i64::MAX);
    let beginning = || storable(&text.chars().take(PREVIEW).collect::<String>());
    (Some(size), (text.len() > INPUT_MAX).then(beginning))
}

/// The same query without large inputs: they are JSON's null, and [`job`] says what they were.
pub(super) fn without_inputs(query: Select<Entity>, backend: DbBackend) -> Select<Entity> {
    let input = InputSql::of("jobs", backend);
    let stored = |name: &str| format!("\"jobs\".\"{name}\"");
    let (size, preview) = (stored("input_size"), stored("input_preview"));
    // Measured only where it was not when the row was written.
    let bytes = format!("coalesce({size}, {})", input.bytes);
    let beginning = format!(
        "CASE WHEN {size} IS NULL AND {} > {INPUT_MAX} THEN {} ELSE {preview} END",
        input.bytes,
        input.beginning()
    );
    let others = Column::iter()
        .filter(|column| !matches!(column, Column::Input | Column::InputSize | Column::InputPreview));
    query
        .select_only()
        .columns(others)
        .column_as(Expr::cust(input.when_small(&bytes)), "input")
        .column_as(Expr::cust(bytes), "input_size")
        .column_as(Expr::cust(beginning), "input_preview")
}

/// A job of such a row.
pub(super) fn job(row: Model) -> Result<Job, StoreError> {
    let cut = InputCut::of(row.input_size.unwrap_or_default(), row.input_preview.clone());
    Ok(Job {
        input_cut: cut,
        ..Job::try_from(row)?
    })
}
