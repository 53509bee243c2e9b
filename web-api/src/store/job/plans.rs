//! How SQLite goes about the queries: each by an index, whatever the table's size. Tests alone.

use chrono::Utc;
use jobs::{job::JobState, queue::events::JobEvent};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};

use super::{BatchId, JobFilter, JobId, ScheduleId, dispatch, events, list};

pub(in crate::store) async fn database() -> DatabaseConnection {
    let database = Database::connect("sqlite::memory:").await.unwrap();
    migrations::migrate_up(&database).await.unwrap();
    database
}

pub(in crate::store) async fn plan(database: &DatabaseConnection, statement: Statement) -> String {
    let explained = Statement {
        sql: format!("EXPLAIN QUERY PLAN {}", statement.sql),
        ..statement
    };
    let rows = database.query_all_raw(explained).await.unwrap();
    let lines: Vec<String> = rows
        .iter()
        .map(|row| row.try_get("", "detail").unwrap())
        .collect();
    lines.join("\n")
}

#[tokio::test]
async fn events_find_their_rows_by_id() {
    let database = database().await;
    let events = (0..500)
        .map(|_| JobEvent::Promoted { id: JobId::new() })
        .collect();
    let statement = events::update_of(events, Utc::now());
    let plan = plan(&database, DbBackend::Sqlite.build(&statement)).await;
    // By state it would go through the whole backlog for each event: 300 times slower on 20,000 rows.
    assert!(
        plan.contains("SEARCH jobs USING INDEX sqlite_autoindex_jobs_1 (id=?)"),
        "{plan}"
    );
}

#[tokio::test]
async fn lists_need_no_sorting() {
    use sea_orm::QueryTrait;
    let database = database().await;
    let cursor = Some(JobId::new());
    let filter = |state, function: Option<&str>| JobFilter {
        state,
        function: function.map(str::to_owned),
        ..JobFilter::default()
    };
    let made = JobFilter {
        schedule: Some(ScheduleId::new()),
        ..JobFilter::default()
    };
    let of_batch = JobFilter {
        batch: Some(BatchId::new()),
        ..JobFilter::default()
    };
    let build = |filter: &JobFilter| list(filter, cursor, 50).build(DbBackend::Sqlite);
    for (statement, index) in [
        (build(&filter(None, None)), "sqlite_autoindex_jobs_1"),
        (build(&filter(Some(JobState::Dead), None)), "jobs_by_state"),
        (build(&filter(None, Some("fibonacci"))), "jobs_by_function"),
        (
            build(&filter(Some(JobState::Dead), Some("fibonacci"))),
            "jobs_by_function_and_state",
        ),
        (build(&made), "jobs_by_schedule"),
        (build(&of_batch), "jobs_by_batch"),
    ] {
        let plan = plan(&database, statement).await;
        let used = format!("SEARCH jobs USING INDEX {index} (");
        assert!(
            plan.contains(&used) && !plan.contains("TEMP B-TREE"),
            "{index}: {plan}"
        );
    }
}

#[tokio::test]
async fn the_window_is_filled_walked_and_parked_jobs_found_by_their_indexes() {
    use sea_orm::QueryTrait;
    let database = database().await;
    let queue = jobs::job::QueueName::standard();
    let lane = dispatch::Lane {
        priority: jobs::job::Priority::STANDARD,
        fairness_key: "a".to_owned(),
    };
    let sqlite = DbBackend::Sqlite;
    for (statement, used) in [
        (
            dispatch::next_lane(&queue, None).build(sqlite),
            "SEARCH jobs USING INDEX jobs_backlog (queue=?)",
        ),
        (
            dispatch::next_lane(&queue, Some(&lane)).build(sqlite),
            "SEARCH jobs USING INDEX jobs_backlog (queue=? AND (priority,fairness_key)>(?,?))",
        ),
        (
            dispatch::dispatch(sqlite, &queue, &lane, 500, Utc::now()).build(sqlite),
            "SEARCH jobs USING INDEX jobs_backlog (queue=? AND priority=? AND fairness_key=?)",
        ),
        (
            dispatch::unpark(sqlite, Utc::now(), 500).build(sqlite),
            "SEARCH jobs USING INDEX jobs_parked (parked_until<?)",
        ),
        (
            dispatch::dispatched(Some(JobId::new()), 500).build(sqlite),
            "SEARCH jobs USING INDEX jobs_dispatched (id>?)",
        ),
    ] {
        let plan = plan(&database, statement).await;
        assert!(
            plan.contains(used) && !plan.contains("TEMP B-TREE"),
            "{used}: {plan}"
        );
    }
}
