//! The table `queues`: what an operator has set for a queue. One without a row has no limits.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("queues")
                    .col(ColumnDef::new("name").text().not_null().primary_key())
                    .col(ColumnDef::new("paused").boolean().not_null().default(false))
                    // Jobs that run at the same time, over all workers.
                    .col(ColumnDef::new("concurrency").integer())
                    .col(ColumnDef::new("rate_jobs").integer())
                    .col(ColumnDef::new("rate_period_ms").big_integer())
                    .col(ColumnDef::new("rate_burst").integer())
                    .col(ColumnDef::new("updated_at").timestamp_with_time_zone().not_null())
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("queues").to_owned()).await
    }
}
