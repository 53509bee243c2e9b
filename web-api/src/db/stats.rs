//! The tables `stats` and `stat_changes`: what happened in each minute and each hour, by queue and function.
//!
//! Who writes outcomes or new jobs adds to `stat_changes` in the same transaction, so that an event that comes twice counts
//! once (`stat/change.rs`). No row of it is waited for; one process at a time folds them into `stats` (`stat/fold.rs`). Who
//! reads adds the two up, here.

mod change;
mod rollup;

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use jobs::job::QueueName;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter};

pub(super) use self::change::Notes;

use super::{Store, StoreError};
use crate::domain::histogram::Histogram;

/// Rows in one statement.
const CHUNK: usize = 200;

mod row {
    use sea_orm::entity::prelude::*;

    #[expect(unreachable_pub, reason = "what is derived from it is public")]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "stats")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub step: i32,
        #[sea_orm(primary_key, auto_increment = false)]
        pub at: DateTimeUtc,
        #[sea_orm(primary_key, auto_increment = false)]
        pub queue: String,
        #[sea_orm(primary_key, auto_increment = false)]
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

/// How finely it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    Minute,
    Hour,
}

impl Step {
    const ALL: [Self; 2] = [Self::Minute, Self::Hour];

    pub fn seconds(self) -> i32 {
        match self {
            Self::Minute => 60,
            Self::Hour => 3_600,
        }
    }

    /// How long it is kept: at least a day, and 90 days.
    pub fn kept_for(self) -> TimeDelta {
        match self {
            Self::Minute => TimeDelta::hours(25),
            Self::Hour => TimeDelta::days(91),
        }
    }

    /// The beginning of the step in which a moment lies.
    pub fn of(self, at: DateTime<Utc>) -> DateTime<Utc> {
        let seconds = at.timestamp();
        let begin = seconds - seconds.rem_euclid(self.seconds().into());
        DateTime::from_timestamp(begin, 0).unwrap_or(at)
    }
}

/// What happened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// New jobs.
    pub enqueued: u64,
    /// Jobs that completed.
    pub completed: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Jobs that failed for good.
    pub dead: u64,
    /// From the moment at which a job could have run to the begin of its last attempt.
    pub wait: Histogram,
    /// From the begin to the end of an attempt.
    pub run: Histogram,
}

impl Counters {
    pub fn add(&mut self, other: &Self) {
        self.enqueued += other.enqueued;
        self.completed += other.completed;
        self.failed += other.failed;
        self.dead += other.dead;
        self.wait.add(&other.wait);
        self.run.add(&other.run);
    }

    /// The same with what a row says: new, completed, failed and dead, and the bytes of the times.
    fn add_row(&mut self, [enqueued, completed, failed, dead]: [i64; 4], wait: &[u8], run: &[u8]) {
        self.enqueued += enqueued.unsigned_abs();
        self.completed += completed.unsigned_abs();
        self.failed += failed.unsigned_abs();
        self.dead += dead.unsigned_abs();
        self.wait.add_bytes(wait);
        self.run.add_bytes(run);
    }
}

/// What happened in a time, of a queue and function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    pub at: DateTime<Utc>,
    pub queue: String,
    pub function: String,
    pub counters: Counters,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatFilter {
    pub step: Step,
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
    pub queue: Option<QueueName>,
    pub function: Option<String>,
}

type Name = (DateTime<Utc>, String, String);

impl Store {
    /// What happened in each step from `from` to before `until`, in their order; nothing where nothing happened.
    pub async fn stat_list(&self, filter: &StatFilter) -> Result<Vec<Stat>, StoreError> {
        let (changes, rows) = self.bounded_search("stat_list", self.stats(filter)).await?;
        let mut sums: BTreeMap<Name, Counters> = BTreeMap::new();
        for row in rows {
            let name = (row.at, row.queue.clone(), row.function.clone());
            row.add_to(sums.entry(name).or_default());
        }
        for change in changes {
            let at = filter.step.of(change.at);
            let name = (at, change.queue.clone(), change.function.clone());
            change.add_to(sums.entry(name).or_default());
        }
        let stats = sums.into_iter().map(|((at, queue, function), counters)| Stat {
            at,
            queue,
            function,
            counters,
        });
        Ok(stats.collect())
    }

    /// The same of all queues and functions together, over longer steps: `begin` tells in which one a moment lies.
    pub async fn stat_sums(
        &self,
        filter: &StatFilter,
        begin: impl Fn(DateTime<Utc>) -> DateTime<Utc>,
    ) -> Result<BTreeMap<DateTime<Utc>, Counters>, StoreError> {
        let (changes, rows) = self.bounded_search("stat_sums", self.stats(filter)).await?;
        let mut sums: BTreeMap<DateTime<Utc>, Counters> = BTreeMap::new();
        for row in rows {
            row.add_to(sums.entry(begin(row.at)).or_default());
        }
        for change in changes {
            change.add_to(sums.entry(begin(filter.step.of(change.at))).or_default());
        }
        Ok(sums)
    }

    /// In one snapshot: what is folded between the two looks would be seen twice, or never.
    async fn stats(&self, filter: &StatFilter) -> Result<(Vec<change::row::Model>, Vec<row::Model>), DbErr> {
        let mut query = row::Entity::find()
            .filter(row::Column::Step.eq(filter.step.seconds()))
            .filter(row::Column::At.gte(filter.step.of(filter.from)))
            .filter(row::Column::At.lt(filter.until));
        let mut changes = change::row::Entity::find()
            .filter(change::row::Column::At.gte(filter.step.of(filter.from)))
            .filter(change::row::Column::At.lt(filter.until));
        if let Some(queue) = &filter.queue {
            query = query.filter(row::Column::Queue.eq(queue.as_str()));
            changes = changes.filter(change::row::Column::Queue.eq(queue.as_str()));
        }
        if let Some(function) = &filter.function {
            query = query.filter(row::Column::Function.eq(function));
            changes = changes.filter(change::row::Column::Function.eq(function));
        }
        let transaction = self.snapshot().await?;
        let changes = changes.all(&transaction).await?;
        let rows = query.all(&transaction).await?;
        transaction.commit().await?;
        Ok((changes, rows))
    }

    /// Deletes what has been kept for long enough.
    pub async fn stat_prune(&self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let mut deleted = 0;
        for step in Step::ALL {
            let statement = row::Entity::delete_many()
                .filter(row::Column::Step.eq(step.seconds()))
                .filter(row::Column::At.lt(now - step.kept_for()));
            let _turn = self.write_turn().await?;
            let result = self.bounded("stat_prune", statement.exec(&self.database)).await?;
            deleted += result.rows_affected;
        }
        Ok(deleted)
    }
}

impl row::Model {
    fn add_to(&self, sum: &mut Counters) {
        let counts = [self.enqueued, self.completed, self.failed, self.dead];
        sum.add_row(counts, &self.wait, &self.run);
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Never negative: two clocks may disagree.
pub(super) fn between(from: DateTime<Utc>, to: DateTime<Utc>) -> Duration {
    (to - from).to_std().unwrap_or_default()
}
