//! The tables `attempts` and `log_lines`: what happened to a job before its last attempt, and what its function said.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let postgres = manager.get_database_backend() == DbBackend::Postgres;
        let job_id = || {
            let mut column = ColumnDef::new("job_id");
            column.text().not_null();
            if postgres {
                column.extra(r#"COLLATE "C""#);
            }
            column
        };
        let attempt = || ColumnDef::new("attempt").integer().not_null().take();
        let time = |name: &'static str| ColumnDef::new(name).timestamp_with_time_zone().take();

        // Attempts that failed. One that succeeded is told by the row of its job alone: most jobs have no row here.
        manager
            .create_table(
                Table::create()
                    .table("attempts")
                    .col(job_id())
                    .col(attempt())
                    .col(ColumnDef::new("worker").text().not_null())
                    // Unknown when the worker vanished before it told.
                    .col(time("started_at"))
                    .col(time("finished_at").not_null())
                    .col(ColumnDef::new("error_kind").text().not_null())
                    .col(ColumnDef::new("error_message").text().not_null())
                    .primary_key(Index::create().col("job_id").col("attempt"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("log_lines")
                    .col(job_id())
                    .col(attempt())
                    // Counted within the attempt.
                    .col(ColumnDef::new("number").integer().not_null())
                    .col(time("at").not_null())
                    .col(ColumnDef::new("text").text().not_null())
                    .primary_key(Index::create().col("job_id").col("attempt").col("number"))
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table("log_lines").to_owned())
            .await?;
        manager
            .drop_table(Table::drop().table("attempts").to_owned())
            .await
    }
}
