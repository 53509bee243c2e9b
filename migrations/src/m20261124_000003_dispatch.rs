//! The columns of `jobs` by which SQL holds the backlog of a queue and Redis a window of it, and what a caller may say
//! about the order and the attempts of a job.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Jobs that are unfinished and not in Redis.
fn in_backlog() -> SimpleExpr {
    Expr::col("finished_at")
        .is_null()
        .and(Expr::col("dispatched_at").is_null())
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let postgres = manager.get_database_backend() == DbBackend::Postgres;
        let mut fairness_key = ColumnDef::new("fairness_key");
        fairness_key.text().not_null().default("");
        if postgres {
            fairness_key.extra(r#"COLLATE "C""#);
        }
        // One statement a column: SQLite takes no more.
        for column in [
            ColumnDef::new("priority")
                .small_integer()
                .not_null()
                .default(5)
                .take(),
            fairness_key,
            // The waits between attempts, when they are not the function's.
            ColumnDef::new("backoff").json_binary().take(),
            // When the job was handed to Redis; null while SQL keeps it.
            ColumnDef::new("dispatched_at").timestamp_with_time_zone().take(),
            // SQL keeps the job until shortly before this time.
            ColumnDef::new("parked_until").timestamp_with_time_zone().take(),
            ColumnDef::new("progress").double().take(),
        ] {
            let mut column = column;
            manager
                .alter_table(Table::alter().table("jobs").add_column(&mut column).to_owned())
                .await?;
        }

        // Whose turn it is: lane by lane, the oldest first.
        manager
            .create_index(
                Index::create()
                    .name("jobs_backlog")
                    .table("jobs")
                    .col("queue")
                    .col("priority")
                    .col("fairness_key")
                    .col("id")
                    .and_where(in_backlog().and(Expr::col("parked_until").is_null()))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("jobs_parked")
                    .table("jobs")
                    .col("parked_until")
                    .and_where(in_backlog().and(Expr::col("parked_until").is_not_null()))
                    .to_owned(),
            )
            .await?;
        // What the reconciler walks: it stays as small as the window, however long the backlog.
        manager
            .create_index(
                Index::create()
                    .name("jobs_dispatched")
                    .table("jobs")
                    .col("id")
                    .and_where(
                        Expr::col("finished_at")
                            .is_null()
                            .and(Expr::col("dispatched_at").is_not_null()),
                    )
                    .to_owned(),
            )
            .await?;
        manager
            .drop_index(Index::drop().name("jobs_unfinished").table("jobs").to_owned())
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
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
        for index in ["jobs_dispatched", "jobs_parked", "jobs_backlog"] {
            manager
                .drop_index(Index::drop().name(index).table("jobs").to_owned())
                .await?;
        }
        for column in [
            "progress",
            "parked_until",
            "dispatched_at",
            "backoff",
            "fairness_key",
            "priority",
        ] {
            manager
                .alter_table(Table::alter().table("jobs").drop_column(column).to_owned())
                .await?;
        }
        Ok(())
    }
}
