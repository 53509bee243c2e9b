//! The query plans of the dispatcher's statements in PostgreSQL: each reads about as many rows as it returns,
//! whatever the table holds and whatever the planner's statistics say. Only for tests.

use std::time::Duration;

use chrono::Utc;
use jobs::job::{JobId, Priority, QueueName};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, QueryTrait, Statement, TransactionTrait};
use serde_json::Value;

use super::dispatch::{self, Lane};

const POSTGRES: DbBackend = DbBackend::Postgres;
/// Rows of the table.
const ROWS: u32 = 30_000;
/// Rows that a statement should return.
const WANTED: u64 = 100;
/// Rows that it may read for them: it finds each, and then updates it.
const MOST: u64 = WANTED * 5;

/// A database of its own, which is dropped with it.
struct Scratch {
    server: String,
    name: String,
    database: DatabaseConnection,
}

impl Scratch {
    async fn new() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "how `cargo xtask test` tells tests where its PostgreSQL is"
        )]
        let server = std::env::var("SPIRAL_TEST_POSTGRES_URL").expect("run `cargo xtask test`");
        let name = format!("plans_{}", JobId::new().to_string().to_lowercase());
        let admin = connect(&server).await;
        admin
            .execute_unprepared(&format!("CREATE DATABASE {name}"))
            .await
            .unwrap();
        admin.close().await.unwrap();
        let (authority, _) = server.rsplit_once('/').unwrap();
        let database = connect(&format!("{authority}/{name}")).await;
        migrations::migrate_up(&database).await.unwrap();
        Self {
            server,
            name,
            database,
        }
    }

    async fn other(&self) -> DatabaseConnection {
        let (authority, _) = self.server.rsplit_once('/').unwrap();
        connect(&format!("{authority}/{}", self.name)).await
    }

    async fn run(&self, statement: &str) {
        self.database.execute_unprepared(statement).await.unwrap();
    }

    async fn remove(self) {
        self.database.close().await.unwrap();
        let admin = connect(&self.server).await;
        let drop = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        admin.execute_unprepared(&drop).await.unwrap();
        admin.close().await.unwrap();
    }

    /// Rows and pages that were read by the statement, which is executed and rolled back.
    async fn costs(&self, statement: &Statement, generic: bool) -> Costs {
        let transaction = self.database.begin().await.unwrap();
        let mode = if generic { "generic" } else { "custom" };
        let mode = format!("SET LOCAL plan_cache_mode = force_{mode}_plan");
        transaction.execute_unprepared(&mode).await.unwrap();
        let prepare = format!("PREPARE looked_at AS {}", statement.sql);
        transaction.execute_unprepared(&prepare).await.unwrap();
        let values = statement.values.clone().unwrap_or(sea_orm::Values(Vec::new()));
        let places: Vec<String> = (1..=values.0.len()).map(|at| format!("${at}")).collect();
        let execute = Statement {
            sql: format!("EXECUTE looked_at({})", places.join(", ")),
            values: Some(values),
            db_backend: POSTGRES,
        };
        let explain = format!("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {execute}");
        let explained = Statement::from_string(POSTGRES, explain);
        let row = transaction.query_one_raw(explained).await.unwrap().unwrap();
        let plan: Value = row.try_get_by_index(0).unwrap();
        transaction
            .execute_unprepared("DEALLOCATE looked_at")
            .await
            .unwrap();
        transaction.rollback().await.unwrap();
        let plan = plan[0]["Plan"].clone();
        Costs {
            rows: looked_at(&plan),
            pages: plan["Shared Hit Blocks"].as_u64().unwrap() + plan["Shared Read Blocks"].as_u64().unwrap(),
            plan: serde_json::to_string_pretty(&plan).unwrap(),
        }
    }
}

struct Costs {
    rows: u64,
    pages: u64,
    plan: String,
}

async fn connect(url: &str) -> DatabaseConnection {
    migrations::connect(url, Duration::from_secs(10)).await.unwrap()
}

