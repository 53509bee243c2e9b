//! The table `batches`: many jobs that were called as one, and what is called when all of them are finished.

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
        let count = |name: &'static str| ColumnDef::new(name).integer().take();

        manager
            .create_table(
                Table::create()
                    .table("batches")
                    .col(text("id").not_null().primary_key())
                    .col(count("total").not_null())
                    .col(count("duplicates").not_null())
                    // The call that follows, as it was checked.
                    .col(ColumnDef::new("on_finish").json_binary())
                    // What it became and how the jobs ended, once all of them have.
                    .col(text("on_finish_job_id"))
                    .col(count("completed"))
                    .col(count("dead"))
                    .col(count("cancelled"))
                    .col(ColumnDef::new("created_at").timestamp_with_time_zone().not_null())
                    .col(ColumnDef::new("finished_at").timestamp_with_time_zone())
                    .to_owned(),
            )
            .await?;
        // What is looked at again and again: as small as the number of batches under way.
        manager
            .create_index(
                Index::create()
                    .name("batches_unfinished")
                    .table("batches")
                    .col("id")
                    .and_where(Expr::col("finished_at").is_null())
                    .to_owned(),
            )
            .await?;

        manager
            .alter_table(
                Table::alter()
                    .table("jobs")
                    .add_column(text("batch_id"))
                    .to_owned(),
            )
            .await?;
        // The list of a batch's jobs, and their number by state.
        manager
            .create_index(
                Index::create()
                    .name("jobs_by_batch")
                    .table("jobs")
                    .col("batch_id")
                    .col(("id", IndexOrder::Desc))
                    .and_where(Expr::col("batch_id").is_not_null())
                    .to_owned(),
            )
            .await?;
        // Whether a batch has an unfinished job is asked each time that one of its jobs ends.
        manager
            .create_index(
                Index::create()
                    .name("jobs_unfinished_by_batch")
                    .table("jobs")
                    .col("batch_id")
                    .col("id")
                    .and_where(Expr::col("batch_id").is_not_null())
                    .and_where(Expr::col("finished_at").is_null())
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for index in ["jobs_unfinished_by_batch", "jobs_by_batch"] {
            manager
                .drop_index(Index::drop().name(index).table("jobs").to_owned())
                .await?;
        }
        manager
            .alter_table(Table::alter().table("jobs").drop_column("batch_id").to_owned())
            .await?;
        manager
            .drop_table(Table::drop().table("batches").to_owned())
            .await
    }
}
