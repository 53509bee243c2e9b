//! Columns that hold JSON: read and written as texts without parsing, so that no digit is lost.

use jobs::json::Json;
use sea_orm::{
    ActiveModelTrait, ActiveValue, ColIdx, DbBackend, DbErr, EntityTrait, IdenStatic, Iterable, QueryResult,
    TryGetError, TryGetable, Value,
    sea_query::{
        ArrayType, ColumnType, Expr, ExprTrait, InsertStatement, Nullable, Query, SimpleExpr, ValueType,
        ValueTypeErr,
    },
    sqlx::{Row as _, types::Json as Decoded},
};

/// A value of such a column. PostgreSQL needs its type when it is bound: see [`bound`] and [`insert`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::db) struct JsonText(pub(in crate::db) Json);

/// The value for a statement.
pub(in crate::db) fn bound(backend: DbBackend, value: Option<&Json>) -> SimpleExpr {
    cast(backend, Expr::value(value.map(|value| value.text().to_owned())))
}

/// What a statement would bind as text, bound as JSON.
pub(in crate::db) fn cast(backend: DbBackend, text: SimpleExpr) -> SimpleExpr {
    if backend == DbBackend::Postgres {
        text.cast_as("jsonb")
    } else {
        text
    }
}

/// `INSERT` of the rows, all of which set the same columns; those in `texts` are [`JsonText`].
pub(in crate::db) fn insert<A: ActiveModelTrait>(
    backend: DbBackend,
    rows: impl IntoIterator<Item = A>,
    texts: &[<A::Entity as EntityTrait>::Column],
) -> Result<InsertStatement, DbErr> {
    let mut statement = Query::insert();
    statement.into_table(A::Entity::default());
    for mut row in rows {
        let (mut columns, mut values) = (Vec::new(), Vec::new());
        for column in <A::Entity as EntityTrait>::Column::iter() {
            let (ActiveValue::Set(value) | ActiveValue::Unchanged(value)) = row.take(column) else {
                continue;
            };
            let value = Expr::value(value);
            let is_text = texts.iter().any(|text| text.as_str() == column.as_str());
            values.push(if is_text { cast(backend, value) } else { value });
            columns.push(column);
        }
        statement.columns(columns);
        statement
            .values(values)
            .map_err(|error| DbErr::Custom(error.to_string()))?;
    }
    Ok(statement)
}

impl TryGetable for JsonText {
    fn try_get_by<I: ColIdx>(row: &QueryResult, index: I) -> Result<Self, TryGetError> {
        let failed = |error: &dyn std::fmt::Display| TryGetError::DbErr(DbErr::Type(error.to_string()));
        let json = if let Some(row) = row.try_as_pg_row() {
            let value = row.try_get::<Option<Decoded<Json>>, _>(index.as_sqlx_postgres_index());
            value.map_err(|error| failed(&error))?.map(|value| value.0)
        } else if let Some(row) = row.try_as_sqlite_row() {
            let text = row.try_get::<Option<String>, _>(index.as_sqlx_sqlite_index());
            let text = text.map_err(|error| failed(&error))?;
            text.map(|text| serde_json::from_str(&text))
                .transpose()
                .map_err(|error| failed(&error))?
        } else {
            return Err(failed(&"a database of another kind"));
        };
        json.map(Self)
            .ok_or_else(|| TryGetError::Null(format!("{index:?}")))
    }
}

impl From<JsonText> for Value {
    fn from(JsonText(json): JsonText) -> Self {
        json.text().into()
    }
}

impl ValueType for JsonText {
    fn try_from(value: Value) -> Result<Self, ValueTypeErr> {
        let text = <String as ValueType>::try_from(value)?;
        Json::of_text(&text).map(Self).map_err(|_no_json| ValueTypeErr)
    }

    fn type_name() -> String {
        "JsonText".to_owned()
    }

    fn array_type() -> ArrayType {
        ArrayType::String
    }

    fn column_type() -> ColumnType {
        ColumnType::JsonBinary
    }
}

impl Nullable for JsonText {
    fn null() -> Value {
        Value::String(None)
    }
}
