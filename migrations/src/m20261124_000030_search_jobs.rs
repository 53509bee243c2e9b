//! What the search over jobs goes by: the queue, and that an error is there.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Also for all jobs of a queue: they are the newest of each of its states, which are few.
        manager
            .create_index(
                Index::create()
                    .name("jobs_by_queue_and_state")
                    .table("jobs")
                    .col("queue")
                    .col("state")
                    .col(("id", IndexOrder::Desc))
                    .to_owned(),
            )
            .await?;
        // Where words are looked for: as small as the number of jobs that met an error.
        manager
            .create_index(
                Index::create()
                    .name("jobs_with_error")
                    .table("jobs")
                    .col(("id", IndexOrder::Desc))
                    .and_where(Expr::col("error_message").is_not_null())
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for index in ["jobs_with_error", "jobs_by_queue_and_state"] {
            manager
                .drop_index(Index::drop().name(index).table("jobs").to_owned())
                .await?;
        }
        Ok(())
    }
}
