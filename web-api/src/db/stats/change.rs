//! What transactions write down of what happened, and how: a row for each queue, function and minute that they touch.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::{DatabaseTransaction, DbErr, EntityTrait, Set};

use super::{CHUNK, Counters, Name, Step, signed};
use crate::db::jobs::Job;

pub(super) mod row {
    use sea_orm::entity::prelude::*;

    #[expect(unreachable_pub, reason = "what is derived from it is public")]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "stat_changes")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub at: DateTimeUtc,
        pub queue: String,
        pub function: String,
        pub enqueued: i64,
        pub completed: i64,
        pub failed: i64,
        pub dead: i64,
        pub wait: Vec<u8>,
        pub run: Vec<u8>,
    }

    #[expect(unreachable_pub, reason = "the derived entity, which is public, names it")]
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What a transaction is about to write down.
#[derive(Default)]
pub(in crate::db) struct Notes(BTreeMap<Name, Counters>);

impl Notes {
    pub(in crate::db) fn enqueued<'j>(jobs: impl Iterator<Item = &'j Job>, now: DateTime<Utc>) -> Self {
        let mut notes = Self::default();
        for job in jobs {
            notes.of(now, job.queue.as_str(), &job.function).enqueued += 1;
        }
        notes
    }

    /// The counters that what happened then belongs to.
    pub(in crate::db) fn of(&mut self, at: DateTime<Utc>, queue: &str, function: &str) -> &mut Counters {
        let name = (Step::Minute.of(at), queue.to_owned(), function.to_owned());
        self.0.entry(name).or_default()
    }

    pub(in crate::db) async fn write(self, transaction: &DatabaseTransaction) -> Result<(), DbErr> {
        let rows: Vec<row::ActiveModel> = self
            .0
            .into_iter()
            .map(|((at, queue, function), counters)| row::ActiveModel {
                at: Set(at),
                queue: Set(queue),
                function: Set(function),
                enqueued: Set(signed(counters.enqueued)),
                completed: Set(signed(counters.completed)),
                failed: Set(signed(counters.failed)),
                dead: Set(signed(counters.dead)),
                wait: Set(counters.wait.to_bytes()),
                run: Set(counters.run.to_bytes()),
                ..Default::default()
            })
            .collect();
        for chunk in rows.chunks(CHUNK) {
            row::Entity::insert_many(chunk.to_vec())
                .exec_without_returning(transaction)
                .await?;
        }
        Ok(())
    }
}

impl row::Model {
    pub(super) fn add_to(&self, sum: &mut Counters) {
        let counts = [self.enqueued, self.completed, self.failed, self.dead];
        sum.add_row(counts, &self.wait, &self.run);
    }
}
