//! The table `job_keys`: callers' keys against making the same job twice, each with the end of its time. Until now a
//! key lay in its job's row, and held for ever.

use sea_orm_migration::{
    prelude::*,
    sea_orm::{DatabaseBackend, DbBackend},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        let text = |name: &'static str| text(backend, name);
        manager
            .create_table(
                Table::create()
                    .table("job_keys")
                    // What the key means; the same text may be a key of each kind.
                    .col(text("kind").not_null())
                    // A key belongs to its function; keys of whole batches to none, the empty text.
                    .col(text("function").not_null())
                    .col(text("key").not_null())
                    // The job, or batch, that the key stands for.
                    .col(text("holder").not_null())
                    .col(text("request_hash"))
                    // Without it the key is held until its job is finished.
                    .col(ColumnDef::new("expires_at").timestamp_with_time_zone())
                    .primary_key(Index::create().col("kind").col("function").col("key"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("job_keys_by_expiry")
                    .table("job_keys")
                    .col("expires_at")
                    .and_where(Expr::col("expires_at").is_not_null())
                    .to_owned(),
            )
            .await?;
        // The keys that go with their job when it is pruned.
        manager
            .create_index(
                Index::create()
                    .name("job_keys_by_holder")
                    .table("job_keys")
                    .col("holder")
                    .to_owned(),
            )
            .await?;

        let tomorrow = if backend == DbBackend::Sqlite {
            "strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now', '+24 hours')"
        } else {
            "now() + interval '24 hours'"
        };
        manager
            .get_connection()
            .execute_unprepared(&format!(
                "INSERT INTO job_keys (kind, function, key, holder, request_hash, expires_at) \
                 SELECT 'idempotency', function, idempotency_key, id, request_hash, {tomorrow} \
                 FROM jobs WHERE idempotency_key IS NOT NULL"
            ))
            .await?;
        manager
            .drop_index(
                Index::drop()
                    .name("jobs_idempotency_key")
                    .table("jobs")
                    .to_owned(),
            )
            .await?;
        for column in ["idempotency_key", "request_hash"] {
            manager
                .alter_table(Table::alter().table("jobs").drop_column(column).to_owned())
                .await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        for column in ["idempotency_key", "request_hash"] {
            manager
                .alter_table(
                    Table::alter()
                        .table("jobs")
                        .add_column(text(backend, column))
                        .to_owned(),
                )
                .await?;
        }
        // A row has room for one key of its own function.
        let first = "FROM job_keys WHERE kind = 'idempotency' AND holder = jobs.id AND function = jobs.function \
                     ORDER BY key LIMIT 1";
        manager
            .get_connection()
            .execute_unprepared(&format!(
                "UPDATE jobs SET idempotency_key = (SELECT key {first}), request_hash = (SELECT request_hash {first}) \
                 WHERE id IN (SELECT holder FROM job_keys WHERE kind = 'idempotency')"
            ))
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
        manager
            .drop_table(Table::drop().table("job_keys").to_owned())
            .await
    }
}

/// Compared by its bytes: two keys are the same or they are not, whatever a locale says.
fn text(backend: DatabaseBackend, name: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    column.text();
    if backend == DbBackend::Postgres {
        column.extra(r#"COLLATE "C""#);
    }
    column
}
