//! Schedules over HTTP: making, reading, changing, pausing, running and deleting them, and what is refused.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{Method, Url};
use serde_json::{Value, json};
use web_api::db::schedules::Schedule;
use web_api::domain::catch_up::CatchUp;

use crate::schedules::schedule;
use crate::support::server::{ApiResponse, TestServer};
use crate::support::{TestDatabase, eventually, on_both_databases};

const SCHEDULES: &str = "/api/v1/schedules";

fn daily(name: &str) -> Value {
    json!({"name": name, "cron": "0 8 * * *", "time_zone": "Europe/Berlin", "function": "fibonacci", "input": {"index": 90}})
}

async fn create(server: &TestServer, body: Value) -> Value {
    let answer = server.post(SCHEDULES, body.to_string()).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let schedule = answer.json();
    assert_eq!(answer.header("location"), path(&schedule));
    schedule
}

fn path(schedule: &Value) -> String {
    format!("{SCHEDULES}/{}", schedule["id"].as_str().unwrap())
}

async fn patch(server: &TestServer, path: &str, body: Value) -> ApiResponse {
    ApiResponse::of(server.request(Method::PATCH, path).json(&body)).await
}

/// Reads a path with parameters of any characters.
async fn get_with(server: &TestServer, path: &str, parameters: &[(&str, &str)]) -> ApiResponse {
    let url = Url::parse_with_params(&format!("http://{}{path}", server.address), parameters).unwrap();
    ApiResponse::of(server.client.get(url)).await
}

async fn delete(server: &TestServer, path: &str) -> ApiResponse {
    ApiResponse::of(server.request(Method::DELETE, path)).await
}

fn time(value: &Value) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(value.as_str().unwrap())
        .unwrap()
        .to_utc()
}

/// The fields of a problem with their messages.
fn errors(problem: &Value) -> Vec<(&str, &str)> {
    let errors = problem["errors"].as_array().unwrap();
    errors
        .iter()
        .map(|error| {
            (
                error["field"].as_str().unwrap(),
                error["message"].as_str().unwrap(),
            )
        })
        .collect()
}

