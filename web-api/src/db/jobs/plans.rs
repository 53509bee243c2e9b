//! How SQLite goes about the queries: each by an index, whatever the table's size. Tests alone.

use chrono::Utc;
use jobs::{job::JobState, queue::events::JobEvent};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};

use super::list::{self, Start};
use super::{BatchId, JobId, ScheduleId, apply_events, dispatch};
use crate::domain::job_filter::JobFilter;

pub(in crate::db) async fn database() -> DatabaseConnection {
    let database = Database::connect("sqlite::memory:").await.unwrap();
    migrations::migrate_up(&database).await.unwrap();
    database
}

pub(in crate::db) async fn plan(database: &DatabaseConnection, statement: Statement) -> String {
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
    let statement = apply_events::update_of(events, Utc::now());
    let plan = plan(&database, DbBackend::Sqlite.build(&statement)).await;
    // By state it would go through the whole backlog for each event: 300 times slower on 20,000 rows.
    assert!(
        plan.contains("SEARCH jobs USING INDEX sqlite_autoindex_jobs_1 (id=?)"),
        "{plan}"
    );
}

#[tokio::test]
async fn lists_need_no_sorting() {
    let database = database().await;
    let id = JobId::new();
    let words = |filter: JobFilter| JobFilter {
        words: vec!["timed out".to_owned()],
        ..filter
    };
    let dead = || JobFilter {
        states: vec![JobState::Dead, JobState::Retrying],
        ..JobFilter::default()
    };
    let function = |filter: JobFilter| JobFilter {
        function: Some("fibonacci".to_owned()),
        ..filter
    };
    let queue = |filter: JobFilter| JobFilter {
        queue: Some(jobs::job::QueueName::standard()),
        ..filter
    };
    let of_failure = |filter: JobFilter| JobFilter {
        failure: Some(crate::domain::fingerprint::Fingerprint::of("f", "error", "m")),
        ..filter
    };
    let made = || JobFilter {
        schedule: Some(ScheduleId::new()),
        ..JobFilter::default()
    };
    let of_batch = || JobFilter {
        batch: Some(BatchId::new()),
        ..dead()
    };
    for (filter, index) in [
        (JobFilter::default(), "sqlite_autoindex_jobs_1"),
        (words(JobFilter::default()), "jobs_with_error"),
        (dead(), "jobs_by_state"),
        (words(dead()), "jobs_by_state"),
        (function(JobFilter::default()), "jobs_by_function"),
        (words(queue(function(JobFilter::default()))), "jobs_by_function"),
        (function(dead()), "jobs_by_function_and_state"),
        (queue(JobFilter::default()), "jobs_by_queue_and_state"),
        (queue(dead()), "jobs_by_queue_and_state"),
        (of_failure(JobFilter::default()), "jobs_by_failure_and_state"),
        (of_failure(queue(dead())), "jobs_by_failure_and_state"),
        (
            JobFilter {
                ids: vec![id, JobId::new()],
                ..dead()
            },
            "sqlite_autoindex_jobs_1",
        ),
        (queue(made()), "jobs_by_schedule"),
        (of_batch(), "jobs_by_batch"),
    ] {
        for start in [Start::OlderThan(id), Start::NewerThan(id)] {
            for query in list::queries_of(&filter, start, 50) {
                let plan = plan(&database, DbBackend::Sqlite.build(&query)).await;
                let used = [
                    format!("SEARCH jobs USING INDEX {index} ("),
                    format!("SEARCH jobs USING COVERING INDEX {index} ("),
                ];
                assert!(
                    used.iter().any(|used| plan.contains(used)) && !plan.contains("TEMP B-TREE"),
                    "{index}: {plan}"
                );
            }
        }
    }
}

#[tokio::test]
async fn jobs_of_a_tag_come_in_the_order_of_its_index() {
    let database = database().await;
    let tagged = |tags: &[&str]| JobFilter {
        tags: tags.iter().map(|tag| tag.parse().unwrap()).collect(),
        ..JobFilter::default()
    };
    let of_batch = JobFilter {
        batch: Some(BatchId::new()),
        states: vec![JobState::Dead],
        ..tagged(&["a", "b"])
    };
    for filter in [tagged(&["a"]), of_batch] {
        for start in [Start::OlderThan(JobId::new()), Start::NewerThan(JobId::new())] {
            for query in list::queries_of(&filter, start, 50) {
                let plan = plan(&database, DbBackend::Sqlite.build(&query)).await;
                let by_tag =
                    "SEARCH job_tags USING COVERING INDEX sqlite_autoindex_job_tags_1 (tag=? AND job_id";
                assert!(plan.contains(by_tag) && !plan.contains("SCAN"), "{plan}");
                assert!(!plan.contains("TEMP B-TREE"), "{plan}");
            }
        }
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
            dispatch::next_lane(&queue, None, None)[0].build(sqlite),
            "SEARCH jobs USING INDEX jobs_backlog (queue=?)",
        ),
        (
            dispatch::next_lane(&queue, Some(&lane), None)[0].build(sqlite),
            "SEARCH jobs USING INDEX jobs_backlog (queue=? AND (priority,fairness_key)>(?,?))",
        ),
        (
            dispatch::dispatch(sqlite, &queue, &lane, None, 500, Utc::now()).build(sqlite),
            "SEARCH jobs USING INDEX jobs_backlog (queue=? AND priority=? AND fairness_key=?)",
        ),
        (
            dispatch::dispatch(sqlite, &queue, &lane, Some(JobId::new()), 500, Utc::now()).build(sqlite),
            "SEARCH jobs USING INDEX jobs_backlog (queue=? AND priority=? AND fairness_key=? AND id>?)",
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

#[tokio::test]
async fn failures_are_told_without_counting_jobs() {
    let database = database().await;
    let statement = crate::db::job_counts::failures(DbBackend::Sqlite, 50);
    let plan = plan(&database, statement).await;
    assert!(
        plan.contains("jobs USING COVERING INDEX jobs_by_failure_and_state (failure=? AND state=?)")
            && !plan.contains("SCAN jobs"),
        "{plan}"
    );
}
