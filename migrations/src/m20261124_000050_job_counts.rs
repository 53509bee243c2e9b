//! How many jobs there are, by queue, function, state and failure, kept by the database itself: triggers write each change
//! down in the transaction that makes it, so the counts are right after a crash, and right while older versions of the
//! programs are at work.
//!
//! On PostgreSQL a statement adds rows to `job_count_changes`, which nobody waits for; `web-api` folds them into
//! `job_counts` now and then. Who counts adds the two up. SQLite has one writer at a time, which keeps `job_counts`.

use sea_orm_migration::{
    prelude::*,
    sea_orm::{ConnectionTrait, DbBackend},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const TABLES: [&str; 2] = ["job_counts", "job_count_changes"];

/// A failure is counted while it keeps jobs from their end, or has brought them to it.
const FAILURE: &str = "CASE WHEN state IN ('dead', 'retrying') THEN COALESCE(failure, '') ELSE '' END";

const OF_ALL: &str = "INSERT INTO job_counts (queue, function, state, failure, jobs)
    SELECT queue, function, state, failure, COUNT(*)
    FROM (SELECT queue, function, state, {FAILURE} AS failure FROM jobs) AS counted
    GROUP BY queue, function, state, failure";

/// The events, and the rows that each takes away and adds.
const POSTGRES: [(&str, &str, &str); 3] = [
    (
        "insert",
        "NEW TABLE AS after_rows",
        "SELECT queue, function, state, {FAILURE} AS failure, 1 AS jobs FROM after_rows",
    ),
    (
        "update",
        "OLD TABLE AS before_rows NEW TABLE AS after_rows",
        "SELECT queue, function, state, {FAILURE} AS failure, 1 AS jobs FROM after_rows
         UNION ALL SELECT queue, function, state, {FAILURE} AS failure, -1 AS jobs FROM before_rows",
    ),
    (
        "delete",
        "OLD TABLE AS before_rows",
        "SELECT queue, function, state, {FAILURE} AS failure, -1 AS jobs FROM before_rows",
    ),
];

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
        for name in TABLES {
            let mut table = Table::create();
            table
                .table(name)
                .col(text("queue"))
                .col(text("function"))
                .col(text("state"))
                .col(text("failure"))
                .col(ColumnDef::new("jobs").big_integer().not_null());
            if name == "job_counts" {
                let mut key = Index::create();
                key.col("queue").col("function").col("state").col("failure");
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
        // The failures that most jobs have.
        manager
            .create_index(
                Index::create()
                    .name("job_counts_by_failure")
                    .table("job_counts")
                    .col("failure")
                    .and_where(Expr::col("failure").ne(""))
                    .to_owned(),
            )
            .await?;
        let connection = manager.get_connection();
        // The triggers come first, and hold off who writes until the transaction ends: no job is missed or counted twice.
        if postgres {
            for (event, tables, rows) in POSTGRES {
                connection
                    .execute_unprepared(&postgres_trigger(event, tables, rows))
                    .await?;
            }
        } else {
            for trigger in sqlite_triggers() {
                connection.execute_unprepared(&trigger).await?;
            }
        }
        connection
            .execute_unprepared(&OF_ALL.replace("{FAILURE}", FAILURE))
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        if manager.get_database_backend() == DbBackend::Postgres {
            for (event, ..) in POSTGRES {
                let name = format!("jobs_counted_{event}");
                connection
                    .execute_unprepared(&format!("DROP TRIGGER {name} ON jobs; DROP FUNCTION {name}()"))
                    .await?;
            }
        } else {
            for event in ["insert", "update", "delete"] {
                connection
                    .execute_unprepared(&format!("DROP TRIGGER jobs_counted_{event}"))
                    .await?;
            }
        }
        for name in TABLES {
            manager.drop_table(Table::drop().table(name).to_owned()).await?;
        }
        Ok(())
    }
}

/// One row for what a whole statement changes in one place.
fn postgres_trigger(event: &str, tables: &str, rows: &str) -> String {
    let rows = rows.replace("{FAILURE}", FAILURE);
    format!(
        "CREATE FUNCTION jobs_counted_{event}() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO job_count_changes (queue, function, state, failure, jobs)
            SELECT queue, function, state, failure, SUM(jobs) FROM ({rows}) AS changed
            GROUP BY queue, function, state, failure HAVING SUM(jobs) <> 0;
            RETURN NULL;
        END $$;
        CREATE TRIGGER jobs_counted_{event} AFTER {event} ON jobs REFERENCING {tables}
        FOR EACH STATEMENT EXECUTE FUNCTION jobs_counted_{event}()"
    )
}

fn sqlite_triggers() -> [String; 3] {
    let add = counted("NEW", 1);
    let take = counted("OLD", -1);
    let (before, after) = (of("OLD", FAILURE), of("NEW", FAILURE));
    [
        format!("CREATE TRIGGER jobs_counted_insert AFTER INSERT ON jobs BEGIN {add} END"),
        format!(
            "CREATE TRIGGER jobs_counted_update AFTER UPDATE ON jobs
            WHEN (OLD.queue, OLD.function, OLD.state, {before}) <> (NEW.queue, NEW.function, NEW.state, {after})
            BEGIN {take} {add} END"
        ),
        format!("CREATE TRIGGER jobs_counted_delete AFTER DELETE ON jobs BEGIN {take} END"),
    ]
}

/// Not one upsert: in a trigger, what the outer statement says of conflicts would count.
fn counted(row: &str, jobs: i32) -> String {
    let failure = of(row, FAILURE);
    let here = format!(
        "queue = {row}.queue AND function = {row}.function AND state = {row}.state AND failure = {failure}"
    );
    format!(
        "INSERT INTO job_counts (queue, function, state, failure, jobs)
            SELECT {row}.queue, {row}.function, {row}.state, {failure}, 0
            WHERE NOT EXISTS (SELECT 1 FROM job_counts WHERE {here});
        UPDATE job_counts SET jobs = jobs + ({jobs}) WHERE {here};"
    )
}

fn of(row: &str, expression: &str) -> String {
    expression
        .replace("state", &format!("{row}.state"))
        .replace("failure", &format!("{row}.failure"))
}
