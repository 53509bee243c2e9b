//! What a job tells of itself: its attempts, how far it is, and the lines that its function logged.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use jobs::{
    backoff::Backoff,
    catalog::Catalog,
    context::JobContext,
    function::{Function, JobError, Policy},
};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::support::server::TestServer;
use crate::support::{TestDatabase, eventually, on_both_databases};

const LINES_MAX: usize = 200;
const LINE_MAX: usize = 1_000;

/// Says how far it is and logs; fails, panics, then completes. Each attempt waits half-way until the test lets it go on.
#[derive(Clone)]
struct Chatty(Arc<Semaphore>);

impl Function for Chatty {
    const NAME: &'static str = "chatty";
    const DESCRIPTION: &'static str = "Talks.";
    type Input = Value;
    type Output = &'static str;

    fn policy(&self) -> Policy {
        Policy {
            backoff: Backoff::Fixed(Vec::new()),
            ..Policy::default()
        }
    }

    async fn run(&self, context: JobContext, _: Value) -> Result<&'static str, JobError> {
        let attempt = context.attempt;
        context.log(format!("attempt {attempt} begins"));
        if attempt < 3 {
            context.progress(f64::from(attempt) / 4.0);
        }
        self.0.acquire().await?.forget();
        context.log(format!("attempt {attempt} ends"));
        match attempt {
            1 => Err(JobError::retry("no luck")),
            2 => panic!("fell over"),
            _ => Ok("done"),
        }
    }
}

/// Logs more, and longer lines, than are kept.
struct Flood;

impl Function for Flood {
    const NAME: &'static str = "flood";
    const DESCRIPTION: &'static str = "Logs without end.";
    type Input = Value;
    type Output = ();

    async fn run(&self, context: JobContext, _: Value) -> Result<(), JobError> {
        for line in 0..LINES_MAX * 3 {
            context.log(format!("{line} {}", "ä".repeat(LINE_MAX * 2)));
        }
        Ok(())
    }
}

fn id(job: &Value) -> &str {
    job["id"].as_str().unwrap()
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

async fn start(kind: TestDatabase) -> (TestServer, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let catalog = Catalog::empty().with(Chatty(Arc::clone(&gate))).unwrap();
    let server = TestServer::with_functions(kind, catalog.with(Flood).unwrap(), |_| ()).await;
    server.start_worker();
    (server, gate)
}

async fn lines(server: &TestServer, id: &str) -> Vec<Value> {
    let answer = server.get(&format!("/api/v1/jobs/{id}/logs")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["lines"].as_array().unwrap().clone()
}

/// The job once it runs this attempt, and has said how far it is.
async fn running(server: &TestServer, id: &str, attempt: u32, progress: f64) -> Value {
    eventually(&format!("attempt {attempt} is at {progress}"), || async {
        let job = server.get(&format!("/api/v1/jobs/{id}")).await.json();
        let there = job["state"] == "running" && job["attempt"] == attempt && job["progress"] == progress;
        there.then_some(job)
    })
    .await
}

on_both_databases! {
    async fn a_job_tells_of_all_its_attempts_and_how_far_it_is(database) {
        let (server, gate) = start(database).await;
        let job = server.call("chatty", &json!({"input": null})).await;
        let id = id(&job);
        assert_eq!(job["progress"], Value::Null);
        let job = running(&server, id, 1, 0.25).await;
        let attempt = &job["attempts"][0];
        assert_eq!((&attempt["number"], &attempt["finished_at"], &attempt["error"]), (&json!(1), &Value::Null, &Value::Null));
        assert_eq!(time(&attempt["started_at"]), time(&job["started_at"]));
        gate.add_permits(1);
        running(&server, id, 2, 0.5).await;
        gate.add_permits(1);
        // The third one says nothing, and what the second one said is not true of it.
        let job = running(&server, id, 3, 0.0).await;
        assert_eq!(job["attempts"].as_array().unwrap().len(), 3);
        gate.add_permits(1);

        let job = server.job_in_state(id, "completed").await;
        assert_eq!((&job["output"], &job["error"], &job["attempt"]), (&json!("done"), &Value::Null, &json!(3)));
        assert_eq!(job["progress"], 0.0);
        let attempts = job["attempts"].as_array().unwrap();
        let numbers: Vec<&Value> = attempts.iter().map(|attempt| &attempt["number"]).collect();
        assert_eq!(numbers, [1, 2, 3]);
        assert_eq!(attempts[0]["error"], json!({"kind": "error", "message": "no luck"}));
        assert_eq!(attempts[1]["error"]["kind"], "panic");
        let message = attempts[1]["error"]["message"].as_str().unwrap();
        assert!(message.starts_with("fell over (at ") && message.contains("job_detail.rs:"), "{message}");
        assert_eq!(attempts[2]["error"], Value::Null);
        let mut last = time(&job["created_at"]);
        for attempt in attempts {
            assert_eq!(attempt["worker"], attempts[0]["worker"]);
            assert!(attempt["worker"].as_str().is_some_and(|name| !name.is_empty()));
            let (began, ended) = (time(&attempt["started_at"]), time(&attempt["finished_at"]));
            assert!(last <= began && began <= ended, "{job}");
            last = ended;
        }
        assert_eq!(last, time(&job["finished_at"]));
    }

    async fn the_lines_of_all_attempts_are_kept_in_their_order(database) {
        let (server, gate) = start(database).await;
        let job = server.call("chatty", &json!({"input": null})).await;
        let id = id(&job);
        // While it runs, and not only at its end.
        eventually("the first line is there", || async { (!lines(&server, id).await.is_empty()).then_some(()) }).await;
        gate.add_permits(3);
        server.job_in_state(id, "completed").await;
        let lines = lines(&server, id).await;
        let told: Vec<_> = lines
            .iter()
            .map(|line| (line["attempt"].as_u64().unwrap(), line["number"].as_u64().unwrap(), line["text"].as_str().unwrap()))
            .collect();
        assert_eq!(told, [
            (1, 1, "attempt 1 begins"), (1, 2, "attempt 1 ends"),
            (2, 1, "attempt 2 begins"), (2, 2, "attempt 2 ends"),
            (3, 1, "attempt 3 begins"), (3, 2, "attempt 3 ends"),
        ]);
        assert!(lines.is_sorted_by_key(|line| time(&line["at"])));
        server.get("/api/v1/jobs/nothing/logs").await.problem(404, "unknown_job");
    }

    async fn the_lines_of_a_job_are_bounded(database) {
        let (server, _gate) = start(database).await;
        let job = server.call("flood", &json!({"input": null})).await;
        server.job_in_state(id(&job), "completed").await;
        let lines = lines(&server, id(&job)).await;
        assert_eq!(lines.len(), LINES_MAX);
        let text = |line: &Value| line["text"].as_str().unwrap().to_owned();
        assert!(lines.iter().all(|line| text(line).chars().count() <= LINE_MAX));
        assert!(text(&lines[0]).starts_with("0 ä"));
        let last = text(&lines[LINES_MAX - 1]);
        assert!(last.contains("dropped"), "{last}");
    }
}
