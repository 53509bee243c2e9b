//! The tables `stats` and `stat_changes`: what happened in each minute and each hour, by queue and function.
//!
//! Who writes outcomes or new jobs adds to `stat_changes` in the same transaction, so that an event that comes twice counts
//! once. No row of it is waited for; one process at a time folds them into `stats`. Who reads adds the two up.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use jobs::job::{JobState, QueueName};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, EntityTrait, Iterable,
    PrimaryKeyToColumn, QueryFilter, QueryOrder, QuerySelect, Set, Statement, sea_query::OnConflict,
};

use super::{
    Store, StoreError,
    job::{Job, events::AppliedChange},
};
use crate::histogram::Histogram;

/// Rows that one transaction folds.
const MOST: u64 = 2_000;
/// Rows in one statement.
const CHUNK: usize = 200;
/// Which of PostgreSQL's advisory locks who folds holds.
const LOCK: i64 = 0x5370_6972_616c;

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

mod change {
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
pub struct Happened {
    /// New jobs.
    pub enqueued: u64,
    /// Jobs that completed.
    pub completed: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Jobs that gave up.
    pub dead: u64,
    /// From the moment at which a job could have run to the begin of its last attempt.
    pub wait: Histogram,
    /// From the begin to the end of an attempt.
    pub run: Histogram,
}

impl Happened {
    pub fn add(&mut self, other: &Self) {
        self.enqueued += other.enqueued;
        self.completed += other.completed;
        self.failed += other.failed;
        self.dead += other.dead;
        self.wait.add(&other.wait);
        self.run.add(&other.run);
    }
}

/// What happened in a time, of a queue and function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    pub at: DateTime<Utc>,
    pub queue: String,
    pub function: String,
    pub happened: Happened,
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

/// What a transaction is about to write down.
#[derive(Default)]
pub(super) struct Notes(BTreeMap<Name, Happened>);

impl Notes {
    pub(super) fn enqueued<'j>(jobs: impl Iterator<Item = &'j Job>, now: DateTime<Utc>) -> Self {
        let mut notes = Self::default();
        for job in jobs {
            notes.of(now, job.queue.as_str(), &job.function).enqueued += 1;
        }
        notes
    }

    pub(super) fn ended<'c>(changes: impl Iterator<Item = &'c AppliedChange>) -> Self {
        let mut notes = Self::default();
        for applied in changes {
            let change = &applied.change;
            for attempt in &change.ended {
                let happened = notes.of(attempt.finished_at, change.queue.as_str(), &attempt.function);
                happened
                    .run
                    .record(between(attempt.started_at, attempt.finished_at));
                match attempt.state {
                    JobState::Completed => happened.completed += 1,
                    JobState::Retrying => happened.failed += 1,
                    JobState::Dead => {
                        happened.failed += 1;
                        happened.dead += 1;
                    }
                    JobState::Cancelled | JobState::Scheduled | JobState::Queued | JobState::Running => {}
                }
            }
            if let Some((last, waited)) = applied.waited() {
                let happened = notes.of(last.finished_at, change.queue.as_str(), &last.function);
                happened.wait.record(waited);
            }
        }
        notes
    }

    fn of(&mut self, at: DateTime<Utc>, queue: &str, function: &str) -> &mut Happened {
        let name = (Step::Minute.of(at), queue.to_owned(), function.to_owned());
        self.0.entry(name).or_default()
    }

    pub(super) async fn write(self, transaction: &DatabaseTransaction) -> Result<(), DbErr> {
        let rows: Vec<change::ActiveModel> = self
            .0
            .into_iter()
            .map(|((at, queue, function), happened)| change::ActiveModel {
                at: Set(at),
                queue: Set(queue),
                function: Set(function),
                enqueued: Set(signed(happened.enqueued)),
                completed: Set(signed(happened.completed)),
                failed: Set(signed(happened.failed)),
                dead: Set(signed(happened.dead)),
                wait: Set(happened.wait.to_bytes()),
                run: Set(happened.run.to_bytes()),
                ..Default::default()
            })
            .collect();
        for chunk in rows.chunks(CHUNK) {
            change::Entity::insert_many(chunk.to_vec())
                .exec_without_returning(transaction)
                .await?;
        }
        Ok(())
    }
}

impl Store {
    /// What happened in each step from `from` to before `until`, in their order; nothing where nothing happened.
    pub async fn stat_list(&self, filter: &StatFilter) -> Result<Vec<Stat>, StoreError> {
        let (changes, rows) = self.bounded("stat_list", self.stats(filter)).await?;
        let mut sums: BTreeMap<Name, Happened> = BTreeMap::new();
        for row in rows {
            let name = (row.at, row.queue.clone(), row.function.clone());
            row.add_to(sums.entry(name).or_default());
        }
        for change in changes {
            let at = filter.step.of(change.at);
            let name = (at, change.queue.clone(), change.function.clone());
            change.add_to(sums.entry(name).or_default());
        }
        let stats = sums.into_iter().map(|((at, queue, function), happened)| Stat {
            at,
            queue,
            function,
            happened,
        });
        Ok(stats.collect())
    }

