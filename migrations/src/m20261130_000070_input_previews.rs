//! What lists show of a large input, so that none of them reads it, and the key that a job was called with, so that a
//! retry can tell whether another job has it now.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const COLUMNS: [&str; 3] = ["input_size", "input_preview", "unique_key"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Null in rows of before: lists measure their inputs then. SQLite adds one column at a time.
        for column in COLUMNS {
            let mut new = ColumnDef::new(column);
            if column == "input_size" {
                new.big_integer();
            } else {
                new.text();
            }
            manager
                .alter_table(Table::alter().table("jobs").add_column(new).to_owned())
                .await?;
        }
        let known = "UPDATE jobs SET unique_key = (SELECT key FROM job_keys WHERE kind = 'unique' AND holder = jobs.id) \
                     WHERE id IN (SELECT holder FROM job_keys WHERE kind = 'unique')";
        manager.get_connection().execute_unprepared(known).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in COLUMNS {
            manager
                .alter_table(Table::alter().table("jobs").drop_column(column).to_owned())
                .await?;
        }
        Ok(())
    }
}
