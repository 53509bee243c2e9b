//! Events of jobs that are gone.

use chrono::Utc;
use jobs::queue::events::{JobEvent, LogLine, Notes};
use sea_orm::{ConnectionTrait, Statement};

use super::{added, apply, dead, retrying, started};
use crate::support::{Database, on_both_databases};

on_both_databases! {
    async fn events_that_come_again_after_a_delete_leave_nothing_behind(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let admin = database.connect().await;
        let count = async |table: &str| {
            let query = format!("SELECT COUNT(*) FROM {table}");
            let statement = Statement::from_string(admin.get_database_backend(), query);
            admin.query_one_raw(statement).await.unwrap().unwrap().try_get_by_index::<i64>(0).unwrap()
        };
        let counts = async || {
            let mut counts = Vec::new();
            for table in ["jobs", "attempts", "log_lines", "failures", "stat_changes", "job_tags"] {
                counts.push(count(table).await);
            }
            counts
        };
        let id = added(&store).await;
        let line = LogLine { number: 1, at: Utc::now(), text: "hello".to_owned() };
        let noted = JobEvent::Noted { id, attempt: 2, notes: Notes { progress: None, lines: vec![line] } };
        let events = vec![started(id, 1), retrying(id, 1), noted.clone(), dead(id, 2)];
        apply(&store, events.clone()).await;
        assert_eq!(counts().await[..4], [1, 2, 1, 1]);
        assert_eq!(store.job_delete_many(&[id]).await.unwrap(), 1);
        admin.execute_unprepared("DELETE FROM failures").await.unwrap();
        let before = counts().await;
        assert_eq!(before[..4], [0, 0, 0, 0]);
        // All of them, and lines that come without a change of the row.
        apply(&store, events).await;
        apply(&store, vec![noted]).await;
        assert_eq!(counts().await, before);
    }

    async fn history_is_written_of_a_job_whose_row_takes_the_event_no_more(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let id = added(&store).await;
        apply(&store, vec![started(id, 2)]).await;
        // Told late by another recorder.
        apply(&store, vec![retrying(id, 1)]).await;
        let attempts = store.attempt_list(id).await.unwrap();
        assert_eq!(attempts.iter().map(|attempt| attempt.number).collect::<Vec<_>>(), [1]);
        assert_eq!(store.job_get(id).await.unwrap().unwrap().attempt, 2);
    }
}
