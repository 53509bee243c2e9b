//! The whole path of one call, from the HTTP request to the digits, beside GMP alone on the same indices.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rug::{Complete, Integer};
use serde_json::{Value, json};
use xtask::server::{self, Server};
use xtask::{http, project};

use crate::sample::{count, median_of, ratio, time};
use crate::table::Table;

/// Around which index, and how many different ones a round measures. None repeats: the memo would answer.
const SIZES: [(u32, usize); 5] = [
    (10, 40),
    (1_000, 40),
    (100_000, 8),
    (1_000_000, 2),
    (10_000_000, 1),
];

/// What one index took.
#[derive(Clone, Copy)]
struct Times {
    /// GMP: the number, then its decimal text.
    alone: Duration,
    /// `POST …?wait=60s` until the answer that says `completed`.
    finished: Duration,
    /// The same and, when the answer holds only a preview, `GET` of the whole value.
    digits_here: Duration,
}

/// Measures and prints the table.
pub(crate) async fn run(rounds: usize, markdown: bool) -> Result<()> {
    println!("Fibonacci: from the HTTP call to the digits, beside GMP alone (number and decimal text)");
    println!(
        "One caller, all in one process, {rounds} rounds in turns, medians. No index is asked for twice.\n"
    );
    let spiral = tokio::task::block_in_place(Spiral::start)?;
    spiral.call(0).await.context("the first call, which warms up")?;
    let mut samples: Vec<Vec<Times>> = vec![Vec::new(); SIZES.len()];
    let mut used = [0_u32; SIZES.len()];
    for _ in 0..rounds {
        for ((size, samples), used) in SIZES.iter().zip(&mut samples).zip(&mut used) {
            for _ in 0..size.1 {
                // Upwards from 10, downwards from the rest: 10,000,000 is the limit.
                let index = if size.0 == 10 { 10 + *used } else { size.0 - *used };
                *used += 1;
                samples.push(spiral.measure(index).await?);
            }
        }
    }
    print(&samples, markdown);
    Ok(())
}

fn print(samples: &[Vec<Times>], markdown: bool) {
    let mut table = Table::new(&[
        "n",
        "digits",
        "calls",
        "GMP alone",
        "finished",
        "digits here",
        "on top",
        "ratio",
    ]);
    for (size, samples) in SIZES.iter().zip(samples) {
        let of = |field: fn(&Times) -> Duration| median_of(samples, field);
        let (alone, finished, here) = (
            of(|times| times.alone),
            of(|times| times.finished),
            of(|times| times.digits_here),
        );
        table.row([
            count(u64::from(size.0)),
            count(digits(size.0)),
            samples.len().to_string(),
            time(alone),
            time(finished),
            time(here),
            time(here.saturating_sub(alone)),
            ratio(here.as_secs_f64() / alone.as_secs_f64()),
        ]);
    }
    table.print(markdown);
}

/// The running all-in-one server. Fields end in this order: the server before its folder.
struct Spiral {
    client: reqwest::Client,
    address: String,
    _server: Server,
    _folder: tempfile::TempDir,
}

impl Spiral {
    fn start() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("spiral-bench-").tempdir()?;
        let port = project::free_port()?;
        let mut command = server::command(project::binary("web-api")?);
        command
            .args(["all-in-one", "--listen", &format!("127.0.0.1:{port}"), "--data"])
            .arg(folder.path().join("data"));
        command.env("SPIRAL_LOG", "warn");
        let mut server = Server::start("web-api", &mut command, &folder.path().join("web-api.log"))?;
        server.wait_until(Duration::from_mins(1), || {
            http::status(port, "/readyz") == Some(200)
        })?;
        let client = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self {
            client,
            address: format!("http://127.0.0.1:{port}"),
            _server: server,
            _folder: folder,
        })
    }

    async fn measure(&self, index: u32) -> Result<Times> {
        let begin = Instant::now();
        let expected = Integer::fibonacci(index).complete().to_string();
        let alone = begin.elapsed();
        let (finished, digits_here, digits) = self.call(index).await?;
        ensure!(digits == expected, "F({index}) is wrong");
        Ok(Times {
            alone,
            finished,
            digits_here,
        })
    }

    /// One call: when it was finished, when the digits were here, and the digits.
    async fn call(&self, index: u32) -> Result<(Duration, Duration, String)> {
        xtask::interrupt::check()?;
        let begin = Instant::now();
        let post = self.client.post(format!(
            "{}/api/v1/functions/fibonacci/jobs?wait=60s",
            self.address
        ));
        let job: Value = post
            .json(&json!({"input": {"index": index}}))
            .send()
            .await?
            .error_for_status()?
            .json()
            .await?;
        let finished = begin.elapsed();
        ensure!(job["state"] == "completed", "F({index}) was not completed: {job}");
        let digits = if let Some(digits) = job["output"].as_str() {
            digits.to_owned()
        } else {
            let path = job["result_url"]
                .as_str()
                .context("a finished job without a `result_url`")?;
            let get = self
                .client
                .get(format!("{}{path}", self.address))
                .header("accept", "text/plain");
            get.send().await?.error_for_status()?.text().await?
        };
        Ok((finished, begin.elapsed(), digits))
    }
}

/// How many digits F(n) has.
fn digits(n: u32) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a small positive number"
    )]
    let digits = (f64::from(n) * 0.208_987_640_249_978_7 - 0.349_485_002_168_009_4).floor() as u64 + 1;
    digits
}
