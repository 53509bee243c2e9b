//! Tags of jobs: in their row, to be shown, and by themselves, to be found.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let postgres = manager.get_database_backend() == DbBackend::Postgres;
        let text = |name: &'static str| {
            let mut column = ColumnDef::new(name);
            column.text().not_null();
            if postgres {
                column.extra(r#"COLLATE "C""#);
            }
            column
        };
        // Null for the many jobs that have none.
        manager
            .alter_table(
                Table::alter()
                    .table("jobs")
                    .add_column(ColumnDef::new("tags").json_binary())
                    .to_owned(),
            )
            .await?;
        // The key is the list of a tag's jobs, in the order of their ids.
        manager
            .create_table(
                Table::create()
                    .table("job_tags")
                    .col(text("tag"))
                    .col(text("job_id"))
                    .primary_key(Index::create().col("tag").col("job_id"))
                    .to_owned(),
            )
            .await?;
        // By which they go with their jobs.
        manager
            .create_index(
                Index::create()
                    .name("job_tags_by_job")
                    .table("job_tags")
                    .col("job_id")
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table("job_tags").to_owned())
            .await?;
        manager
            .alter_table(Table::alter().table("jobs").drop_column("tags").to_owned())
            .await
    }
}
