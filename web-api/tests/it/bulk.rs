//! Actions on all jobs of a search: whoever dies in between, and however many there are.

use std::time::Duration;

use jobs::job::{JobId, JobState};
use jobs::queue::events::{AttemptError, ErrorKind, JobEvent, Outcome};
use reqwest::Method;
use serde_json::{Value, json};
use web_api::db::Store;
use web_api::db::bulk_actions::{Action, ActionState, BulkAction, Step};
use web_api::db::jobs::NewJob;
use web_api::domain::job_filter::JobFilter;
use web_api::services::batch_closer::DirtyBatches;
use web_api::services::bulk_actions::{Actions, Bulk, BulkSettings};

use crate::support::roles::Role;
use crate::support::server::{ApiResponse, TestServer};
use crate::support::{TestEnv, batch, ended, eventually, new_job, on_both_databases};

/// A process that works on actions, and the way to begin one.
fn process(env: &TestEnv, settings: BulkSettings) -> (Actions, Role) {
    let bulk = Bulk {
        store: env.store.clone(),
        queues: env.queues.clone(),
        names: vec![env.queue.clone()],
        windows: env.windows.clone(),
        dirty: DirtyBatches::default(),
        settings,
    };
    let mut actions = None;
    let role = Role::start(|stop| {
        let (way_in, role) = Actions::new(bulk, stop);
        actions = Some(way_in);
        role
    });
    (actions.unwrap(), role)
}

fn settings() -> BulkSettings {
    BulkSettings {
        lease: Duration::from_secs(2),
        tick: Duration::from_millis(100),
        ..BulkSettings::default()
    }
}

fn dead(id: JobId) -> JobEvent {
    let error = AttemptError {
        kind: ErrorKind::Error,
        message: "refused".to_owned(),
    };
    ended(id, 1, Outcome::Dead { error })
}

async fn dead_jobs(store: &Store, count: u64) -> Vec<NewJob> {
    let new: Vec<NewJob> = (0..count).map(new_job).collect();
    for some in new.chunks(1_000) {
        store.job_insert_many(some).await.unwrap();
        let events = some.iter().map(|job| dead(job.id)).collect();
        store.job_apply_events(&[batch(events)]).await.unwrap();
    }
    new
}

async fn until(store: &Store, id: JobId, is: impl Fn(&BulkAction) -> bool + Send + Sync) -> BulkAction {
    eventually("the action is so far", || async {
        let action = store.job_action_get(id).await.unwrap().unwrap();
        is(&action).then_some(action)
    })
    .await
}