/// The rows that the scans of a plan returned or left out.
fn looked_at(plan: &Value) -> u64 {
    let number = |name: &str| plan[name].as_f64().unwrap_or(0.0);
    let scan = plan["Node Type"].as_str().unwrap().contains("Scan");
    let rows = if scan {
        let removed = number("Rows Removed by Filter") + number("Rows Removed by Index Recheck");
        (number("Actual Rows") + removed) * number("Actual Loops").max(1.0)
    } else {
        0.0
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count of rows"
    )]
    let rows = rows as u64;
    let below = plan["Plans"].as_array().into_iter().flatten();
    rows + below.map(looked_at).sum::<u64>()
}

fn lane() -> Lane {
    Lane {
        priority: Priority::STANDARD,
        fairness_key: String::new(),
    }
}

/// The id of the row with this number.
fn id(number: u32) -> JobId {
    format!("01JD3Y8M5Q{number:016}").parse().unwrap()
}

/// The statements of the dispatcher and the reconciler, each with the number of rows that it may read.
fn statements() -> Vec<(&'static str, Statement, u64)> {
    let (queue, lane, now) = (QueueName::standard(), lane(), Utc::now());
    let behind = Some(id(ROWS / 2));
    vec![
        (
            "next lane",
            dispatch::next_lane(&queue, None, None)[0].build(POSTGRES),
            5,
        ),
        (
            "lane after",
            dispatch::next_lane(&queue, Some(&lane), None)[0].build(POSTGRES),
            5,
        ),
        (
            "lane before",
            dispatch::next_lane(&queue, None, Some(&lane))[0].build(POSTGRES),
            5,
        ),
        (
            "has next",
            dispatch::of_lane(POSTGRES, &queue, &lane, behind, 1).build(POSTGRES),
            5,
        ),
        (
            "dispatch",
            dispatch::dispatch(POSTGRES, &queue, &lane, None, WANTED, now).build(POSTGRES),
            MOST,
        ),
        (
            "dispatch behind",
            dispatch::dispatch(POSTGRES, &queue, &lane, behind, WANTED, now).build(POSTGRES),
            MOST,
        ),
        (
            "unpark",
            dispatch::unpark(POSTGRES, now, WANTED).build(POSTGRES),
            MOST,
        ),
        (
            "dispatched",
            dispatch::dispatched(None, WANTED).build(POSTGRES),
            MOST,
        ),
        (
            "dispatched after",
            dispatch::dispatched(behind, WANTED).build(POSTGRES),
            MOST,
        ),
    ]
}

const IN_WINDOW: &str = "state = 'queued', dispatched_at = now()";
const FINISHED: &str = "state = 'completed', dispatched_at = now(), finished_at = now(), attempt = 1";
const PARKED: &str = "state = 'scheduled', run_at = now(), parked_until = now()";

/// Rows of the backlog, without autovacuum or autoanalyze.
async fn backlog(scratch: &Scratch) {
    scratch
        .run("ALTER TABLE jobs SET (autovacuum_enabled = false)")
        .await;
    let insert = format!(
        "INSERT INTO jobs (id, function, queue, input, state, attempt, max_attempts, timeout_ms, created_at)
         SELECT '01JD3Y8M5Q' || lpad(n::text, 16, '0'), 'echo', 'default', '1', 'queued', 0, 3, 60000, now()
         FROM generate_series(0, {ROWS} - 1) AS n"
    );
    scratch.run(&insert).await;
}

async fn change(scratch: &Scratch, to: &str, which: &str) {
    scratch.run(&format!("UPDATE jobs SET {to} WHERE {which}")).await;
}

async fn assert_bounded(scratch: &Scratch, shape: &str) {
    for (name, statement, most) in statements() {
        for generic in [false, true] {
            let costs = scratch.costs(&statement, generic).await;
            assert!(
                costs.rows <= most,
                "{shape}: {name} (generic plan: {generic}) looked at {} rows: {}",
                costs.rows,
                costs.plan
            );
        }
    }
}