on_both_databases! {
    async fn a_schedule_is_made_read_changed_and_deleted(database) {
        let server = TestServer::idle(database).await;
        let made = create(&server, daily("  morning numbers ")).await;
        assert_eq!((&made["name"], &made["description"]), (&json!("morning numbers"), &json!("Every day at 08:00 Europe/Berlin")));
        assert_eq!((&made["catch_up"], &made["paused"], &made["max_attempts"]), (&json!("once"), &json!(false), &Value::Null));
        assert_eq!((&made["input"], &made["function"]), (&json!({"index": 90}), &json!("fibonacci")));
        for absent in ["last_at", "last_job_id", "error", "notice"] {
            assert!(made.get(absent).is_some_and(Value::is_null), "{absent} in {made}");
        }
        let times = made["next_times"].as_array().unwrap();
        assert_eq!((times.len(), &times[0]), (5, &made["next_at"]));
        for pair in times.windows(2) {
            let hours = (time(&pair[1]) - time(&pair[0])).num_hours();
            assert!((23..=25).contains(&hours), "{hours} hours between two mornings");
        }
        let wait = time(&times[0]) - Utc::now();
        assert!(wait > TimeDelta::zero() && wait <= TimeDelta::hours(25), "{wait}");
        assert_eq!(server.get(&path(&made)).await.json(), made);

        let changes = json!({"name": "noon", "cron": "@every 90m", "time_zone": "UTC", "input": {"index": 91}, "catch_up": "all", "max_attempts": 3});
        let changed = patch(&server, &path(&made), changes.clone()).await;
        assert_eq!(changed.status, 200, "{}", changed.text);
        let changed = changed.json();
        for (field, value) in changes.as_object().unwrap() {
            assert_eq!(changed[field], *value, "{field}");
        }
        assert_eq!((&changed["id"], &changed["created_at"], &changed["function"]), (&made["id"], &made["created_at"], &made["function"]));
        let wait = time(&changed["next_at"]) - Utc::now();
        assert!(wait > TimeDelta::minutes(89) && wait <= TimeDelta::minutes(90), "{wait}");
        assert_eq!(server.get(&path(&made)).await.json(), changed);
        let cleared = patch(&server, &path(&made), json!({"max_attempts": null})).await.json();
        assert_eq!((&cleared["max_attempts"], &cleared["next_at"]), (&Value::Null, &changed["next_at"]));

        assert_eq!(delete(&server, &path(&made)).await.status, 204);
        delete(&server, &path(&made)).await.problem(404, "unknown_schedule");
        assert_eq!(server.get(SCHEDULES).await.json(), json!({"schedules": [], "next_cursor": null}));
    }

    async fn what_is_paused_makes_no_jobs_and_goes_on_from_now(database) {
        let server = TestServer::idle(database).await;
        let made = create(&server, json!({"name": "a", "cron": "@every 1s", "function": "fibonacci", "input": {"index": 1}, "paused": true})).await;
        assert_eq!((&made["paused"], &made["next_at"]), (&json!(true), &Value::Null));
        assert_eq!(made["next_times"].as_array().unwrap().len(), 5, "what it would be");
        let jobs = format!("/api/v1/jobs?schedule={}", made["id"].as_str().unwrap());
        let count = async || server.get(&jobs).await.json()["jobs"].as_array().unwrap().len();

        let resumed = server.post(&format!("{}/resume", path(&made)), "").await;
        assert_eq!(resumed.status, 200, "{}", resumed.text);
        assert!(resumed.json()["next_at"].is_string() && resumed.json()["paused"] == false);
        eventually("it fires", async || (count().await > 0).then_some(())).await;
        let job = server.get(&jobs).await.json()["jobs"][0].clone();
        assert_eq!((&job["schedule_id"], &job["input"]), (&made["id"], &json!({"index": 1})));
        assert_eq!(server.get("/api/v1/jobs?schedule=01JD3Y8M5Q2W7E9R4T6Y1P0A2S").await.json()["jobs"], json!([]));

        let paused = server.post(&format!("{}/pause", path(&made)), "").await;
        assert_eq!((paused.status.as_u16(), &paused.json()["paused"], &paused.json()["next_at"]), (200, &json!(true), &Value::Null));
        let again = server.post(&format!("{}/pause", path(&made)), "").await;
        assert_eq!(again.json()["updated_at"], paused.json()["updated_at"], "a second time changes nothing");
        let before = count().await;
        // Run by hand all the same, and nothing else happens meanwhile.
        let run = server.post(&format!("{}/run", path(&made)), "").await;
        assert_eq!(run.status, 202, "{}", run.text);
        assert_eq!(run.header("location"), format!("/api/v1/jobs/{}", run.json()["id"].as_str().unwrap()));
        assert_eq!((&run.json()["schedule_id"], count().await), (&made["id"], before + 1));
        let after = server.get(&path(&made)).await.json();
        assert_eq!((&after["last_job_id"], &after["next_at"]), (&run.json()["id"], &Value::Null));
    }

    async fn by_the_clock_and_by_hand_jobs_run_to_their_end(database) {
        let server = TestServer::start(database).await;
        let made = create(&server, json!({"name": "a", "cron": "* * * * * *", "function": "fibonacci", "input": {"index": 90}})).await;
        assert_eq!(made["description"], "Every second");
        let fired = eventually("it has fired", async || {
            let schedule = server.get(&path(&made)).await.json();
            schedule["last_job_id"].is_string().then_some(schedule)
        })
        .await;
        assert!(time(&fired["last_at"]) >= time(&made["next_at"]));
        let job = server.job_in_state(fired["last_job_id"].as_str().unwrap(), "completed").await;
        assert_eq!((&job["output"], &job["schedule_id"]), (&json!("2880067194370816120"), &made["id"]));
        let run = server.post(&format!("{}/run", path(&made)), "").await.json();
        server.job_in_state(run["id"].as_str().unwrap(), "completed").await;
        let called = server.post("/api/v1/functions/fibonacci/jobs?wait=10s", "{\"input\": {\"index\": 1}}").await.json();
        assert!(called.get("schedule_id").is_some_and(Value::is_null), "nobody's schedule");
    }

    async fn the_list_goes_page_by_page_by_name(database) {
        let server = TestServer::idle(database).await;
        for name in ["c", "a", "e & f/ä", "b", "d"] {
            create(&server, daily(name)).await;
        }
        let mut seen = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = get_with(&server, SCHEDULES, &[("limit", "2"), ("cursor", &cursor)]).await.json();
            seen.extend(page["schedules"].as_array().unwrap().iter().map(|schedule| schedule["name"].as_str().unwrap().to_owned()));
            let Some(next) = page["next_cursor"].as_str() else { break };
            next.clone_into(&mut cursor);
        }
        assert_eq!(seen, ["a", "b", "c", "d", "e & f/ä"]);
        server.get(&format!("{SCHEDULES}?limit=501")).await.problem(400, "invalid_parameter");
    }

    async fn each_wrong_field_is_named(database) {
        let server = TestServer::idle(database).await;
        let made = create(&server, daily("a")).await;
        for (field, value, at, message) in [
            ("name", json!(""), "/name", "must have 1 to 100 characters, none of them a control character"),
            ("name", json!("a\nb"), "/name", "must have 1 to 100 characters, none of them a control character"),
            ("name", json!("x".repeat(101)), "/name", "must have 1 to 100 characters, none of them a control character"),
            ("name", json!(5), "/name", "must be a text"),
            ("cron", json!("61 * * * *"), "/cron", "the minute must be 0 to 59, not \"61\""),
            ("cron", json!("0 0 30 2 *"), "/cron", "is never due: none of its months has such a day"),
            ("cron", json!("1--100000000 * * * *"), "/cron", "the minute must be 0 to 59, not \"-100000000\""),
            ("cron", json!("*".repeat(1_000_000)), "/cron", "must have at most 256 bytes"),
            ("time_zone", json!("Berlin"), "/time_zone", "must be a time zone such as UTC, Europe/Berlin or America/New_York, not \"Berlin\""),
            ("function", json!("gone"), "/function", "there is no function named \"gone\""),
            ("input", json!({"index": -1}), "/input/index", "must be a whole number from 0 to 10,000,000"),
            ("input", json!(null), "/input", "must be an object"),
            ("input", json!({"index": 1, "note": "x".repeat(20_000)}), "/input", "must have at most 16 KiB"),
            ("input", json!({"index": 1, "a\u{0}": 1}), "/input/a\u{0}", "must not hold the character U+0000"),
            ("catch_up", json!("never"), "/catch_up", "must be skip, once or all, not \"never\""),
            ("max_attempts", json!(0), "/max_attempts", "must be a whole number from 1 to 100"),
        ] {
            let mut body = daily("b");
            body[field] = value.clone();
            let problem = server.post(SCHEDULES, body.to_string()).await.problem(422, "invalid_input");
            assert_eq!(errors(&problem)[0], (at, message));
            let problem = patch(&server, &path(&made), json!({field: value})).await.problem(422, "invalid_input");
            assert_eq!(errors(&problem)[0], (at, message));
        }
        let problem = server.post(SCHEDULES, "{\"paused\": 1}").await.problem(422, "invalid_input");
        let mut all: Vec<_> = errors(&problem);
        all.sort_unstable();
        assert_eq!(all, [("/cron", "is missing"), ("/function", "is missing"), ("/input", "is missing"), ("/name", "is missing"), ("/paused", "must be true or false")]);
        let problem = patch(&server, &path(&made), json!({"paused": true})).await.problem(422, "invalid_input");
        assert!(errors(&problem)[0].1.starts_with("is not known here"));
        let wrong = json!({"name": "b", "cron": "x", "time_zone": "y", "function": "z", "input": 1});
        let problem = server.post(SCHEDULES, wrong.to_string()).await.problem(422, "invalid_input");
        assert_eq!(errors(&problem).iter().map(|(field, _)| *field).collect::<Vec<_>>(), ["/time_zone", "/cron", "/function"]);
        server.post(SCHEDULES, "nonsense").await.problem(400, "invalid_json");
        assert_eq!(server.get(SCHEDULES).await.json()["schedules"], json!([made]), "nothing was made or changed");
    }

    async fn names_are_unique_and_there_is_a_limit(database) {
        let server = TestServer::start_with(database, |config| config.server.schedules = 2).await;
        let first = create(&server, daily("a")).await;
        let problem = server.post(SCHEDULES, daily("a").to_string()).await.problem(409, "name_taken");
        assert_eq!(errors(&problem), [("/name", "there is a schedule named \"a\" already")]);
        create(&server, daily("b")).await;
        patch(&server, &path(&first), json!({"name": "b"})).await.problem(409, "name_taken");
        assert_eq!(patch(&server, &path(&first), json!({"name": "a"})).await.status, 200, "its own name");
        let problem = server.post(SCHEDULES, daily("c").to_string()).await.problem(409, "too_many_schedules");
        assert!(problem["detail"].as_str().unwrap().starts_with("There are 2 schedules"));
        delete(&server, &path(&first)).await;
        create(&server, daily("c")).await;
    }

    async fn what_is_not_there_cannot_be_used(database) {
        let server = TestServer::idle(database).await;
        for id in ["01JD3Y8M5Q2W7E9R4T6Y1P0A2S", "01jd3y8m5q2w7e9r4t6y1p0a2s", "nothing"] {
            let path = format!("{SCHEDULES}/{id}");
            server.get(&path).await.problem(404, "unknown_schedule");
            patch(&server, &path, json!({"name": "a"})).await.problem(404, "unknown_schedule");
            delete(&server, &path).await.problem(404, "unknown_schedule");
            for action in ["pause", "resume", "run"] {
                server.post(&format!("{path}/{action}"), "").await.problem(404, "unknown_schedule");
            }
        }
    }

    async fn a_schedule_whose_function_is_gone_says_so(database) {
        let server = TestServer::idle(database).await;
        let store = server.database.store().await;
        let gone = Schedule { function: "gone".to_owned(), paused: true, next_at: None, ..schedule("gone", "@daily", CatchUp::Once) };
        let zone = Schedule { time_zone: "Mars/Olympus".to_owned(), paused: true, next_at: None, ..schedule("zone", "@daily", CatchUp::Once) };
        for schedule in [&gone, &zone] {
            store.schedule_insert(schedule).await.unwrap();
        }
        create(&server, daily("good")).await;
        let list = server.get(SCHEDULES).await.json();
        let told: Vec<&Value> = list["schedules"].as_array().unwrap().iter().map(|schedule| &schedule["error"]).collect();
        assert_eq!(told[0], "It cannot run: there is no function named \"gone\".");
        assert_eq!(told[1], &Value::Null);
        assert!(told[2].as_str().unwrap().contains("the time zone must be"), "{}", told[2]);

        let path = format!("{SCHEDULES}/{}", gone.id);
        server.post(&format!("{path}/run"), "").await.problem(409, "schedule_broken");
        server.post(&format!("{SCHEDULES}/{}/resume", zone.id), "").await.problem(409, "schedule_broken");
        // What has nothing to do with it can be changed, and the fault mended.
        assert_eq!(patch(&server, &path, json!({"name": "mended"})).await.status, 200);
        let mended = patch(&server, &path, json!({"function": "fibonacci"})).await.json();
        assert_eq!((&mended["error"], &mended["paused"]), (&Value::Null, &json!(true)));
        assert_eq!(server.post(&format!("{path}/run"), "").await.status, 202);
    }
}

