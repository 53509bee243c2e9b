//! Schemathesis: every operation of the OpenAPI document, called with what fits it and with what does not, against a real
//! API with PostgreSQL, Redis and a worker. The document has to be right about everything that comes back.

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::postgres::Postgres;
use crate::skipped::Skipped;
use crate::stack::Stack;
use crate::tally::{self, Tally};
use crate::{process, project, python, say};

const PROGRAM: &str = "schemathesis";

/// What is not checked, and why.
const SETTINGS: &str = "ci/tests/schemathesis.toml";

/// Requests, unless told: enough for all examples and edge cases of the document, and a few of chance for each operation.
const USUAL: u64 = 2_000;

/// Requests in one run, about: what is made by chance in a longer one is kept in memory to be made smaller.
const IN_ONE_RUN: u64 = 10_000;

/// Calls the API so many times, at least: `--requests N`.
pub(super) fn run(postgres: &Postgres, arguments: &[OsString]) -> Result<Tally> {
    let wanted = requests(arguments)?;
    match python::command(PROGRAM) {
        Err(error) if error.is::<Skipped>() => {
            println!("  skipped: {error}");
            return Ok(Tally::default());
        }
        found => drop(found?),
    }
    let folder = tempfile::Builder::new()
        .prefix("spiral-api-")
        .tempdir()
        .context("no temporary folder")?;
    let step = say::Step::begin("stack", "starting PostgreSQL, Redis, worker and web-api");
    let stack = Stack::start(postgres, "spiral_api", folder.path(), &[])?;
    let front = stack.front("web-api", &[])?;
    step.end(&format!("{} answers", front.api()));

    let mut made = 0;
    let mut tally = Tally::default();
    for seed in 1.. {
        let of_run = run_once(folder.path(), &front.api(), seed, wanted - made)?;
        made += of_run.requests;
        tally = Tally {
            // The same operations again are no other tests.
            passed: of_run.tested.saturating_sub(of_run.failures),
            failed: tally.failed + of_run.failures,
        };
        if of_run.requests == 0 {
            bail!("Schemathesis has called nothing: what it said is above");
        }
        if made >= wanted || tally.failed > 0 {
            break;
        }
    }
    println!("\n  {made} requests, {} operations", tally.passed + tally.failed);
    if tally.failed > 0 {
        stack.show_logs();
    }
    Ok(tally)
}

/// What one run says at its end.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Run {
    requests: u64,
    tested: u64,
    failures: u64,
}

fn run_once(folder: &Path, api: &str, seed: u64, wanted: u64) -> Result<Run> {
    let mut command = python::command(PROGRAM)?;
    command
        .arg("--config-file")
        .arg(project::path(SETTINGS))
        .args(["--no-color", "run"])
        .arg(project::path("web-api/openapi.json"))
        .args(["--url", api, "--checks", "all", "--continue-on-failure"])
        // A slow machine is no failure.
        .args(["--request-timeout", "60", "--max-response-time", "60"])
        .args(["--seed", &seed.to_string()])
        .args(["--max-examples", &examples(wanted).to_string()])
        // Beside its settings it keeps what it has learned.
        .current_dir(folder);
    let mut run = Run::default();
    let status = process::run_watched(&mut command, |line| run.read(line))?;
    if !status.success() {
        run.failures = run.failures.max(1);
    }
    Ok(run)
}

/// Requests by chance for each operation, of which there are about fifty. They are a part of all.
fn examples(requests: u64) -> u64 {
    (requests.min(IN_ONE_RUN) / 100).max(5)
}

impl Run {
    fn read(&mut self, line: &str) {
        let line = tally::plain(line);
        let line = line.trim();
        // `Tested: 48` and `2990 generated, 2990 passed`, or `2706 generated, 22 found 22 unique failures`.
        if let Some(count) = line.strip_prefix("Tested: ") {
            self.tested = count.trim().parse().unwrap_or_default();
        } else if let Some((count, rest)) = line.split_once(" generated, ") {
            self.requests = count.parse().unwrap_or_default();
            let found = rest.split_once(" found ").map(|(_, found)| found);
            let failures = found.and_then(|found| found.split(' ').next()?.parse().ok());
            self.failures = failures.unwrap_or_default();
        }
    }
}

fn requests(arguments: &[OsString]) -> Result<u64> {
    let words: Vec<&str> = arguments.iter().filter_map(|word| word.to_str()).collect();
    match words.as_slice() {
        [] => Ok(USUAL),
        ["--requests", count] => count
            .replace(['_', ','], "")
            .parse()
            .with_context(|| format!("`--requests {count}` is no number")),
        _ => bail!("the part `api` takes `--requests N` and nothing else"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Run {
        let mut run = Run::default();
        for line in lines {
            run.read(line);
        }
        run
    }

    #[test]
    fn the_closing_lines_are_read() {
        let good = read(&[
            "  Selected: 48/49",
            "  Tested: 48",
            "Test cases:",
            "  2990 generated, 2990 passed",
        ]);
        let expected = |requests, failures| Run {
            requests,
            tested: 48,
            failures,
        };
        assert_eq!(good, expected(2_990, 0));
        let bad = read(&["  Tested: 48", "  2706 generated, 22 found 22 unique failures"]);
        assert_eq!(bad, expected(2_706, 22));
        assert_eq!(read(&["nothing"]), Run::default());
    }

    #[test]
    fn the_number_of_requests_may_be_given() {
        let read = |words: &[&str]| requests(&words.iter().map(OsString::from).collect::<Vec<_>>());
        assert_eq!(read(&[]).unwrap(), USUAL);
        assert_eq!(read(&["--requests", "20,000"]).unwrap(), 20_000);
        assert!(read(&["--requests", "many"]).is_err() && read(&["--seed", "1"]).is_err());
    }
}
