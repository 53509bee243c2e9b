//! The search over jobs: every filter in both databases, pages in both directions, and searches that find little.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use jobs::job::{JobId, JobState, Priority};
use jobs::queue::events::{AttemptError, ErrorKind, JobEvent, Outcome};
use serde_json::{Value, json};
use web_api::db::Store;
use web_api::db::jobs::NewJob;
use web_api::domain::job_filter::JobFilter;

use crate::support::server::TestServer;
use crate::support::{Database, batch, ended, finished, new_job, on_both_databases};

/// Which of `new` the search finds, by their places, newest first.
async fn found(store: &Store, new: &[NewJob], search: &str) -> Vec<usize> {
    let filter: JobFilter = search.parse().unwrap();
    let mut places = Vec::new();
    let mut cursor = None;
    loop {
        let page = store.job_list(&filter, cursor, 2).await.unwrap();
        let ids = page.jobs.iter().map(|job| job.id);
        places.extend(ids.map(|id| new.iter().position(|new| new.id == id).unwrap()));
        cursor = page.next;
        if cursor.is_none() {
            return places;
        }
    }
}

fn with_input(function: &str, queue: &str, input: Value) -> NewJob {
    NewJob {
        function: function.to_owned(),
        queue: queue.parse().unwrap(),
        input: input.into(),
        ..new_job(0)
    }
}

fn tagged(tags: &[&str], job: NewJob) -> NewJob {
    let tags = tags.iter().map(|tag| tag.parse().unwrap()).collect();
    NewJob { tags, ..job }
}

fn dead(id: JobId, message: &str) -> JobEvent {
    let error = AttemptError {
        kind: ErrorKind::Error,
        message: message.to_owned(),
    };
    ended(id, 1, Outcome::Dead { error })
}

