//! Folds what was written down into the minutes and hours that are kept.

use std::collections::{BTreeMap, HashMap};

use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, EntityTrait, Iterable,
    PrimaryKeyToColumn, QueryFilter, QueryOrder, QuerySelect, Set, Statement, sea_query::OnConflict,
};

use super::{CHUNK, Counters, Name, Step, change, row, signed};
use crate::db::{Store, StoreError};

/// Rows that one transaction folds.
const MOST: u64 = 2_000;
/// Which of PostgreSQL's advisory locks who folds holds.
const LOCK: i64 = 0x5370_6972_616c;

impl Store {
    /// Folds what was written down into minutes and hours. Another process that does it already is left alone.
    pub async fn stat_fold(&self) -> Result<(), StoreError> {
        loop {
            let turn = self.write_turn().await?;
            let folded = self.bounded("stat_fold", self.fold()).await?;
            drop(turn);
            if folded < MOST {
                return Ok(());
            }
        }
    }

    async fn fold(&self) -> Result<u64, DbErr> {
        let transaction = self.begin().await?;
        if self.backend() == DbBackend::Postgres {
            let lock = format!("SELECT pg_try_advisory_xact_lock({LOCK})");
            let lock = Statement::from_string(DbBackend::Postgres, lock);
            let row = transaction.query_one_raw(lock).await?;
            if !row.map_or(Ok(false), |row| row.try_get_by_index(0))? {
                return Ok(0);
            }
        }
        let changes = change::row::Entity::find()
            .order_by_asc(change::row::Column::Id)
            .limit(MOST)
            .all(&transaction)
            .await?;
        if changes.is_empty() {
            return Ok(0);
        }
        let count = changes.len() as u64;
        for chunk in changes.chunks(CHUNK) {
            change::row::Entity::delete_many()
                .filter(change::row::Column::Id.is_in(chunk.iter().map(|change| change.id)))
                .exec(&transaction)
                .await?;
        }
        let mut sums: BTreeMap<(i32, Name), Counters> = BTreeMap::new();
        for change in changes {
            for step in Step::ALL {
                let name = (step.of(change.at), change.queue.clone(), change.function.clone());
                change.add_to(sums.entry((step.seconds(), name)).or_default());
            }
        }
        let sums: Vec<_> = sums.into_iter().collect();
        for chunk in sums.chunks(CHUNK) {
            upsert(&transaction, chunk).await?;
        }
        transaction.commit().await?;
        Ok(count)
    }
}

/// Adds these to what the rows say. Nobody else writes them at the same time.
async fn upsert(transaction: &DatabaseTransaction, sums: &[((i32, Name), Counters)]) -> Result<(), DbErr> {
    let mut any = Condition::any();
    for ((step, (at, queue, function)), _) in sums {
        any = any.add(
            Condition::all()
                .add(row::Column::Step.eq(*step))
                .add(row::Column::At.eq(*at))
                .add(row::Column::Queue.eq(queue))
                .add(row::Column::Function.eq(function)),
        );
    }
    let known = row::Entity::find().filter(any).all(transaction).await?;
    let known: HashMap<(i32, Name), row::Model> = known
        .into_iter()
        .map(|row| ((row.step, (row.at, row.queue.clone(), row.function.clone())), row))
        .collect();
    let rows = sums.iter().map(|(key, counters)| {
        let mut sum = counters.clone();
        if let Some(known) = known.get(key) {
            known.add_to(&mut sum);
        }
        let (step, (at, queue, function)) = key;
        row::ActiveModel {
            step: Set(*step),
            at: Set(*at),
            queue: Set(queue.clone()),
            function: Set(function.clone()),
            enqueued: Set(signed(sum.enqueued)),
            completed: Set(signed(sum.completed)),
            failed: Set(signed(sum.failed)),
            dead: Set(signed(sum.dead)),
            wait: Set(sum.wait.to_bytes()),
            run: Set(sum.run.to_bytes()),
        }
    });
    let over = OnConflict::columns(row::PrimaryKey::iter().map(PrimaryKeyToColumn::into_column))
        .update_columns([
            row::Column::Enqueued,
            row::Column::Completed,
            row::Column::Failed,
            row::Column::Dead,
            row::Column::Wait,
            row::Column::Run,
        ])
        .to_owned();
    row::Entity::insert_many(rows)
        .on_conflict(over)
        .exec_without_returning(transaction)
        .await?;
    Ok(())
}
