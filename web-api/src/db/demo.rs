//! The table `indices`: which Fibonacci indices were asked for, when first and last, how often.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::{
    ConnectionTrait, DbErr, EntityTrait, QueryOrder, QuerySelect, Set,
    sea_query::{CaseStatement, Expr, ExprTrait, OnConflict},
};

use super::jobs::Job;
use super::{Store, StoreError};

mod row {
    use sea_orm::entity::prelude::*;

    #[expect(unreachable_pub, reason = "what is derived from it is public")]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "indices")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub index: i64,
        pub first_asked_at: DateTimeUtc,
        pub last_asked_at: DateTimeUtc,
        pub times_asked: i64,
    }

    #[expect(unreachable_pub, reason = "the derived entity, which is public, names it")]
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Rows in one statement.
const CHUNK: usize = 500;

/// A Fibonacci index that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedIndex {
    pub index: u64,
    pub first_asked_at: DateTime<Utc>,
    pub last_asked_at: DateTime<Utc>,
    pub times_asked: u64,
}

impl Store {
    /// Counts each of these indices once more, as asked for at the time beside it. Repeats are merged.
    pub async fn index_record_many(&self, asked: &[(u64, DateTime<Utc>)]) -> Result<(), StoreError> {
        let _turn = self.write_turn().await?;
        self.bounded("index_record_many", record(&self.database, asked.iter().copied()))
            .await
    }

    /// The indices asked for, the most recent one first.
    pub async fn index_list(&self, limit: u64) -> Result<Vec<AskedIndex>, StoreError> {
        let query = row::Entity::find()
            .order_by_desc(row::Column::LastAskedAt)
            .order_by_asc(row::Column::Index)
            .limit(limit);
        let rows = self
            .bounded_search("index_list", query.all(&self.database))
            .await?;
        Ok(rows
            .into_iter()
            .map(|row| AskedIndex {
                index: row.index.unsigned_abs(),
                first_asked_at: row.first_asked_at,
                last_asked_at: row.last_asked_at,
                times_asked: row.times_asked.unsigned_abs(),
            })
            .collect())
    }
}

#[derive(serde::Deserialize)]
struct Asked {
    index: u64,
}

/// The index that a job asks for, when it is a Fibonacci job.
pub(super) fn asked_by(job: &Job) -> Option<(u64, DateTime<Utc>)> {
    (job.function == "fibonacci")
        .then(|| Some((job.input.read::<Asked>()?.index, job.id.created_at())))
        .flatten()
}

/// Upserts all of them in index order, so that two processes never deadlock.
pub(super) async fn record(
    database: &impl ConnectionTrait,
    asked: impl Iterator<Item = (u64, DateTime<Utc>)>,
) -> Result<(), DbErr> {
    let mut merged = BTreeMap::<i64, row::Model>::new();
    for (index, at) in asked {
        let Ok(index) = i64::try_from(index) else { continue };
        merged
            .entry(index)
            .and_modify(|row| {
                row.first_asked_at = Ord::min(row.first_asked_at, at);
                row.last_asked_at = Ord::max(row.last_asked_at, at);
                row.times_asked += 1;
            })
            .or_insert(row::Model {
                index,
                first_asked_at: at,
                last_asked_at: at,
                times_asked: 1,
            });
    }
    let stored = |column: row::Column| Expr::col((row::Entity, column));
    let new = |column: row::Column| Expr::col(("excluded", column));
    let mut upsert = OnConflict::column(row::Column::Index);
    upsert.value(
        row::Column::TimesAsked,
        stored(row::Column::TimesAsked).add(new(row::Column::TimesAsked)),
    );
    // Batches of two processes may arrive in either order; GREATEST has another name in SQLite.
    upsert.value(
        row::Column::LastAskedAt,
        CaseStatement::new()
            .case(
                new(row::Column::LastAskedAt).gt(stored(row::Column::LastAskedAt)),
                new(row::Column::LastAskedAt),
            )
            .finally(stored(row::Column::LastAskedAt)),
    );
    let rows: Vec<row::ActiveModel> = merged
        .into_values()
        .map(|row| row::ActiveModel {
            index: Set(row.index),
            first_asked_at: Set(row.first_asked_at),
            last_asked_at: Set(row.last_asked_at),
            times_asked: Set(row.times_asked),
        })
        .collect();
    for chunk in rows.chunks(CHUNK) {
        row::Entity::insert_many(chunk.iter().cloned())
            .on_conflict(upsert.clone())
            .exec_without_returning(database)
            .await?;
    }
    Ok(())
}
