//! The table `queues`: the limits that an operator has set. `limits_sync` copies them to Redis.

use std::{collections::HashMap, time::Duration};

use chrono::{DateTime, SubsecRound, Utc};
use jobs::clock;
use jobs::{
    job::QueueName,
    queue::{Limits, RateLimit},
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Set, sea_query::OnConflict};

use super::{Store, StoreError};

mod row {
    use sea_orm::entity::prelude::*;

    #[expect(unreachable_pub, reason = "what is derived from it is public")]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "queues")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub name: String,
        pub paused: bool,
        pub concurrency: Option<i32>,
        pub rate_jobs: Option<i32>,
        pub rate_period_ms: Option<i64>,
        pub rate_burst: Option<i32>,
        pub backlog_limit: Option<i64>,
        pub updated_at: DateTimeUtc,
    }

    #[expect(unreachable_pub, reason = "the derived entity, which is public, names it")]
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What a queue allows, and since when.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Allowed {
    pub limits: Limits,
    /// When they were last set.
    pub since: Option<DateTime<Utc>>,
}

/// One of the limits of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    Paused,
    Concurrency,
    Rate,
}

impl Limit {
    fn columns(self) -> &'static [row::Column] {
        match self {
            Self::Paused => &[row::Column::Paused],
            Self::Concurrency => &[row::Column::Concurrency],
            Self::Rate => &[
                row::Column::RateJobs,
                row::Column::RatePeriodMs,
                row::Column::RateBurst,
            ],
        }
    }
}

impl Store {
    /// What was set for this queue; no limits when nothing was.
    pub async fn queue_limits(&self, queue: &QueueName) -> Result<Limits, StoreError> {
        let query = row::Entity::find_by_id(queue.to_string());
        let row = self.bounded("queue_limits", query.one(&self.database)).await?;
        Ok(row.as_ref().map(limits).unwrap_or_default())
    }

    /// The same, and when it was last set.
    pub async fn queue_allowed(&self, queue: &QueueName) -> Result<Allowed, StoreError> {
        let query = row::Entity::find_by_id(queue.to_string());
        let row = self.bounded("queue_allowed", query.one(&self.database)).await?;
        Ok(row
            .map(|row| Allowed {
                limits: limits(&row),
                since: Some(row.updated_at),
            })
            .unwrap_or_default())
    }

    /// What was set for each queue for which something was.
    pub async fn queue_limits_all(&self) -> Result<HashMap<String, Limits>, StoreError> {
        let query = row::Entity::find();
        let rows = self
            .bounded("queue_limits_all", query.all(&self.database))
            .await?;
        let set = rows.into_iter().map(|row| (row.name.clone(), limits(&row)));
        Ok(set.collect())
    }

    /// Sets these limits of a queue and leaves the others as they are; returns all of them. Two changes at
    /// the same moment do not overwrite each other.
    pub async fn queue_set_limits(
        &self,
        queue: &QueueName,
        limits: &Limits,
        which: &[Limit],
    ) -> Result<Limits, StoreError> {
        let signed = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        let millis = |period: Duration| i64::try_from(period.as_millis()).unwrap_or(i64::MAX);
        let row = row::ActiveModel {
            name: Set(queue.to_string()),
            paused: Set(limits.paused),
            concurrency: Set(limits.concurrency.map(signed)),
            rate_jobs: Set(limits.rate.map(|rate| signed(rate.jobs))),
            rate_period_ms: Set(limits.rate.map(|rate| millis(rate.period))),
            rate_burst: Set(limits.rate.map(|rate| signed(rate.burst))),
            updated_at: Set(clock::now().trunc_subsecs(3)),
            ..Default::default()
        };
        let columns = which.iter().flat_map(|limit| limit.columns());
        let over = OnConflict::column(row::Column::Name)
            .update_columns(columns.copied().chain([row::Column::UpdatedAt]))
            .to_owned();
        let insert = row::Entity::insert(row).on_conflict(over);
        let turn = self.write_turn().await?;
        self.bounded("queue_set_limits", insert.exec_without_returning(&self.database))
            .await?;
        drop(turn);
        self.queue_limits(queue).await
    }
}

impl Store {
    /// How many jobs may wait in each queue for which that was set.
    pub async fn queue_backlog_limits(&self) -> Result<HashMap<String, u64>, StoreError> {
        let query = row::Entity::find().filter(row::Column::BacklogLimit.is_not_null());
        let rows = self
            .bounded("queue_backlog_limits", query.all(&self.database))
            .await?;
        let set = rows
            .into_iter()
            .filter_map(|row| Some((row.name, row.backlog_limit?.unsigned_abs())));
        Ok(set.collect())
    }

    /// Sets how many jobs may wait in a queue; `None` uses the default from the configuration.
    pub async fn queue_set_backlog_limit(
        &self,
        queue: &QueueName,
        limit: Option<u64>,
    ) -> Result<(), StoreError> {
        let row = row::ActiveModel {
            name: Set(queue.to_string()),
            paused: Set(false),
            backlog_limit: Set(limit.map(|limit| i64::try_from(limit).unwrap_or(i64::MAX))),
            updated_at: Set(clock::now().trunc_subsecs(3)),
            ..Default::default()
        };
        let over = OnConflict::column(row::Column::Name)
            .update_columns([row::Column::BacklogLimit, row::Column::UpdatedAt])
            .to_owned();
        let insert = row::Entity::insert(row).on_conflict(over);
        let _turn = self.write_turn().await?;
        self.bounded(
            "queue_set_backlog_limit",
            insert.exec_without_returning(&self.database),
        )
        .await?;
        Ok(())
    }
}

fn limits(row: &row::Model) -> Limits {
    let rate = row
        .rate_jobs
        .zip(row.rate_period_ms)
        .zip(row.rate_burst)
        .map(|((jobs, period), burst)| RateLimit {
            jobs: jobs.unsigned_abs(),
            period: Duration::from_millis(period.unsigned_abs()),
            burst: burst.unsigned_abs(),
        });
    Limits {
        paused: row.paused,
        concurrency: row.concurrency.map(i32::unsigned_abs),
        rate,
    }
}
