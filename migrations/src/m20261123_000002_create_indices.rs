//! The table `indices`: each Fibonacci index that was ever asked for, when, and how often.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("indices")
                    .col(ColumnDef::new("index").big_integer().not_null().primary_key())
                    .col(
                        ColumnDef::new("first_asked_at")
                            .timestamp_with_time_zone()
                            .not_null(),
                    )
                    .col(
                        ColumnDef::new("last_asked_at")
                            .timestamp_with_time_zone()
                            .not_null(),
                    )
                    .col(ColumnDef::new("times_asked").big_integer().not_null())
                    .to_owned(),
            )
            .await?;
        // "Newest asked first" is the only order in which they are listed.
        manager
            .create_index(
                Index::create()
                    .name("indices_by_last_asked")
                    .table("indices")
                    .col(("last_asked_at", IndexOrder::Desc))
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table("indices").to_owned())
            .await
    }
}
