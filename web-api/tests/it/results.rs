//! The whole output of a job: as JSON, as text, as a file, compressed, not there yet, not there any more.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use crate::support::server::{ApiResponse, TestServer};
use crate::support::{TestDatabase, on_both_databases};

/// Asks for a value, waits for it, and returns where the result is.
async fn completed(server: &TestServer, index: u64) -> String {
    let answer = server
        .post("/api/values?wait=60s", json!({"index": index}).to_string())
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["job"]["result_url"].as_str().unwrap().to_owned()
}

async fn get_with(server: &TestServer, path: &str, name: &str, value: &str) -> ApiResponse {
    ApiResponse::of(server.request(Method::GET, path).header(name, value)).await
}

on_both_databases! {
    async fn a_result_comes_as_json_as_text_or_as_a_file(database) {
        let server = TestServer::start(database).await;
        let url = completed(&server, 90).await;
        let json = server.get(&url).await;
        assert_eq!((json.header("content-type"), json.text.as_str()), ("application/json", "\"2880067194370816120\""));
        let text = get_with(&server, &url, "accept", "text/plain").await;
        assert_eq!((text.header("content-type"), text.text.as_str()), ("text/plain; charset=utf-8", "2880067194370816120"));
        assert!(text.header("vary").contains("accept"));
        let file = server.get(&format!("{url}?download=1")).await;
        assert_eq!(file.header("content-disposition"), "attachment; filename=\"fibonacci-90.txt\"");
        assert_eq!(file.text, "2880067194370816120");
        server.get(&format!("{url}?download=yes")).await.problem(400, "invalid_parameter");
    }

    async fn a_million_digits_come_whole_and_compressed(database) {
        let server = TestServer::start(database).await;
        let url = completed(&server, 1_000_000).await;
        let json = server.get(&url).await;
        assert_eq!(json.text.len(), 208_988 + 2);
        let text = get_with(&server, &url, "accept", "text/plain").await;
        assert_eq!(json.text, format!("\"{}\"", text.text));
        assert!(text.text.bytes().all(|digit| digit.is_ascii_digit()));
        let request = server.request(Method::GET, &url).header("accept-encoding", "gzip").header("accept", "text/plain");
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["content-encoding"], "gzip");
        let packed = response.bytes().await.unwrap();
        assert!(packed.starts_with(&[0x1f, 0x8b]) && packed.len() < 120_000, "{} bytes", packed.len());
        // What is short stays as it is.
        let small = completed(&server, 90).await;
        let small = get_with(&server, &small, "accept-encoding", "gzip").await;
        assert_eq!(small.header("content-encoding"), "");
    }

    async fn a_result_that_is_not_there_is_told_why(database) {
        let server = TestServer::idle(database).await;
        let job = server.post("/api/values", "{\"index\": 20000}").await.json()["job"].clone();
        let url = format!("/api/v1/jobs/{}/result", job["id"].as_str().unwrap());
        let problem = server.get(&url).await.problem(409, "not_finished");
        assert_eq!(problem["detail"], "The job is queued; its output is there once it is completed.");
        server.start_worker();
        server.job_in_state(job["id"].as_str().unwrap(), "completed").await;
        assert_eq!(server.get(&url).await.text.len(), 4_180 + 2);
        // Redis comes back without what it had: the row still knows that there was an output, and a small one even has it.
        let small = completed(&server, 90).await;
        server.redis.wipe();
        crate::support::eventually("the output is gone", || async {
            let answer = server.get(&url).await;
            (answer.status == 410).then(|| answer.problem(410, "output_expired"))
        })
        .await;
        assert_eq!(server.get(&small).await.text, "\"2880067194370816120\"");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_stays_awake_while_the_largest_value_is_computed() {
    let server = TestServer::start(TestDatabase::Sqlite).await;
    let computing = completed(&server, 10_000_000);
    let mut probes = Vec::new();
    let probing = async {
        loop {
            let begin = Instant::now();
            assert_eq!(server.get("/healthz").await.status, 200);
            probes.push(begin.elapsed());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let url = tokio::select! { url = computing => url, () = probing => unreachable!() };
    probes.sort_unstable();
    // A busy machine may hold up one probe; it must not hold up most of them.
    let (count, median) = (probes.len(), probes[probes.len() / 2]);
    assert!(count >= 10, "only {count} probes");
    assert!(
        median < Duration::from_millis(50),
        "the median of {count} probes is {median:?}"
    );
    let digits = get_with(&server, &url, "accept", "text/plain").await.text;
    assert_eq!(digits.len(), 2_089_877);
    // F(10,000,000) modulo 10^9, by doubling on machine words.
    assert_eq!(
        digits[digits.len() - 9..].parse::<u64>().unwrap(),
        fibonacci_modulo(10_000_000, 1_000_000_000)
    );
}

fn fibonacci_modulo(index: u64, modulus: u64) -> u64 {
    let (mut a, mut b) = (0, 1);
    for bit in (0..64 - index.leading_zeros()).rev() {
        let double = a * ((2 * b + modulus - a) % modulus) % modulus;
        let next = (a * a + b * b) % modulus;
        (a, b) = if index >> bit & 1 == 1 {
            (next, (double + next) % modulus)
        } else {
            (double, next)
        };
    }
    a
}
