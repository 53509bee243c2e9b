//! The tables `stats`, what happened in each minute and each hour, by queue and function, and `stat_changes`, to which who
//! writes outcomes or new jobs adds in the same transaction, and which `web-api` folds into `stats`.

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
        let count = |name: &'static str| ColumnDef::new(name).big_integer().not_null().default(0).take();
        for name in ["stats", "stat_changes"] {
            let mut table = Table::create();
            table
                .table(name)
                .col(ColumnDef::new("at").timestamp_with_time_zone().not_null())
                .col(text("queue"))
                .col(text("function"))
                .col(count("enqueued"))
                .col(count("completed"))
                // Attempts, also those of jobs that completed in the end.
                .col(count("failed"))
                .col(count("dead"))
                // Histograms of milliseconds: see web-api's `histogram`.
                .col(ColumnDef::new("wait").blob().not_null())
                .col(ColumnDef::new("run").blob().not_null());
            if name == "stats" {
                // Seconds: 60 or 3600.
                table.col(ColumnDef::new("step").integer().not_null());
                let mut key = Index::create();
                key.col("step").col("at").col("queue").col("function");
                table.primary_key(&mut key);
            } else {
                table.col(
                    ColumnDef::new("id")
                        .big_integer()
                        .not_null()
                        .auto_increment()
                        .primary_key(),
                );
            }
            manager.create_table(table).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for name in ["stat_changes", "stats"] {
            manager.drop_table(Table::drop().table(name).to_owned()).await?;
        }
        Ok(())
    }
}
