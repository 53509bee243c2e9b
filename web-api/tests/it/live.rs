//! The live feed: everything arrives once, also after a break, and it ends when it should.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::events::EventClient;
use crate::support::server::TestServer;
use crate::support::{TestDatabase, eventually};

const VALUES: &str = "/api/values";

/// Asks for a value and returns the id of the job.
async fn ask(server: &TestServer, index: u64) -> String {
    let answer = server.post(VALUES, json!({"index": index}).to_string()).await;
    answer.json()["job"]["id"].as_str().unwrap().to_owned()
}

/// A server whose live feed has begun, with a worker.
async fn live() -> TestServer {
    let server = TestServer::start(TestDatabase::Sqlite).await;
    server.wait_until_ready().await;
    server
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_clients_see_a_job_go_through_its_states() {
    let server = live().await;
    let mut one = EventClient::begin(&server).await;
    let mut two = EventClient::begin(&server).await;
    let called = server
        .call(
            "fibonacci",
            &json!({"input": {"index": 90}, "tags": ["customer:17"]}),
        )
        .await;
    let id = called["id"].as_str().unwrap().to_owned();
    let queued = one.next_named().await.data;
    assert_eq!(
        (&queued["id"], &queued["state"], &queued["input"]),
        (&json!(id), &json!("queued"), &json!({"index": 90}))
    );
    assert_eq!(queued["tags"], json!(["customer:17"]));
    assert_eq!(one.states_of(&id, "completed").await, ["completed"]);
    assert_eq!(two.states_of(&id, "completed").await, ["queued", "completed"]);
    // What the last patch said is what the job is.
    let id = ask(&server, 91).await;
    let patch = loop {
        let event = one.next_named().await;
        if event.data["state"] == "completed" {
            break event.data;
        }
    };
    let job = server.job_in_state(&id, "completed").await;
    for field in [
        "id",
        "function",
        "queue",
        "state",
        "attempt",
        "started_at",
        "finished_at",
        "output",
        "output_size",
        "output_length",
        "output_preview",
    ] {
        assert_eq!(patch[field], job[field], "{field}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_comes_back_misses_nothing_and_gets_nothing_twice() {
    let server = live().await;
    let mut seen: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut client = EventClient::begin(&server).await;
    let asking = async {
        for index in 0..150 {
            ask(&server, index).await;
        }
    };
    let following = async {
        let mut read = 0;
        while seen.len() < 150
            || seen
                .values()
                .any(|states| states.last().is_none_or(|state| state != "completed"))
        {
            let event = client.next_named().await;
            assert_eq!(event.name, "job");
            let [id, state] = ["id", "state"].map(|name| event.data[name].as_str().unwrap().to_owned());
            seen.entry(id).or_default().push(state);
            read += 1;
            // Only between entries: the browser, too, goes on after the last id that it saw.
            if read % 7 == 0 && event.id.is_some() {
                let last = client.last_id.clone();
                client = EventClient::resume(&server, &last).await;
            }
        }
    };
    tokio::join!(asking, following);
    for (id, mut states) in seen {
        // Told of those that take their time.
        states.retain(|state| state != "running");
        assert_eq!(states, ["queued", "completed"], "{id}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_was_away_gets_what_happened_meanwhile() {
    let server = live().await;
    let client = EventClient::begin(&server).await;
    let last = client.last_id.clone();
    drop(client);
    let id = ask(&server, 90).await;
    server.job_in_state(&id, "completed").await;
    let mut client = EventClient::resume(&server, &last).await;
    assert_eq!(client.states_of(&id, "completed").await, ["queued", "completed"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_clients_that_come_back_need_no_connections_to_redis() {
    let server = live().await;
    let mut client = EventClient::begin(&server).await;
    let last = client.last_id.clone();
    let id = ask(&server, 90).await;
    server.job_in_state(&id, "completed").await;
    client.states_of(&id, "completed").await;
    let connections = || {
        let ever = server.redis.ask("INFO stats");
        let line = ever
            .lines()
            .find_map(|line| line.strip_prefix("total_connections_received:"));
        line.unwrap().trim().parse::<u64>().unwrap()
    };
    let before = connections();
    for _ in 0..50 {
        let mut back = EventClient::resume(&server, &last).await;
        assert_eq!(back.states_of(&id, "completed").await, ["queued", "completed"]);
    }
    // Those of the test itself, and a few of roles that come and go.
    let new = connections() - before;
    assert!(new < 20, "{new} connections for 50 clients");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_position_that_is_not_known_any_more_asks_to_read_again() {
    let server = live().await;
    ask(&server, 1).await;
    for strange in ["default:1-1", "default:99999999999999-0", "nonsense", "%00"] {
        let mut client = EventClient::resume(&server, strange).await;
        let event = client.next_named().await;
        assert_eq!(
            (event.name.as_str(), &event.data),
            ("refresh", &json!({"reason": "expired"})),
            "{strange}"
        );
        assert!(event.id.is_some_and(|id| id.starts_with("default:")));
        let id = ask(&server, 2).await;
        client.states_of(&id, "completed").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_comes_back_empty_asks_to_read_again_and_the_feed_goes_on() {
    let server = live().await;
    let mut client = EventClient::begin(&server).await;
    let id = ask(&server, 1).await;
    client.states_of(&id, "completed").await;
    server.redis.wipe();
    let event = client.next_named().await;
    assert_eq!(
        (event.name.as_str(), &event.data),
        ("refresh", &json!({"reason": "expired"}))
    );
    let id = ask(&server, 2).await;
    client.states_of(&id, "completed").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_restarts_with_its_data_breaks_nothing() {
    let server = live().await;
    let mut client = EventClient::begin(&server).await;
    let before = ask(&server, 1).await;
    client.states_of(&before, "completed").await;
    server.redis.kill();
    server.redis.launch();
    let after = ask(&server, 2).await;
    let event = client.next_named().await;
    assert_eq!((event.name.as_str(), &event.data["id"]), ("job", &json!(after)));
    client.states_of(&after, "completed").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_is_a_limit_to_clients_and_a_place_is_free_again() {
    let server = TestServer::start_with(TestDatabase::Sqlite, |config| config.server.event_clients = 2).await;
    let one = EventClient::begin(&server).await;
    let _two = EventClient::begin(&server).await;
    let full = server.get("/api/v1/events").await;
    full.problem(503, "too_many_clients");
    assert!(!full.header("retry-after").is_empty());
    drop(one);
    eventually("a place is free", || async {
        (EventClient::ask(&server, None).await.status() == 200).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stop_of_the_server_ends_the_feed_and_waiting_calls_at_once() {
    let server = TestServer::idle(TestDatabase::Sqlite).await;
    server.wait_until_ready().await;
    let mut client = EventClient::begin(&server).await;
    let waiting = server
        .request(reqwest::Method::POST, "/api/values?wait=60s")
        .json(&json!({"index": 90}))
        .send();
    let waiting = tokio::spawn(waiting);
    let queued = client.next_named().await;
    let begin = Instant::now();
    server.stop().await.unwrap();
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    assert_eq!(client.next().await, None);
    let answer = waiting.await.unwrap().unwrap();
    assert_eq!(answer.status(), 202);
    let body: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(body["job"]["id"], queued.data["id"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_read_is_sent_away_and_holds_up_nobody() {
    let server = TestServer::start_with(TestDatabase::Sqlite, |_| ()).await;
    server.wait_until_ready().await;
    let mut slow = EventClient::begin(&server).await;
    let mut quick = EventClient::begin(&server).await;
    // More than the socket's buffers and the backlog take: entries of 50 jobs with long inputs each.
    let queues = server.queues().await;
    let told = async {
        for round in 0..1_500 {
            queues
                .push(&"default".parse().unwrap(), &wide_jobs(round))
                .await
                .unwrap();
        }
    };
    let read = async {
        let mut entries = 0;
        while entries < 1_500 {
            entries += usize::from(quick.next_named().await.id.is_some());
        }
    };
    tokio::join!(told, read);
    let mut last = slow.next_named().await;
    while let Some(event) = slow.next().await {
        if !event.name.is_empty() {
            last = event;
        }
    }
    assert_eq!(
        (last.name.as_str(), &last.data),
        ("refresh", &json!({"reason": "behind"}))
    );
    assert!(last.id.is_some());
}

fn wide_jobs(round: u64) -> Vec<jobs::job::Envelope> {
    let input = json!({"index": round, "x": "x".repeat(200)});
    let input = serde_json::value::to_raw_value(&input).unwrap();
    let envelope = |_| jobs::job::Envelope::new(jobs::job::JobId::new(), "fibonacci", input.clone());
    (0..50).map(envelope).collect()
}
