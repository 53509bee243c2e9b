//! What people have done to jobs: a table of its own, whose rows go with their jobs. Attempts that did not fail are kept
//! when their job is run again, actions on many jobs say who began them, and entries of the audit log what was asked for.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Columns that are null in rows of before, and in those of older programs.
const ADDED: [(&str, &str); 4] = [
    // completed or cancelled; null for one that failed.
    ("attempts", "outcome"),
    ("job_actions", "role"),
    ("job_actions", "address"),
    // JSON.
    ("audit", "detail"),
];

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
        let time = |name: &'static str| ColumnDef::new(name).timestamp_with_time_zone().take();
        manager
            .create_table(
                Table::create()
                    .table("job_history")
                    .col(text("job_id").not_null())
                    // Of what was done, which may have been done to many jobs.
                    .col(text("id").not_null())
                    .col(time("at").not_null())
                    // retry, run_now, change or cancel.
                    .col(text("action").not_null())
                    // Who did it, where that is known.
                    .col(text("role"))
                    .col(text("address"))
                    // The action on many jobs that it was a part of.
                    .col(text("job_action_id"))
                    // Attempts that had been made until then.
                    .col(ColumnDef::new("attempt").integer().not_null())
                    // The state that a retry has ended, and since when the job had been in it.
                    .col(text("state"))
                    .col(time("ended_at"))
                    .primary_key(Index::create().col("job_id").col("id"))
                    .to_owned(),
            )
            .await?;
        for (table, column) in ADDED {
            manager
                .alter_table(
                    Table::alter()
                        .table(table)
                        .add_column(ColumnDef::new(column).text())
                        .to_owned(),
                )
                .await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column) in ADDED.into_iter().rev() {
            manager
                .alter_table(Table::alter().table(table).drop_column(column).to_owned())
                .await?;
        }
        manager
            .drop_table(Table::drop().table("job_history").to_owned())
            .await
    }
}
