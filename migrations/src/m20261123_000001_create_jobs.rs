//! The table `jobs`: one row for each call of a function, from the answer 202 to its outcome and after.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let postgres = manager.get_database_backend() == DbBackend::Postgres;
        // ULIDs are plain ASCII: comparing bytes is right, and several times faster than a locale's rules.
        let text = |name: &'static str| {
            let mut column = ColumnDef::new(name);
            column.text();
            if postgres {
                column.extra(r#"COLLATE "C""#);
            }
            column
        };
        let json = |name: &'static str| ColumnDef::new(name).json_binary().take();

        manager
            .create_table(
                Table::create()
                    .table("jobs")
                    .col(text("id").not_null().primary_key())
                    .col(text("function").not_null())
                    .col(text("queue").not_null())
                    .col(json("input").not_null())
                    .col(text("state").not_null())
                    .col(ColumnDef::new("attempt").integer().not_null().default(0))
                    .col(ColumnDef::new("max_attempts").integer().not_null())
                    .col(ColumnDef::new("timeout_ms").big_integer().not_null())
                    .col(ColumnDef::new("run_at").timestamp_with_time_zone())
                    .col(text("idempotency_key"))
                    .col(text("request_hash"))
                    .col(ColumnDef::new("error_kind").text())
                    .col(ColumnDef::new("error_message").text())
                    .col(json("output"))
                    .col(ColumnDef::new("output_size").big_integer())
                    .col(ColumnDef::new("output_length").big_integer())
                    .col(ColumnDef::new("output_preview").text())
                    .col(ColumnDef::new("worker").text())
                    .col(ColumnDef::new("traceparent").text())
                    .col(ColumnDef::new("created_at").timestamp_with_time_zone().not_null())
                    .col(ColumnDef::new("started_at").timestamp_with_time_zone())
                    .col(ColumnDef::new("finished_at").timestamp_with_time_zone())
                    .to_owned(),
            )
            .await?;

        // What the reconciler walks: it stays as small as the backlog, however many jobs have finished. By the time
        // and not by the states, which both databases would rather look up in an index below, and then sort.
        manager
            .create_index(
                Index::create()
                    .name("jobs_unfinished")
                    .table("jobs")
                    .col("id")
                    .and_where(Expr::col("finished_at").is_null())
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("jobs_idempotency_key")
                    .table("jobs")
                    .unique()
                    .col("function")
                    .col("idempotency_key")
                    .and_where(Expr::col("idempotency_key").is_not_null())
                    .to_owned(),
            )
            .await?;
        // The lists of jobs: newest first, all of a state, all of a function, both.
        for (name, columns) in [
            ("jobs_by_state", &["state"][..]),
            ("jobs_by_function", &["function"][..]),
            ("jobs_by_function_and_state", &["function", "state"][..]),
        ] {
            let mut index = Index::create();
            index.name(name).table("jobs");
            for column in columns {
                index.col(*column);
            }
            manager
                .create_index(index.col(("id", IndexOrder::Desc)).to_owned())
                .await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("jobs").to_owned()).await
    }
}
