//! The table `queues`: the limits that an operator has set. Redis has a copy, which `limits` keeps up to date.

use std::time::Duration;

use chrono::{SubsecRound, Utc};
use jobs::{
    job::QueueName,
    queue::{Limits, RateLimit},
};
use sea_orm::{EntityTrait, Set, sea_query::OnConflict};

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
        pub updated_at: DateTimeUtc,
    }

    #[expect(unreachable_pub, reason = "the derived entity, which is public, names it")]
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Store {
    /// What was set for this queue; no limits when nothing was.
    pub async fn queue_limits(&self, queue: &QueueName) -> Result<Limits, StoreError> {
        let query = row::Entity::find_by_id(queue.to_string());
        let row = self.bounded("queue_limits", query.one(&self.database)).await?;
        Ok(row.as_ref().map(limits).unwrap_or_default())
    }

    /// Sets the limits of a queue, all at once.
    pub async fn queue_set_limits(&self, queue: &QueueName, limits: &Limits) -> Result<(), StoreError> {
        let signed = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        let millis = |period: Duration| i64::try_from(period.as_millis()).unwrap_or(i64::MAX);
        let row = row::ActiveModel {
            name: Set(queue.to_string()),
            paused: Set(limits.paused),
            concurrency: Set(limits.concurrency.map(signed)),
            rate_jobs: Set(limits.rate.map(|rate| signed(rate.jobs))),
            rate_period_ms: Set(limits.rate.map(|rate| millis(rate.period))),
            rate_burst: Set(limits.rate.map(|rate| signed(rate.burst))),
            updated_at: Set(Utc::now().trunc_subsecs(3)),
        };
        let over = OnConflict::column(row::Column::Name)
            .update_columns([
                row::Column::Paused,
                row::Column::Concurrency,
                row::Column::RateJobs,
                row::Column::RatePeriodMs,
                row::Column::RateBurst,
                row::Column::UpdatedAt,
            ])
            .to_owned();
        let insert = row::Entity::insert(row).on_conflict(over);
        let _turn = self.write_turn().await;
        self.bounded("queue_set_limits", insert.exec_without_returning(&self.database))
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
