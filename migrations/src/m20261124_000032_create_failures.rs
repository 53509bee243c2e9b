//! The table `failures`: what errors have in common, and when each kind was first and last seen; and which of them a job
//! has met.

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
        let time = |name: &'static str| ColumnDef::new(name).timestamp_with_time_zone().not_null().take();
        manager
            .create_table(
                Table::create()
                    .table("failures")
                    .col(text("fingerprint").not_null().primary_key())
                    .col(text("function").not_null())
                    .col(text("queue").not_null())
                    .col(ColumnDef::new("kind").text().not_null())
                    // The message without what differs from one error to the next.
                    .col(ColumnDef::new("pattern").text().not_null())
                    .col(time("first_seen_at"))
                    .col(time("last_seen_at"))
                    .to_owned(),
            )
            .await?;
        manager
            .alter_table(
                Table::alter()
                    .table("jobs")
                    .add_column(text("failure"))
                    .to_owned(),
            )
            .await?;
        // The jobs of a failure, and the number of those that are dead or retrying, from the index alone.
        manager
            .create_index(
                Index::create()
                    .name("jobs_by_failure_and_state")
                    .table("jobs")
                    .col("failure")
                    .col("state")
                    .col(("id", IndexOrder::Desc))
                    .and_where(Expr::col("failure").is_not_null())
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_index(
                Index::drop()
                    .name("jobs_by_failure_and_state")
                    .table("jobs")
                    .to_owned(),
            )
            .await?;
        manager
            .alter_table(Table::alter().table("jobs").drop_column("failure").to_owned())
            .await?;
        manager
            .drop_table(Table::drop().table("failures").to_owned())
            .await
    }
}
