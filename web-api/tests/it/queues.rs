//! Queues over HTTP: how full they are, what they allow, pause and resume; and that their limits outlive Redis.

use jobs::catalog::{Catalog, FunctionSettings};
use jobs::job::{JobId, QueueName};
use jobs::queue::Limits;
use serde_json::{Value, json};

use crate::support::roles::Counted;
use crate::support::server::TestServer;
use crate::support::{TestDatabase, eventually, on_both_databases};

const QUEUES: &str = "/api/v1/queues";
const DEFAULT: &str = "/api/v1/queues/default";

fn id(job: &Value) -> &str {
    job["id"].as_str().unwrap()
}

/// With the queue `mail` beside the standard one.
async fn with_mail(kind: TestDatabase) -> TestServer {
    let functions = FunctionSettings {
        queues: "default:3,mail:2".parse().unwrap(),
        ..FunctionSettings::default()
    };
    TestServer::with_functions(kind, Catalog::new(&functions).unwrap(), |_| ()).await
}

/// With a function whose jobs end when the test says so.
async fn gated(kind: TestDatabase) -> (TestServer, Counted) {
    let counted = Counted::gated();
    let catalog = Catalog::empty().with(counted.clone()).unwrap();
    let server = TestServer::with_functions(kind, catalog, |_| ()).await;
    server.start_worker();
    (server, counted)
}

async fn call_many(server: &TestServer, count: u64) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..count {
        let job = server
            .call("counted", &json!({"input": {"number": number}}))
            .await;
        ids.push(id(&job).to_owned());
    }
    ids
}

fn runs(counted: &Counted, ids: &[String]) -> u32 {
    ids.iter()
        .map(|id| counted.runs(id.parse::<JobId>().unwrap()))
        .sum()
}

async fn until(server: &TestServer, running: u64, queued: u64) {
    eventually(&format!("{running} run and {queued} wait"), || async {
        let queue = server.get(DEFAULT).await.json();
        (queue["running"] == running && queue["queued"] == queued).then_some(())
    })
    .await;
}

/// What Redis says; `None` while it is away.
async fn limits(server: &TestServer) -> Option<Limits> {
    let queues = server.queues().await;
    queues.limits(&QueueName::standard()).await.ok()
}

