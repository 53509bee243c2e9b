//! The table `audit`: what operators have changed, or tried to, and what became of it.

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
        manager
            .create_table(
                Table::create()
                    .table("audit")
                    // Rises with time: the order of the list, and of what is deleted first.
                    .col(text("id").not_null().primary_key())
                    .col(ColumnDef::new("at").timestamp_with_time_zone().not_null())
                    .col(text("role").not_null())
                    .col(text("address").not_null())
                    .col(text("action").not_null())
                    .col(text("method").not_null())
                    .col(text("path").not_null())
                    .col(text("subject"))
                    .col(text("request_id").not_null())
                    // Both absent until there is an answer.
                    .col(ColumnDef::new("status").integer())
                    .col(ColumnDef::new("finished_at").timestamp_with_time_zone())
                    .to_owned(),
            )
            .await?;
        for column in ["action", "subject"] {
            manager
                .create_index(
                    Index::create()
                        .name(format!("audit_by_{column}"))
                        .table("audit")
                        .col(column)
                        .col(("id", IndexOrder::Desc))
                        .to_owned(),
                )
                .await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("audit").to_owned()).await
    }
}