    /// The same of all queues and functions together, over longer steps: `begin` tells in which one a moment lies.
    pub async fn stat_sums(
        &self,
        filter: &StatFilter,
        begin: impl Fn(DateTime<Utc>) -> DateTime<Utc>,
    ) -> Result<BTreeMap<DateTime<Utc>, Happened>, StoreError> {
        let (changes, rows) = self.bounded("stat_sums", self.stats(filter)).await?;
        let mut sums: BTreeMap<DateTime<Utc>, Happened> = BTreeMap::new();
        for row in rows {
            row.add_to(sums.entry(begin(row.at)).or_default());
        }
        for change in changes {
            change.add_to(sums.entry(begin(filter.step.of(change.at))).or_default());
        }
        Ok(sums)
    }

    /// In one snapshot: what is folded between the two looks would be seen twice, or never.
    async fn stats(&self, filter: &StatFilter) -> Result<(Vec<change::Model>, Vec<row::Model>), DbErr> {
        let mut query = row::Entity::find()
            .filter(row::Column::Step.eq(filter.step.seconds()))
            .filter(row::Column::At.gte(filter.step.of(filter.from)))
            .filter(row::Column::At.lt(filter.until));
        let mut changes = change::Entity::find()
            .filter(change::Column::At.gte(filter.step.of(filter.from)))
            .filter(change::Column::At.lt(filter.until));
        if let Some(queue) = &filter.queue {
            query = query.filter(row::Column::Queue.eq(queue.as_str()));
            changes = changes.filter(change::Column::Queue.eq(queue.as_str()));
        }
        if let Some(function) = &filter.function {
            query = query.filter(row::Column::Function.eq(function));
            changes = changes.filter(change::Column::Function.eq(function));
        }
        let transaction = self.snapshot().await?;
        let changes = changes.all(&transaction).await?;
        let rows = query.all(&transaction).await?;
        transaction.commit().await?;
        Ok((changes, rows))
    }

    /// Folds what was written down into minutes and hours. Another process that does it already is left alone.
    pub async fn stat_fold(&self) -> Result<(), StoreError> {
        loop {
            let turn = self.write_turn().await;
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
        let changes = change::Entity::find()
            .order_by_asc(change::Column::Id)
            .limit(MOST)
            .all(&transaction)
            .await?;
        if changes.is_empty() {
            return Ok(0);
        }
        let count = changes.len() as u64;
        for chunk in changes.chunks(CHUNK) {
            change::Entity::delete_many()
                .filter(change::Column::Id.is_in(chunk.iter().map(|change| change.id)))
                .exec(&transaction)
                .await?;
        }
        let mut sums: BTreeMap<(i32, Name), Happened> = BTreeMap::new();
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

    /// Deletes what has been kept for long enough.
    pub async fn stat_prune(&self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let mut deleted = 0;
        for step in Step::ALL {
            let statement = row::Entity::delete_many()
                .filter(row::Column::Step.eq(step.seconds()))
                .filter(row::Column::At.lt(now - step.kept_for()));
            let _turn = self.write_turn().await;
            let result = self.bounded("stat_prune", statement.exec(&self.database)).await?;
            deleted += result.rows_affected;
        }
        Ok(deleted)
    }
}

/// Adds these to what the rows say. Nobody else writes them at the same time.
async fn upsert(transaction: &DatabaseTransaction, sums: &[((i32, Name), Happened)]) -> Result<(), DbErr> {
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
    let rows = sums.iter().map(|(key, happened)| {
        let mut sum = happened.clone();
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

impl row::Model {
    fn add_to(&self, sum: &mut Happened) {
        sum.enqueued += self.enqueued.unsigned_abs();
        sum.completed += self.completed.unsigned_abs();
        sum.failed += self.failed.unsigned_abs();
        sum.dead += self.dead.unsigned_abs();
        sum.wait.add_bytes(&self.wait);
        sum.run.add_bytes(&self.run);
    }
}

impl change::Model {
    fn add_to(&self, sum: &mut Happened) {
        sum.enqueued += self.enqueued.unsigned_abs();
        sum.completed += self.completed.unsigned_abs();
        sum.failed += self.failed.unsigned_abs();
        sum.dead += self.dead.unsigned_abs();
        sum.wait.add_bytes(&self.wait);
        sum.run.add_bytes(&self.run);
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Never negative: two clocks may disagree.
pub(super) fn between(from: DateTime<Utc>, to: DateTime<Utc>) -> Duration {
    (to - from).to_std().unwrap_or_default()
}