on_both_databases! {
    async fn queues_are_told_with_what_they_hold_and_allow(database) {
        let server = with_mail(database).await;
        let free = |name: &str, weight: u32| json!({
            "name": name, "weight": weight, "paused": false, "concurrency": null, "rate": null, "backlog_limit": null,
            "queued": 0, "scheduled": 0, "retrying": 0, "running": 0, "workers": 0,
        });
        let list = server.get(QUEUES).await.json();
        assert_eq!(list, json!({"queues": [free("default", 3), free("mail", 2)]}));

        server.call("echo", &json!({"input": 1, "queue": "mail"})).await;
        server.call("echo", &json!({"input": 1, "queue": "mail", "delay_seconds": 30})).await;
        // Far off: SQL keeps it, and Redis knows nothing of it.
        server.call("echo", &json!({"input": 1, "queue": "mail", "delay_seconds": 30_000})).await;
        let mail = eventually("all are counted", || async {
            let mail = server.get("/api/v1/queues/mail").await.json();
            (mail["queued"] == 1 && mail["scheduled"] == 2).then_some(mail)
        })
        .await;
        assert_eq!((&mail["name"], &mail["running"]), (&json!("mail"), &json!(0)));
        assert_eq!(server.get(DEFAULT).await.json(), free("default", 3), "each has its own");
        for path in ["/api/v1/queues/nothing", "/api/v1/queues/Mail"] {
            server.get(path).await.problem(404, "unknown_queue");
            server.patch(path, &json!({"paused": true})).await.problem(404, "unknown_queue");
            for action in ["pause", "resume"] {
                server.post(&format!("{path}/{action}"), "").await.problem(404, "unknown_queue");
            }
        }
    }

    async fn limits_are_set_one_by_one_and_taken_away(database) {
        let server = with_mail(database).await;
        let set = async |body: Value| {
            let answer = server.patch(DEFAULT, &body).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            let queue = answer.json();
            assert_eq!(server.get(DEFAULT).await.json(), queue, "it stays so");
            (queue["paused"].clone(), queue["concurrency"].clone(), queue["rate"].clone())
        };
        let rate = json!({"jobs": 10, "period_seconds": 2.5, "burst": 10});
        assert_eq!(set(json!({"concurrency": 7})).await, (json!(false), json!(7), Value::Null));
        let asked = json!({"rate": {"jobs": 10, "period_seconds": 2.5}, "paused": true});
        assert_eq!(set(asked).await, (json!(true), json!(7), rate.clone()));
        assert_eq!(set(json!({})).await, (json!(true), json!(7), rate.clone()));
        assert_eq!(set(json!({"concurrency": null, "paused": null})).await, (json!(true), Value::Null, rate));
        let quick = json!({"jobs": 1, "period_seconds": 0.001, "burst": 1_000_000});
        assert_eq!(set(json!({"rate": quick})).await, (json!(true), Value::Null, quick));
        assert!(limits(&server).await.unwrap().rate.is_some(), "the workers are told");
        assert_eq!(set(json!({"rate": null, "paused": false})).await, (json!(false), Value::Null, Value::Null));
        assert_eq!(limits(&server).await, Some(Limits::default()));
        assert_eq!(server.get("/api/v1/queues/mail").await.json()["paused"], false, "each has its own");
    }

    async fn bad_limits_are_refused_with_their_place_and_change_nothing(database) {
        let server = with_mail(database).await;
        server.patch(DEFAULT, &json!({"concurrency": 7})).await;
        let before = server.get(DEFAULT).await.json();
        let whole = "must be a whole number from 1 to 1,000,000";
        let period = "must be a number from 0.001 to 86400";
        for (body, field, message) in [
            (json!({"concurrency": 0}), "/concurrency", whole),
            (json!({"concurrency": 1.5}), "/concurrency", whole),
            (json!({"concurrency": "3"}), "/concurrency", whole),
            (json!({"concurrency": 1_000_001}), "/concurrency", whole),
            (json!({"paused": "yes"}), "/paused", "must be true or false"),
            (json!({"rate": 5}), "/rate", "must be an object"),
            (json!({"rate": {"period_seconds": 1}}), "/rate/jobs", "is missing"),
            (json!({"rate": {"jobs": 1}}), "/rate/period_seconds", "is missing"),
            (json!({"rate": {"jobs": 0, "period_seconds": 1}}), "/rate/jobs", whole),
            (json!({"rate": {"jobs": 1, "period_seconds": 0}}), "/rate/period_seconds", period),
            (json!({"rate": {"jobs": 1, "period_seconds": 86_401}}), "/rate/period_seconds", period),
            (json!({"rate": {"jobs": 1, "period_seconds": 1, "burst": 0}}), "/rate/burst", whole),
            (
                json!({"rate": {"jobs": 1, "period_seconds": 1, "per": "day"}}),
                "/rate/per",
                "is not known here; the fields are: jobs, period_seconds, burst",
            ),
            (json!({"colour": 1}), "/colour", "is not known here; the fields are: paused, concurrency, rate, backlog_limit"),
            // What is good in it is not done either.
            (json!({"concurrency": 3, "paused": 1}), "/paused", "must be true or false"),
        ] {
            let problem = server.patch(DEFAULT, &body).await.problem(422, "invalid_input");
            assert_eq!(problem["errors"], json!([{"field": field, "message": message}]), "{body}");
        }
        let request = server.request(reqwest::Method::PATCH, DEFAULT).header("content-type", "application/json");
        crate::support::server::ApiResponse::of(request.body("{")).await.problem(400, "invalid_json");
        assert_eq!(server.get(DEFAULT).await.json(), before);
    }

    async fn a_paused_queue_runs_nothing_and_goes_on_where_it_was(database) {
        let server = with_mail(database).await;
        for _ in 0..2 {
            let answer = server.post(&format!("{DEFAULT}/pause"), "").await;
            assert_eq!((answer.status.as_u16(), &answer.json()["paused"]), (200, &json!(true)));
        }
        server.start_worker();
        let waiting = server.call("echo", &json!({"input": 1})).await;
        server.until_in_redis(1).await;
        // The same worker, which therefore looks into both queues, runs what is in the other one.
        for number in 0..20 {
            let other = server.call("echo", &json!({"input": number, "queue": "mail"})).await;
            server.job_in_state(id(&other), "completed").await;
        }
        assert_eq!(server.get(&format!("/api/v1/jobs/{}", id(&waiting))).await.json()["state"], "queued");
        let answer = server.post(&format!("{DEFAULT}/resume"), "").await;
        assert_eq!((answer.status.as_u16(), &answer.json()["paused"]), (200, &json!(false)));
        server.job_in_state(id(&waiting), "completed").await;
    }

    async fn no_more_run_at_the_same_time_than_are_allowed(database) {
        let (server, counted) = gated(database).await;
        server.patch(DEFAULT, &json!({"concurrency": 2})).await;
        // A Redis that is slow at this moment gets it a little later.
        eventually("Redis knows the limit", || async {
            limits(&server).await.filter(|limits| limits.concurrency == Some(2))
        })
        .await;
        let ids = call_many(&server, 6).await;
        until(&server, 2, 4).await;
        assert_eq!(runs(&counted, &ids), 2);
        // A limit that is raised counts at once, also for what runs.
        server.patch(DEFAULT, &json!({"concurrency": 5})).await;
        until(&server, 5, 1).await;
        assert_eq!(runs(&counted, &ids), 5);
        counted.open(6);
        for id in &ids {
            server.job_in_state(id, "completed").await;
        }
    }

    async fn no_more_begin_in_a_time_than_are_allowed(database) {
        let (server, counted) = gated(database).await;
        counted.open(5);
        server.patch(DEFAULT, &json!({"rate": {"jobs": 1, "period_seconds": 86_400, "burst": 2}})).await;
        let ids = call_many(&server, 5).await;
        for id in &ids[..2] {
            server.job_in_state(id, "completed").await;
        }
        // Nothing but the rate holds the others back: without it they run.
        assert_eq!(runs(&counted, &ids), 2);
        server.patch(DEFAULT, &json!({"rate": null})).await;
        for id in &ids[2..] {
            server.job_in_state(id, "completed").await;
        }
    }

    async fn changes_at_the_same_moment_do_not_undo_each_other(database) {
        let server = with_mail(database).await;
        for most in 1..=20 {
            let paused = most % 2 == 0;
            let action = format!("{DEFAULT}/{}", if paused { "pause" } else { "resume" });
            let concurrency = json!({"concurrency": most});
            let (one, other) = tokio::join!(server.patch(DEFAULT, &concurrency), server.post(&action, ""));
            assert_eq!((one.status.as_u16(), other.status.as_u16()), (200, 200));
            let queue = server.get(DEFAULT).await.json();
            assert_eq!((&queue["paused"], &queue["concurrency"]), (&json!(paused), &json!(most)));
        }
    }

    async fn limits_come_into_a_redis_that_is_empty(database) {
        let server = with_mail(database).await;
        server.patch(DEFAULT, &json!({"concurrency": 3, "rate": {"jobs": 5, "period_seconds": 60}})).await;
        server.post(&format!("{DEFAULT}/pause"), "").await;
        let wanted = limits(&server).await.unwrap();
        assert!(wanted.paused && wanted.concurrency == Some(3) && wanted.rate.is_some());
        server.redis.wipe();
        let again = async || (limits(&server).await == Some(wanted)).then_some(());
        eventually("Redis has the limits again", again).await;

        // One that is set while Redis is away counts from when it is back.
        server.redis.kill();
        let answer = server.post(&format!("{DEFAULT}/resume"), "").await;
        answer.problem(503, "unavailable");
        server.redis.launch();
        let wanted = Limits { paused: false, ..wanted };
        let changed = async || (limits(&server).await == Some(wanted)).then_some(());
        eventually("Redis has the new limits", changed).await;
    }
}
