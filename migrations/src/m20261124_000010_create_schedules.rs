//! The table `schedules`: calls that are made again and again by the clock; and which schedule made a job.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let postgres = manager.get_database_backend() == DbBackend::Postgres;
        // Compared byte by byte: ids are plain ASCII, and names are listed in the same order on both databases.
        let text = |name: &'static str| {
            let mut column = ColumnDef::new(name);
            column.text();
            if postgres {
                column.extra(r#"COLLATE "C""#);
            }
            column
        };
        let time = |name: &'static str| ColumnDef::new(name).timestamp_with_time_zone().take();

        manager
            .create_table(
                Table::create()
                    .table("schedules")
                    .col(text("id").not_null().primary_key())
                    .col(text("name").not_null())
                    .col(ColumnDef::new("cron").text().not_null())
                    .col(ColumnDef::new("time_zone").text().not_null())
                    .col(text("function").not_null())
                    .col(ColumnDef::new("input").json_binary().not_null())
                    .col(ColumnDef::new("max_attempts").integer())
                    .col(text("catch_up").not_null())
                    .col(ColumnDef::new("paused").boolean().not_null())
                    .col(time("next_at"))
                    .col(time("last_at"))
                    .col(text("last_job_id"))
                    .col(ColumnDef::new("error").text())
                    .col(ColumnDef::new("notice").text())
                    // Counts every change of the row: whoever writes says which one it has read.
                    .col(ColumnDef::new("revision").big_integer().not_null())
                    .col(time("created_at").not_null())
                    .col(time("updated_at").not_null())
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("schedules_name")
                    .table("schedules")
                    .unique()
                    .col("name")
                    .to_owned(),
            )
            .await?;
        // What every process asks for about once a second: the schedules that are due.
        manager
            .create_index(
                Index::create()
                    .name("schedules_by_next")
                    .table("schedules")
                    .col("next_at")
                    .col("id")
                    .and_where(Expr::col("next_at").is_not_null())
                    .to_owned(),
            )
            .await?;

        // No foreign key: a job outlives the schedule that made it.
        let column = Table::alter()
            .table("jobs")
            .add_column(text("schedule_id"))
            .to_owned();
        manager.alter_table(column).await?;
        manager
            .create_index(
                Index::create()
                    .name("jobs_by_schedule")
                    .table("jobs")
                    .col("schedule_id")
                    .col(("id", IndexOrder::Desc))
                    .and_where(Expr::col("schedule_id").is_not_null())
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let index = Index::drop().name("jobs_by_schedule").table("jobs").to_owned();
        manager.drop_index(index).await?;
        let column = Table::alter().table("jobs").drop_column("schedule_id").to_owned();
        manager.alter_table(column).await?;
        manager
            .drop_table(Table::drop().table("schedules").to_owned())
            .await
    }
}