#[tokio::test]
async fn a_cron_text_can_be_tried_out() {
    let server = TestServer::idle(TestDatabase::Sqlite).await;
    let preview = async |query: &[(&str, &str)]| get_with(&server, "/api/v1/schedules/preview", query).await;
    let answer = preview(&[("cron", "30  6 * * mon-fri"), ("time_zone", "Asia/Kathmandu")]).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let body = answer.json();
    assert_eq!(
        (&body["cron"], &body["description"]),
        (
            &json!("30 6 * * mon-fri"),
            &json!("Monday to Friday at 06:30 Asia/Kathmandu")
        )
    );
    let times = body["next_times"].as_array().unwrap();
    assert_eq!(times.len(), 5);
    for next in times {
        assert!(
            time(next) > Utc::now() && next.as_str().unwrap().ends_with("T00:45:00.000Z"),
            "{next}"
        );
    }
    assert_eq!(
        preview(&[("cron", "@every 30s")]).await.json()["time_zone"],
        "UTC"
    );

    for (query, expected) in [
        (
            &[("cron", "0 24 * * *"), ("time_zone", "x")][..],
            &["cron", "time_zone"][..],
        ),
        (&[("cron", ", * * * *")], &["cron"]),
        (&[], &["cron"]),
        (&[("cron", "@daily"), ("zone", "UTC")], &["zone"]),
    ] {
        let problem = preview(query).await.problem(400, "invalid_parameter");
        let fields: Vec<&str> = errors(&problem).iter().map(|(field, _)| *field).collect();
        assert_eq!(fields, expected);
    }
}