on_both_databases! {
    async fn every_filter_finds_what_it_says(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let new = [
            tagged(&["customer:17"], with_input("a", "default", json!({"index": 7, "user": {"name": "Anna K", "age": 41.5}}))),
            with_input("b", "mail", json!({"index": 1000, "state": "open", "on": true})),
            tagged(&["import", "customer:17"], with_input("a", "mail", json!({"index": "1001", "on": "true", "list": [1]}))),
            with_input("b", "default", json!({"index": 1001, "user": null})),
            NewJob { priority: Priority::FIRST, ..with_input("a", "mail", json!([1, 2])) },
        ];
        store.job_insert_many(&new).await.unwrap();
        let events = vec![
            dead(new[0].id, "Timed Out after 5s: 100% of it_all"),
            dead(new[1].id, "refused"),
            finished(new[2].id, 1),
        ];
        store.job_apply_events(&[batch(events)]).await.unwrap();

        for (search, expected) in [
            ("", &[4, 3, 2, 1, 0][..]),
            ("state:dead", &[1, 0]),
            ("state:dead,queued", &[4, 3, 1, 0]),
            ("function:a", &[4, 2, 0]),
            ("queue:mail", &[4, 2, 1]),
            ("queue:mail state:completed,dead", &[2, 1]),
            ("queue:mail function:a", &[4, 2]),
            ("tag:customer:17", &[2, 0]),
            ("tag:customer:17 tag:import", &[2]),
            ("tag:customer:17 state:dead", &[0]),
            ("tag:customer:17 timed", &[0]),
            ("tag:customer:1", &[]),
            ("tag:import queue:mail function:a index:1001", &[2]),
            ("priority:1", &[4]),
            ("worker:worker-1", &[2, 1, 0]),
            ("worker:worker-1 state:dead queue:default", &[0]),
            ("\"timed out\"", &[0]),
            ("timed refused", &[]),
            ("e", &[1, 0]),
            ("100%", &[0]),
            ("it_all", &[0]),
            ("0%_of", &[]),
            ("index>7", &[3, 1]),
            ("index>=7 index<1001", &[1, 0]),
            ("index:1001", &[3, 2]),
            ("index:1001.0", &[3]),
            ("user.name:\"Anna K\"", &[0]),
            ("user.age<=41.5", &[0]),
            ("user:null", &[]),
            ("input.state:open", &[1]),
            ("on:true", &[2, 1]),
            ("state:queued index:1001", &[3]),
            ("function:\"a' OR '1'='1\"", &[]),
            ("index:\"' OR 1=1 --\"", &[]),
        ] {
            assert_eq!(found(&store, &new, search).await, expected, "{search}");
        }
        assert_eq!(found(&store, &new, &new[3].id.to_string()).await, [3]);
        assert_eq!(found(&store, &new, &format!("tag:import {}", new[2].id)).await, [2]);
        assert_eq!(found(&store, &new, &format!("tag:import {}", new[0].id)).await, [0; 0]);
    }

    async fn numbers_are_found_to_their_last_digit(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let ids = [1_970_670_598_291_982_289_u64, 1_970_670_598_291_982_290, 1_970_670_598_291_982_291];
        let new: Vec<NewJob> = ids.iter().map(|id| with_input("a", "default", json!({"tweet_id": id, "x": {"y": 0.1}}))).collect();
        store.job_insert_many(&new).await.unwrap();
        for (search, expected) in [
            ("tweet_id:1970670598291982290", &[1][..]),
            ("tweet_id:1970670598291982290.0", &[1]),
            ("tweet_id:197067059829198229e1", &[1]),
            ("tweet_id:1970670598291982292", &[]),
            ("tweet_id>1970670598291982290", &[2]),
            ("tweet_id>=1970670598291982290", &[2, 1]),
            ("tweet_id<1970670598291982290", &[0]),
            ("tweet_id<1970670598291982290.5 tweet_id>1970670598291982289.5", &[1]),
            ("tweet_id<1e300", &[2, 1, 0]),
            ("tweet_id>-1e300", &[2, 1, 0]),
            ("x.y:0.1", &[2, 1, 0]),
            ("x.y:1e-1", &[2, 1, 0]),
            ("x.y>0.1", &[]),
            ("x.y:0.10000000000000001", &[]),
        ] {
            assert_eq!(found(&store, &new, search).await, expected, "{search}");
            let filter: JobFilter = search.parse().unwrap();
            let counted = store.job_count(&filter, JobId::new(), Duration::from_mins(1)).await.unwrap();
            assert_eq!(counted.jobs, expected.len() as u64, "{search}");
        }
    }

    async fn words_are_found_in_small_letters_and_capitals_of_every_script(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let messages = ["ÜBERLAST: Straße 100%", "überlast *?[a]", "ΣΦΆΛΜΑ", "Ошибка_сети", "plain"];
        let new: Vec<NewJob> = (0..messages.len() as u64).map(new_job).collect();
        store.job_insert_many(&new).await.unwrap();
        let events = new.iter().zip(messages).map(|(new, message)| dead(new.id, message)).collect();
        store.job_apply_events(&[batch(events)]).await.unwrap();
        for (search, expected) in [
            ("überlast", &[1, 0][..]),
            ("ÜBERLAST", &[1, 0]),
            ("Überlast", &[1, 0]),
            ("ubERlast", &[]),
            ("STRAßE", &[0]),
            ("σφάλμα", &[2]),
            ("ошибка_СЕТИ", &[3]),
            ("ошибка.сети", &[]),
            ("100%", &[0]),
            ("*?[A]", &[1]),
            ("?", &[1]),
            (".", &[]),
            ("[^a]", &[]),
            ("^plain$", &[]),
            ("PLAIN", &[4]),
        ] {
            assert_eq!(found(&store, &new, search).await, expected, "{search}");
        }
        // As long as a search may be.
        let long = format!("\"{}\"", "ü".repeat(1_990));
        assert_eq!(found(&store, &new, &long).await, [0; 0]);
    }

    async fn times_bound_a_search(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let new: Vec<NewJob> = (0..3).map(|index| tagged(&["all"], new_job(index))).collect();
        store.job_insert_many(&new).await.unwrap();
        store.job_apply_events(&[batch(vec![finished(new[1].id, 1)])]).await.unwrap();
        let at = |seconds: i64| (Utc::now() + TimeDelta::seconds(seconds)).to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        let (past, future) = (at(-100), at(100));
        for (search, expected) in [
            (format!("created>{past} created<{future}"), &[2, 1, 0][..]),
            (format!("created>{future}"), &[]),
            (format!("created<{past}"), &[]),
            (format!("finished>{past}"), &[1]),
            (format!("finished>{past} finished<{future}"), &[1]),
            (format!("finished<{past}"), &[]),
            (format!("tag:all created>{past} finished<{future}"), &[1]),
            (format!("tag:all created>{future}"), &[]),
        ] {
            assert_eq!(found(&store, &new, &search).await, expected, "{search}");
        }
    }

    async fn pages_lead_there_and_back(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let new: Vec<NewJob> = (0..23).map(|index| tagged(&[["odd", "all"][index % 2], "each"], with_input("a", ["default", "mail"][index % 2], json!({"index": index})))).collect();
        store.job_insert_many(&new).await.unwrap();
        store.job_apply_events(&[batch(vec![finished(new[3].id, 1), finished(new[4].id, 1)])]).await.unwrap();
        // By one index, by several parts, and with a look at each row.
        for search in ["", "queue:mail", "state:queued,completed", "index>=5", "queue:mail index>3", "tag:each", "tag:each tag:odd index>3"] {
            let filter: JobFilter = search.parse().unwrap();
            let mut there = Vec::new();
            let mut page = store.job_list(&filter, None, 4).await.unwrap();
            assert_eq!((page.previous, page.searched_to), (None, None));
            while let Some(next) = page.next {
                there.push(page.jobs);
                page = store.job_list(&filter, Some(next), 4).await.unwrap();
            }
            let mut before = page.previous;
            while let Some(than) = before {
                let page = store.job_list_newer(&filter, than, 4).await.unwrap();
                assert_eq!(Some(page.jobs), there.pop(), "{search}");
                assert!(page.next.is_some());
                before = page.previous;
            }
            assert!(there.is_empty(), "{search}");
        }
    }

    async fn a_search_that_finds_little_goes_on_where_it_stopped(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let first = new_job(1_000_000);
        store.job_insert_many(std::slice::from_ref(&first)).await.unwrap();
        for _ in 0..25 {
            let many: Vec<NewJob> = (0..1_000).map(new_job).collect();
            store.job_insert_many(&many).await.unwrap();
        }
        let filter: JobFilter = "index:1000000".parse().unwrap();
        let page = store.job_list(&filter, None, 10).await.unwrap();
        assert!(page.jobs.is_empty() && page.searched_to.is_some());
        let page = store.job_list(&filter, page.next, 10).await.unwrap();
        assert_eq!(page.jobs.iter().map(|job| job.id).collect::<Vec<_>>(), [first.id]);
        assert_eq!((page.next, page.searched_to), (None, None));
        // The way back passes the same rows.
        let page = store.job_list_newer(&filter, first.id, 10).await.unwrap();
        assert!(page.jobs.is_empty() && page.previous.is_some() && page.searched_to.is_some());
        let page = store.job_list_newer(&filter, page.previous.unwrap(), 10).await.unwrap();
        assert_eq!((page.jobs.len(), page.previous), (0, None));
        let newest = store.job_list(&"index>=0".parse().unwrap(), None, 10).await.unwrap();
        assert_eq!((newest.jobs.len(), newest.searched_to), (10, None), "a full page does not care how far it came");
    }

    async fn tags_are_shown_found_and_listed(kind) {
        let server = TestServer::idle(kind).await;
        let call = async |index: u64, tags: Value| {
            let body = json!({"input": {"index": index}, "tags": tags}).to_string();
            server.post("/api/v1/functions/fibonacci/jobs", body).await
        };
        let made = call(1, json!(["customer:17", "nightly", "customer:17"])).await;
        assert_eq!(made.status, 202);
        assert_eq!(made.json()["tags"], json!(["customer:17", "nightly"]));
        assert_eq!(call(2, json!(["customer:18"])).await.status, 202);
        assert_eq!(call(3, json!(null)).await.json()["tags"], json!([]));
        let problem = call(4, json!(["customer 17"])).await.problem(422, "invalid_input");
        assert_eq!(problem["errors"][0]["field"], "/tags/0");

        let listed = server.get("/api/v1/jobs?tag=customer:17").await.json();
        assert_eq!(listed["jobs"].as_array().unwrap().len(), 1);
        assert_eq!(listed["jobs"][0]["tags"], json!(["customer:17", "nightly"]));
        let both = server.get("/api/v1/jobs?tag=customer:17&q=tag:customer:18").await.json();
        assert_eq!(both["jobs"], json!([]));
        server.get("/api/v1/jobs?tag=a,b").await.problem(400, "invalid_parameter");

        let tags = async |query: &str| server.get(&format!("/api/v1/tags{query}")).await.json()["tags"].clone();
        assert_eq!(tags("").await, json!(["customer:17", "customer:18", "nightly"]));
        assert_eq!(tags("?prefix=customer:").await, json!(["customer:17", "customer:18"]));
        assert_eq!(tags("?prefix=n&limit=1").await, json!(["nightly"]));
        assert_eq!(tags("?prefix=x").await, json!([]));
    }

    async fn the_api_searches(kind) {
        let server = TestServer::idle(kind).await;
        for index in [90, 91, 92] {
            let body = json!({"input": {"index": index}}).to_string();
            assert_eq!(server.post("/api/v1/functions/fibonacci/jobs", body).await.status, 202);
        }
        let indexes = async |query: &str| {
            let answer = server.get(&format!("/api/v1/jobs?{query}")).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            let jobs = answer.json()["jobs"].as_array().unwrap().clone();
            jobs.iter().map(|job| job["input"]["index"].as_u64().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(indexes("q=index%3E90").await, [92, 91]);
        assert_eq!(indexes("q=index:91&function=fibonacci&queue=default&state=queued,running").await, [91]);
        assert_eq!(indexes("created_before=2026-01-01T00:00:00Z").await, [0; 0]);
        assert_eq!(indexes("error=nothing&worker=nobody").await, [0; 0]);
        let page = server.get("/api/v1/jobs?limit=1").await.json();
        assert_eq!(page.get("previous_cursor"), None);
        let page = server.get(&format!("/api/v1/jobs?limit=1&cursor={}", page["next_cursor"].as_str().unwrap())).await.json();
        assert_eq!(page["jobs"][0]["input"]["index"], 91);
        assert_eq!(indexes(&format!("before={}", page["previous_cursor"].as_str().unwrap())).await, [92]);

        for (query, field, says) in [
            ("q=state:done", "q", "character 7: "),
            ("q=%22", "q", "character 1: "),
            ("q=a%00", "q", "U+0000"),
            ("error=a%00", "error", "U+0000"),
            ("function=a%00", "function", "U+0000"),
            ("worker=%00", "worker", "U+0000"),
            ("function=a&q=function:b", "function", "q as well"),
            ("state=dead,done", "state", "is not a state"),
            ("created_from=now", "created_from", "must be a time"),
            ("cursor=01JD3Y8M5Q2W7E9R4T6Y1P0A2S&before=01JD3Y8M5Q2W7E9R4T6Y1P0A2S", "before", "one of them"),
        ] {
            let problem = server.get(&format!("/api/v1/jobs?{query}")).await.problem(400, "invalid_parameter");
            let error = &problem["errors"][0];
            assert_eq!(error["field"], field, "{query}: {problem}");
            assert!(error["message"].as_str().unwrap().contains(says), "{query}: {problem}");
        }
    }
}

#[test]
fn states_are_named_in_one_order() {
    let filter: JobFilter = "state:dead,scheduled,dead".parse().unwrap();
    assert_eq!(filter.states, [JobState::Scheduled, JobState::Dead]);
    assert_eq!(filter.to_string(), "state:scheduled,dead");
}