/// With outdated statistics, with current ones, and without any.
async fn with_all_statistics(scratch: &Scratch, shape: &str) {
    assert_bounded(scratch, &format!("{shape}, stale statistics")).await;
    scratch.run("ANALYZE jobs").await;
    assert_bounded(scratch, &format!("{shape}, fresh statistics")).await;
    scratch
        .run("DELETE FROM pg_statistic WHERE starelid = 'jobs'::regclass")
        .await;
    assert_bounded(scratch, &format!("{shape}, no statistics")).await;
}

#[tokio::test]
async fn postgres_looks_at_a_bounded_number_of_rows_whatever_it_believes() {
    let scratch = Scratch::new().await;
    backlog(&scratch).await;
    assert_bounded(&scratch, "all wait, never analysed").await;
    scratch.run("ANALYZE jobs").await;
    // Nearly all rows wait according to the statistics, and the older half is in the window.
    let half = format!("id < '{}'", id(ROWS / 2));
    change(&scratch, IN_WINDOW, &half).await;
    with_all_statistics(&scratch, "half is in the window").await;
    scratch.run("VACUUM ANALYZE jobs").await;
    change(&scratch, FINISHED, "true").await;
    with_all_statistics(&scratch, "all have finished").await;
    scratch.run("VACUUM ANALYZE jobs").await;
    let some = |from: u32| format!("id >= '{}' AND id < '{}'", id(from), id(from + ROWS / 6));
    let waits = "state = 'queued', dispatched_at = NULL, finished_at = NULL, attempt = 0";
    change(&scratch, waits, &some(ROWS / 2)).await;
    change(
        &scratch,
        &format!("finished_at = NULL, {IN_WINDOW}"),
        &some(ROWS / 3),
    )
    .await;
    change(
        &scratch,
        &format!("finished_at = NULL, dispatched_at = NULL, {PARKED}"),
        &some(ROWS / 6),
    )
    .await;
    with_all_statistics(&scratch, "some of each").await;
    scratch.remove().await;
}

#[tokio::test]
async fn postgres_does_not_go_through_what_an_old_snapshot_keeps_again_and_again() {
    let scratch = Scratch::new().await;
    backlog(&scratch).await;
    let other = scratch.other().await;
    // As `pg_dump` does while it runs.
    let snapshot = other
        .begin_with_config(Some(sea_orm::IsolationLevel::RepeatableRead), None)
        .await
        .unwrap();
    snapshot
        .execute_unprepared("SELECT count(*) FROM jobs")
        .await
        .unwrap();
    change(&scratch, IN_WINDOW, "true").await;
    scratch.run("VACUUM jobs").await;
    let queue = QueueName::standard();
    let whole = dispatch::next_lane(&queue, None, None)[0].build(POSTGRES);
    let from_start = scratch.costs(&whole, false).await;
    assert!(
        from_start.pages > 300,
        "the snapshot keeps nothing: {}",
        from_start.plan
    );
    let last = Some(id(ROWS - 1));
    let statements = [
        dispatch::next_lane(&queue, None, Some(&lane()))[0].build(POSTGRES),
        dispatch::next_lane(&queue, Some(&lane()), None)[0].build(POSTGRES),
        dispatch::of_lane(POSTGRES, &queue, &lane(), last, 1).build(POSTGRES),
        dispatch::dispatch(POSTGRES, &queue, &lane(), last, WANTED, Utc::now()).build(POSTGRES),
    ];
    for statement in statements {
        for generic in [false, true] {
            let costs = scratch.costs(&statement, generic).await;
            assert!(costs.pages < 50, "{} pages: {}", costs.pages, costs.plan);
        }
    }
    snapshot.commit().await.unwrap();
    other.close().await.unwrap();
    scratch.remove().await;
}
