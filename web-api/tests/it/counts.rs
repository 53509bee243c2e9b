//! Kept counts and time series: as exact as counting, whatever happens to the jobs, and each event once.

use chrono::{TimeDelta, Utc};
use jobs::job::{JobId, JobState, QueueName};
use jobs::queue::events::{AttemptError, ErrorKind, EventBatch, JobEvent, Outcome};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use web_api::db::Store;
use web_api::db::job_history::Cause;
use web_api::db::jobs::UnfinishedJob;
use web_api::db::stats::{Counters, StatFilter, Step};

use crate::support::{Database, batch, ended, finished, new_job, on_both_databases};

/// Queue, function, state, and how many.
type Counts = Vec<(String, String, String, i64)>;

async fn counted(connection: &DatabaseConnection) -> Counts {
    let query = "SELECT queue, function, state, COUNT(*) FROM jobs GROUP BY queue, function, state";
    let statement = Statement::from_string(connection.get_database_backend(), query);
    let rows = connection.query_all_raw(statement).await.unwrap();
    let mut counts: Counts = rows
        .iter()
        .map(|row| {
            let text = |at| row.try_get_by_index(at).unwrap();
            (text(0), text(1), text(2), row.try_get_by_index(3).unwrap())
        })
        .collect();
    counts.sort();
    counts
}

async fn kept(store: &Store) -> Counts {
    let counts = store.job_counts().await.unwrap().into_iter();
    let mut counts: Counts = counts
        .map(|count| {
            let jobs = i64::try_from(count.jobs).unwrap();
            (
                count.queue.to_string(),
                count.function,
                count.state.to_string(),
                jobs,
            )
        })
        .collect();
    counts.sort();
    counts
}

/// What is kept is what there is, before and after it was folded, and also for one who looks right after a crash: the
/// changes are there already.
async fn agree(store: &Store, connection: &DatabaseConnection, when: &str) {
    let right = counted(connection).await;
    assert_eq!(kept(store).await, right, "{when}");
    store.job_count_fold().await.unwrap();
    assert_eq!(kept(store).await, right, "{when}, folded");
}

fn error(message: &str) -> AttemptError {
    AttemptError {
        kind: ErrorKind::Error,
        message: message.to_owned(),
    }
}

fn failed(id: JobId, attempt: u32, dead: bool) -> JobEvent {
    let error = error("timed out after 17 s");
    let outcome = if dead {
        Outcome::Dead { error }
    } else {
        Outcome::Retrying {
            error,
            run_at: Utc::now() + TimeDelta::hours(1),
            parked: false,
        }
    };
    ended(id, attempt, outcome)
}

async fn apply(store: &Store, batches: &[EventBatch]) {
    store.job_apply_events(batches).await.unwrap();
}

/// Of the last minutes, all queues and functions together.
async fn counters(store: &Store, step: Step) -> Counters {
    let filter = StatFilter {
        step,
        from: Utc::now() - TimeDelta::minutes(10),
        until: Utc::now() + TimeDelta::minutes(1),
        queue: Some(QueueName::standard()),
        function: Some("fibonacci".to_owned()),
    };
    let mut sum = Counters::default();
    for stat in store.stat_list(&filter).await.unwrap() {
        sum.add(&stat.counters);
    }
    sum
}

on_both_databases! {
    async fn counts_follow_everything_that_happens_to_jobs(database) {
        let database = Database::new(database).await;
        let (store, connection) = (database.store().await, database.connect().await);
        let jobs: Vec<_> = (0..40).map(new_job).collect();
        let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
        store.job_insert_many(&jobs).await.unwrap();
        agree(&store, &connection, "inserted").await;
        store.job_insert_many(&jobs).await.unwrap();
        agree(&store, &connection, "inserted once more").await;

        let done = ids[..10].iter().map(|id| finished(*id, 1));
        let dead = ids[10..20].iter().map(|id| failed(*id, 1, true));
        let retrying = ids[20..25].iter().map(|id| failed(*id, 1, false));
        let events = batch(done.chain(dead).chain(retrying).collect());
        for _ in 0..2 {
            apply(&store, std::slice::from_ref(&events)).await;
            agree(&store, &connection, "events").await;
        }
        let failures = store.failure_list(10).await.unwrap();
        assert_eq!((failures.len(), failures[0].jobs, failures[0].example), (1, 15, ids[24]));

        let queue = QueueName::standard();
        store.job_retry(&queue, &ids[5..15], Utc::now()).await.unwrap();
        agree(&store, &connection, "run again").await;
        store.job_run_now(ids[20], &Cause::unknown()).await.unwrap();
        agree(&store, &connection, "run now").await;
        let unfinished: Vec<UnfinishedJob> = ids[30..].iter().map(|id| UnfinishedJob {
            id: *id,
            queue: queue.clone(),
            function: "fibonacci".to_owned(),
            attempt: 0,
        }).collect();
        store.job_cancel_many(&unfinished, Utc::now()).await.unwrap();
        agree(&store, &connection, "cancelled").await;
        store.job_delete_many(&ids).await.unwrap();
        agree(&store, &connection, "deleted").await;
        assert_eq!(store.failure_list(10).await.unwrap()[0].jobs, 4);
        let left = store.job_counts().await.unwrap();
        assert!(left.iter().all(|count| !matches!(count.state, JobState::Completed | JobState::Cancelled)));
    }

    async fn an_event_counts_once_and_folding_changes_no_number(database) {
        let database = Database::new(database).await;
        let store = database.store().await;
        let jobs: Vec<_> = (0..3).map(new_job).collect();
        store.job_insert_many(&jobs).await.unwrap();
        store.job_insert_many(&jobs).await.unwrap();
        let events = [
            batch(vec![failed(jobs[0].id, 1, false), finished(jobs[1].id, 1)]),
            batch(vec![finished(jobs[0].id, 2), failed(jobs[2].id, 1, true)]),
        ];
        for _ in 0..3 {
            apply(&store, &events).await;
        }
        let before = counters(&store, Step::Minute).await;
        let told = (before.enqueued, before.completed, before.failed, before.dead);
        assert_eq!(told, (3, 2, 2, 1));
        assert_eq!((before.run.count(), before.wait.count()), (4, 3));
        store.stat_fold().await.unwrap();
        assert_eq!(counters(&store, Step::Minute).await, before);
        assert_eq!(counters(&store, Step::Hour).await, before);

        // What comes later is added to what is folded already.
        let more = new_job(9);
        store.job_insert_many(std::slice::from_ref(&more)).await.unwrap();
        let (one, other) = tokio::join!(store.stat_fold(), store.stat_fold());
        one.unwrap();
        other.unwrap();
        store.stat_fold().await.unwrap();
        assert_eq!(counters(&store, Step::Hour).await, Counters { enqueued: 4, ..before.clone() });

        store.stat_prune(Utc::now() + TimeDelta::days(2)).await.unwrap();
        assert_eq!(counters(&store, Step::Minute).await, Counters::default());
        assert_eq!(counters(&store, Step::Hour).await.enqueued, 4, "hours are kept for longer");
    }
}
