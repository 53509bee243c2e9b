//! The table `job_actions`: what is to be done to all jobs that a search finds, and how far it is.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let postgres = manager.get_database_backend() == DbBackend::Postgres;
        let text = |name: &'static str| {
            let mut column = ColumnDef::new(name);
            column.text();
            if postgres {
                column.extra(r#"COLLATE "C""#);
            }
            column
        };
        let count = |name: &'static str| ColumnDef::new(name).big_integer().not_null().take();
        let time = |name: &'static str| ColumnDef::new(name).timestamp_with_time_zone().take();
        manager
            .create_table(
                Table::create()
                    .table("job_actions")
                    .col(text("id").not_null().primary_key())
                    // retry, cancel or delete.
                    .col(text("action").not_null())
                    // As it is written, and read again.
                    .col(ColumnDef::new("search").text().not_null())
                    // running, finished or stopped.
                    .col(text("state").not_null())
                    // How many jobs fitted at the beginning; more, when it is not exact.
                    .col(count("total"))
                    .col(ColumnDef::new("total_is_exact").boolean().not_null())
                    // How many it has come to, and how many of them it has changed.
                    .col(count("seen"))
                    .col(count("changed"))
                    // Where it goes on: with jobs that are older.
                    .col(text("cursor").not_null())
                    // Who works on it, and until when nobody else may.
                    .col(text("owner"))
                    .col(time("leased_until"))
                    .col(time("created_at").not_null())
                    .col(time("finished_at"))
                    .to_owned(),
            )
            .await?;
        // What every process looks for: as small as the number of actions under way.
        manager
            .create_index(
                Index::create()
                    .name("job_actions_running")
                    .table("job_actions")
                    .col("id")
                    .and_where(Expr::col("finished_at").is_null())
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table("job_actions").to_owned())
            .await
    }
}
