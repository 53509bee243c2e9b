//! The columns of `jobs` by which a job that had ended is run again, under its id.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in [
            // When it was last run again, by the clock of its queue: what happened before is of an earlier life.
            ColumnDef::new("again_at").timestamp_with_time_zone().take(),
            // Attempts that were made until then; they are counted on.
            ColumnDef::new("attempts_before")
                .integer()
                .not_null()
                .default(0)
                .take(),
        ] {
            let mut column = column;
            manager
                .alter_table(Table::alter().table("jobs").add_column(&mut column).to_owned())
                .await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in ["attempts_before", "again_at"] {
            manager
                .alter_table(Table::alter().table("jobs").drop_column(column).to_owned())
                .await?;
        }
        Ok(())
    }
}
