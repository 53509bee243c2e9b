//! Lists of jobs: filters and the keyset cursor.

use chrono::Utc;
use jobs::{job::JobState, queue::events::JobEvent};
use sea_orm::ConnectionTrait as _;
use web_api::db::Store;
use web_api::db::jobs::{Job, NewJob};
use web_api::domain::job_filter::JobFilter;

use crate::support::binary::Running;
use crate::support::{Database, batch, new_job, on_both_databases};

/// Walks all pages of a list.
async fn walk(store: &Store, filter: &JobFilter, limit: u64) -> Vec<Job> {
    let mut jobs = Vec::new();
    let mut cursor = None;
    loop {
        let page = store.job_list(filter, cursor, limit).await.unwrap();
        assert!(page.jobs.len() as u64 <= limit);
        jobs.extend(page.jobs);
        cursor = page.next;
        if cursor.is_none() {
            return jobs;
        }
    }
}

fn named(function: &str) -> NewJob {
    NewJob {
        function: function.to_owned(),
        ..new_job(1)
    }
}

on_both_databases! {
    async fn pages_join_without_gap_or_repeat(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let new: Vec<NewJob> = (0..25).map(new_job).collect();
        store.job_insert_many(&new).await.unwrap();

        let newest_first: Vec<_> = new.iter().rev().map(|job| job.id).collect();
        // Pages that end within, exactly at, and beyond the end of the list.
        for limit in [1, 5, 7, 25, 100] {
            let listed: Vec<_> = walk(&store, &JobFilter::default(), limit).await.iter().map(|job| job.id).collect();
            assert_eq!(listed, newest_first, "pages of {limit}");
        }
    }

    async fn jobs_that_arrive_during_the_walk_do_not_shift_it(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let old: Vec<NewJob> = (0..4).map(new_job).collect();
        store.job_insert_many(&old).await.unwrap();
        let first = store.job_list(&JobFilter::default(), None, 2).await.unwrap();
        store.job_insert_many(&[new_job(9)]).await.unwrap();
        let second = store.job_list(&JobFilter::default(), first.next, 2).await.unwrap();
        assert_eq!(second.jobs.iter().map(|job| job.id).collect::<Vec<_>>(), [old[1].id, old[0].id]);
        assert_eq!(second.next, None);
    }

    async fn filters_combine(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let new: Vec<NewJob> = ["a", "b", "a", "b", "a"].map(named).into();
        store.job_insert_many(&new).await.unwrap();
        let started = |job: &NewJob| JobEvent::Started { id: job.id, attempt: 1, worker: "w".to_owned(), started_at: Utc::now() };
        store.job_apply_events(&[batch(vec![started(&new[0]), started(&new[1])])]).await.unwrap();

        let ids = async |state: Option<JobState>, function: Option<&str>| {
            let filter = JobFilter { states: state.into_iter().collect(), function: function.map(str::to_owned), ..JobFilter::default() };
            let jobs = walk(&store, &filter, 2).await;
            jobs.iter().map(|job| new.iter().position(|new| new.id == job.id).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(ids(Some(JobState::Queued), None).await, [4, 3, 2]);
        assert_eq!(ids(None, Some("a")).await, [4, 2, 0]);
        assert_eq!(ids(Some(JobState::Running), Some("a")).await, [0]);
        assert!(ids(Some(JobState::Dead), None).await.is_empty());
        assert!(ids(None, Some("a' OR '1'='1")).await.is_empty());
    }

    async fn a_list_leaves_out_large_inputs_and_a_job_has_all_of_its_own(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let large = serde_json::json!({"text": "ä".repeat(500_000)});
        let with_input = |input: &serde_json::Value| NewJob { input: input.clone().into(), ..new_job(1) };
        let new = [with_input(&large), with_input(&serde_json::json!({"small": 1})), with_input(&serde_json::Value::Null)];
        store.job_insert_many(&new).await.unwrap();
        // As an older version has written it.
        let admin = database.connect().await;
        let old = with_input(&large);
        store.job_insert_many(std::slice::from_ref(&old)).await.unwrap();
        let forget = format!("UPDATE jobs SET input_size = NULL, input_preview = NULL WHERE id = '{}'", old.id);
        admin.execute_unprepared(&forget).await.unwrap();

        let jobs = walk(&store, &JobFilter::default(), 10).await;
        let bytes = large.to_string().len() as u64;
        for (listed, measured) in [(&jobs[0], bytes..=bytes + 1), (&jobs[3], bytes..=bytes)] {
            let cut = listed.input_cut.as_ref().unwrap();
            assert_eq!(listed.input, serde_json::Value::Null);
            // PostgreSQL writes a space behind the colon.
            assert!(measured.contains(&cut.size), "{}", cut.size);
            assert_eq!(cut.preview.chars().count(), 200);
            assert!(cut.preview.starts_with("{\"text\":"), "{}", cut.preview);
            assert_eq!(store.job_get(listed.id).await.unwrap().unwrap().input, large);
        }
        assert_eq!((&jobs[1].input, &jobs[1].input_cut), (&jobs::json::Json::null(), &None));
        assert_eq!((&jobs[2].input, &jobs[2].input_cut), (&serde_json::json!({"small": 1}).into(), &None));
    }
}

/// Bytes of memory that the process had at most since its peak was set back.
fn peak(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    kilobytes * 1024
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_lists_of_a_hundred_large_inputs_at_once_need_little_memory() {
    let data = tempfile::TempDir::new().unwrap();
    let server = Running::start(data.path(), &[]).await;
    let input = serde_json::json!({"text": "x".repeat(900_000)});
    for _ in 0..100 {
        let body = serde_json::json!({"input": input, "delay_seconds": 3_600});
        let answer = server.post("/api/v1/functions/echo/jobs", &body).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
    }
    std::fs::write(format!("/proc/{}/clear_refs", server.id()), "5").unwrap();
    let before = peak(server.id());
    let lists = futures::future::join_all((0..8).map(|_| server.get("/api/v1/jobs?limit=100"))).await;
    for list in lists {
        assert!(list.text.len() < 200_000, "{}", list.text.len());
        let jobs = list.json()["jobs"].clone();
        assert_eq!(jobs.as_array().unwrap().len(), 100);
        assert_eq!(
            (&jobs[0]["input"], &jobs[0]["input_size"]),
            (&serde_json::Value::Null, &serde_json::json!(900_011))
        );
        assert!(
            jobs[0]["input_preview"]
                .as_str()
                .unwrap()
                .starts_with("{\"text\":\"xxx")
        );
    }
    let grown = peak(server.id()) - before;
    assert!(grown < 50_000_000, "{grown} bytes more than before");
}
