//! The column of `queues` that says how many jobs may wait.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .alter_table(
                Table::alter()
                    .table("queues")
                    // Past it, new jobs are refused; null leaves it to the setting.
                    .add_column(ColumnDef::new("backlog_limit").big_integer())
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .alter_table(
                Table::alter()
                    .table("queues")
                    .drop_column("backlog_limit")
                    .to_owned(),
            )
            .await
    }
}