on_both_databases! {
    async fn five_thousand_jobs_run_again_though_a_process_dies_in_the_middle(kind) {
        let env = TestEnv::new(kind).await;
        let new = dead_jobs(&env.store, 5_000).await;
        let slow = BulkSettings { pause: Duration::from_millis(200), ..settings() };
        let (actions, first) = process(&env, slow);
        let filter: JobFilter = "function:fibonacci".parse().unwrap();
        let begun = actions.start(Action::Retry, &filter).await.unwrap().unwrap();
        assert_eq!((begun.total.jobs, begun.total.exact), (5_000, true));
        until(&env.store, begun.id, |action| action.seen >= 1_000).await;
        // In the middle of whatever it does.
        drop(first);
        // Two take over, one of which gets it.
        let (_, second) = process(&env, settings());
        let (_, third) = process(&env, settings());
        let done = until(&env.store, begun.id, |action| action.state == ActionState::Finished).await;
        assert!((4_500..=5_000).contains(&done.changed) && done.changed <= done.seen, "{done:?}");
        for some in new.chunks(1_000) {
            let ids: Vec<JobId> = some.iter().map(|job| job.id).collect();
            for job in env.store.job_get_many(&ids).await.unwrap() {
                assert_eq!((job.state, job.max_attempts), (JobState::Queued, 4), "once");
            }
        }
        second.stop().await;
        third.stop().await;
    }

    async fn one_process_has_an_action_until_its_lease_is_over(kind) {
        let env = TestEnv::new(kind).await;
        dead_jobs(&env.store, 1).await;
        let (actions, role) = process(&env, settings());
        role.stop().await;
        let begun = actions.start(Action::Delete, &JobFilter::default()).await.unwrap().unwrap();
        let lease = Duration::from_millis(300);
        let claim = async |owner: &str| env.store.job_action_claim(owner, lease).await.unwrap().map(|action| action.id);
        assert_eq!(claim("a").await, Some(begun.id));
        assert_eq!(claim("b").await, None);
        eventually("the lease is over", || async { claim("b").await }).await;
        let step = Step { seen: 1, changed: 1, next: None };
        assert!(!env.store.job_action_step(begun.id, "a", step, lease).await.unwrap(), "it is b's");
        assert!(env.store.job_action_step(begun.id, "b", step, lease).await.unwrap());
        let action = env.store.job_action_get(begun.id).await.unwrap().unwrap();
        assert_eq!((action.state, action.seen, action.changed), (ActionState::Finished, 1, 1));
        assert_eq!(claim("c").await, None, "it has ended");
    }

    async fn an_action_that_cannot_go_on_lets_others_have_their_turn(kind) {
        let env = TestEnv::new(kind).await;
        dead_jobs(&env.store, 1).await;
        let (actions, role) = process(&env, settings());
        role.stop().await;
        let mut begun = Vec::new();
        for _ in 0..2 {
            begun.push(actions.start(Action::Delete, &JobFilter::default()).await.unwrap().unwrap().id);
        }
        let lease = Duration::from_mins(1);
        let claim = async || env.store.job_action_claim("a", lease).await.unwrap().map(|action| action.id);
        assert_eq!(claim().await, Some(begun[0]));
        env.store.job_action_give_back(begun[0], "a", Duration::from_secs(5)).await.unwrap();
        assert_eq!(claim().await, Some(begun[1]));
        assert_eq!(claim().await, None);
        eventually("it has rested", async || (claim().await == Some(begun[0])).then_some(())).await;
    }

    /// What is stored is longer than what was asked for: it names the states.
    async fn the_longest_filter_can_be_worked_on_and_told(kind) {
        let server = TestServer::idle(kind).await;
        let filter = format!("function:fibonacci \"{}\"", "a".repeat(1_979));
        let body = json!({"action": "cancel", "filter": filter}).to_string();
        let answer = server.post("/api/v1/jobs/actions", body).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        let path = format!("/api/v1/jobs/actions/{}", answer.json()["id"].as_str().unwrap());
        eventually("it has ended", async || (server.get(&path).await.json()["state"] == "finished").then_some(())).await;
        let list = server.get("/api/v1/jobs/actions").await;
        assert_eq!(list.status, 200, "{}", list.text);
        let longer = json!({"action": "cancel", "filter": format!("{filter}a")}).to_string();
        assert_eq!(server.post("/api/v1/jobs/actions", longer).await.status, 422);
    }

    async fn as_many_as_can_be_picked_by_hand(kind) {
        let env = TestEnv::new(kind).await;
        let new = dead_jobs(&env.store, 1_200).await;
        let (actions, role) = process(&env, settings());
        let filter = JobFilter { ids: new[..1_000].iter().map(|job| job.id).collect(), ..JobFilter::default() };
        let begun = actions.start(Action::Delete, &filter).await.unwrap().unwrap();
        assert_eq!(begun.total.jobs, 1_000);
        let done = until(&env.store, begun.id, |action| action.state == ActionState::Finished).await;
        assert_eq!((done.seen, done.changed), (1_000, 1_000));
        let told = web_api::http::dto::bulk_actions::BulkAction::from(done).filter;
        assert!(told.starts_with("id:") && told.ends_with('…') && told.chars().count() == 2_001, "{told}");
        let left = env.store.job_list(&JobFilter::default(), None, 500).await.unwrap().jobs;
        assert_eq!(left.len(), 200);
        role.stop().await;
    }

    async fn a_stopped_action_leaves_the_rest_alone(kind) {
        let env = TestEnv::new(kind).await;
        dead_jobs(&env.store, 60).await;
        let slow = BulkSettings { chunk: 10, pause: Duration::from_millis(300), ..settings() };
        let (actions, role) = process(&env, slow);
        let begun = actions.start(Action::Delete, &JobFilter::default()).await.unwrap().unwrap();
        until(&env.store, begun.id, |action| action.seen > 0).await;
        env.store.job_action_stop(begun.id).await.unwrap();
        // The role is free for another one only when it has left the stopped one.
        let next = actions.start(Action::Delete, &"index:0".parse().unwrap()).await.unwrap().unwrap();
        until(&env.store, next.id, |action| action.state == ActionState::Finished).await;
        role.stop().await;
        let action = env.store.job_action_get(begun.id).await.unwrap().unwrap();
        assert_eq!(action.state, ActionState::Stopped);
        let left = env.store.job_list(&JobFilter::default(), None, 100).await.unwrap().jobs.len();
        assert!((1..60).contains(&left), "{left}");
    }

    async fn the_api_counts_begins_and_tells(kind) {
        let server = TestServer::idle(kind).await;
        for index in 0..12 {
            let body = json!({"input": {"index": index}, "delay_seconds": if index % 2 == 0 { 3600 } else { 20 }});
            assert_eq!(server.post("/api/v1/functions/fibonacci/jobs", body.to_string()).await.status, 202);
        }
        let act = async |body: Value| server.post("/api/v1/jobs/actions", body.to_string()).await;
        let filter = "index<10";
        let counted = act(json!({"action": "cancel", "filter": filter, "dry_run": true})).await;
        assert_eq!((counted.status.as_u16(), counted.json()), (200, json!({"jobs": 10, "exact": true})));
        let done = async |body: Value| {
            let begun = act(body).await;
            assert_eq!(begun.status, 202, "{}", begun.text);
            eventually("the action has finished", || async {
                let action = server.get(begun.header("location")).await.json();
                (action["state"] == "finished").then_some(action)
            })
            .await
        };
        let action = done(json!({"action": "cancel", "filter": filter})).await;
        assert_eq!((&action["total"], &action["seen"], &action["changed"]), (&json!(10), &json!(10), &json!(10)));
        eventually("they are cancelled", || async {
            let page = server.get("/api/v1/jobs?state=cancelled").await.json();
            (page["jobs"].as_array().unwrap().len() == 10).then_some(())
        })
        .await;
        let action = done(json!({"action": "retry", "filter": "index<3"})).await;
        assert_eq!((&action["filter"], &action["changed"]), (&json!("state:dead,cancelled index<3"), &json!(3)));
        let action = done(json!({"action": "delete", "filter": "", "all": true})).await;
        assert_eq!(action["changed"], 7);
        assert_eq!(server.get("/api/v1/jobs").await.json()["jobs"].as_array().unwrap().len(), 5);
        let left = server.get("/api/v1/jobs?limit=2").await.json()["jobs"].clone();
        let ids = json!([left[0]["id"], left[1]["id"], left[0]["id"], JobId::new()]);
        assert_eq!(act(json!({"action": "cancel", "ids": ids, "dry_run": true})).await.json()["jobs"], 2);
        let action = done(json!({"action": "cancel", "ids": ids})).await;
        assert_eq!((&action["total"], &action["changed"]), (&json!(2), &json!(2)));
        // Nothing that could be deleted.
        assert_eq!(done(json!({"action": "delete", "filter": "state:running"})).await["total"], 0);
        let list = server.get("/api/v1/jobs/actions").await.json();
        let names: Vec<&Value> = list["actions"].as_array().unwrap().iter().map(|action| &action["action"]).collect();
        assert_eq!(names, ["delete", "cancel", "delete", "retry", "cancel"]);
        let path = format!("/api/v1/jobs/actions/{}", list["actions"][0]["id"].as_str().unwrap());
        let stopped = ApiResponse::of(server.request(Method::DELETE, &path)).await;
        assert_eq!((stopped.status.as_u16(), &stopped.json()["state"]), (200, &json!("finished")), "it had ended");

        for (body, field) in [
            (json!({"filter": ""}), "/action"),
            (json!({"action": "retry"}), "/filter"),
            (json!({"action": "explode", "filter": ""}), "/action"),
            (json!({"action": "retry", "filter": "state:done"}), "/filter"),
            (json!({"action": "retry", "filter": ""}), "/filter"),
            (json!({"action": "delete", "filter": "  ", "all": false}), "/filter"),
            (json!({"action": "retry", "filter": "", "all": "yes"}), "/all"),
            (json!({"action": "retry", "ids": ids, "all": true}), "/all"),
            (json!({"action": "retry", "filter": "", "ids": ids}), "/ids"),
            (json!({"action": "retry", "ids": []}), "/ids"),
            (json!({"action": "retry", "ids": "all"}), "/ids"),
            (json!({"action": "retry", "ids": [JobId::new(), "x"]}), "/ids/1"),
        ] {
            let problem = act(body).await.problem(422, "invalid_input");
            assert_eq!(problem["errors"][0]["field"], field);
        }
        let counted = act(json!({"action": "retry", "filter": "", "dry_run": true})).await;
        assert_eq!(counted.status, 200, "counting harms nobody");
        server.get("/api/v1/jobs/actions/nothing").await.problem(404, "unknown_action");
    }
}
