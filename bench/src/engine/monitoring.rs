//! What the pages for operators ask, over HTTP, of a PostgreSQL with a million jobs: how long each answer takes.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use xtask::{interrupt, say};

use super::stack::Stack;
use crate::sample::{median, percentile, time};
use crate::table::Table;

/// What each answer may take.
const AIM: Duration = Duration::from_millis(100);
/// Answers of each question in a round.
const RUNS: usize = 20;

/// A million jobs of thirty days: 88 % completed, 10 % dead of forty failures, some that wait, of four functions and two
/// queues, one in sixteen with a tag that many have and each with one that few have; and the numbers of a day in minutes and of 90 days in hours.
pub(crate) const FILL: [&str; 7] = [
    "INSERT INTO failures (fingerprint, function, queue, kind, pattern, first_seen_at, last_seen_at)
     SELECT lpad(to_hex(n), 16, '0'), 'fibonacci', 'default', 'error', 'timed out in step ' || n,
            now() - interval '30 days', now()
     FROM generate_series(0, 39) AS n",
    "WITH numbered AS (
        SELECT n, (extract(epoch FROM now()) * 1000)::bigint - (1000000 - n)::bigint * 2592 AS ms,
               n % 1000 AS part
        FROM generate_series(1, 1000000) AS n
     ), stated AS (
        SELECT *, to_timestamp(ms / 1000.0) AS at,
               CASE WHEN part < 100 THEN 'dead' WHEN part < 110 THEN 'queued' WHEN part < 112 THEN 'retrying'
                    WHEN part < 120 THEN 'cancelled' ELSE 'completed' END AS state
        FROM numbered
     )
     INSERT INTO jobs (id, function, queue, input, state, attempt, max_attempts, timeout_ms, worker, created_at,
                       started_at, finished_at, priority, fairness_key, error_kind, error_message, failure, run_at)
     SELECT (SELECT string_agg(substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', ((ms >> (5 * place)) & 31)::int + 1, 1), ''
                               ORDER BY place DESC) FROM generate_series(0, 9) AS place)
              || lpad(upper(to_hex(n)), 16, '0'),
            (ARRAY['fibonacci', 'echo', 'sleep', 'flaky'])[n % 4 + 1],
            CASE WHEN n % 3 = 0 THEN 'mail' ELSE 'default' END,
            jsonb_build_object('index', n % 5000), state, 1, 3, 60000, 'worker-' || n % 7, at,
            CASE WHEN state <> 'queued' THEN at END,
            CASE WHEN state IN ('dead', 'cancelled', 'completed') THEN at + interval '1 second' END,
            CASE WHEN n % 50 = 0 THEN 1 ELSE 5 END, '',
            CASE WHEN state IN ('dead', 'retrying') THEN 'error' END,
            CASE WHEN state IN ('dead', 'retrying') THEN 'timed out in step ' || n % 40 END,
            CASE WHEN state IN ('dead', 'retrying') THEN lpad(to_hex(n % 40), 16, '0') END,
            CASE WHEN state = 'retrying' THEN now() + interval '30 days' END
     FROM stated",
    "INSERT INTO job_tags (tag, job_id)
     SELECT 'customer:' || row_number() OVER () % 5000, id FROM jobs
     UNION ALL SELECT 'nightly', id FROM jobs WHERE right(id, 1) = '7'",
    // Those wait in SQL for their time, so that nothing but the questions is at work.
    "UPDATE jobs SET parked_until = run_at WHERE state = 'retrying'",
    "UPDATE jobs SET dispatched_at = now() WHERE state = 'queued'",
    "INSERT INTO stats (step, at, queue, function, enqueued, completed, failed, dead, wait, run)
     SELECT step, at, queue, function, 120, 110, 12, 3, histogram, histogram
     FROM (
        SELECT 60 AS step, at FROM generate_series(date_trunc('minute', now() - interval '1 day'), now(), '1 minute') AS at
        UNION ALL
        SELECT 3600, at FROM generate_series(date_trunc('hour', now() - interval '90 days'), now(), '1 hour') AS at
     ) AS steps,
     unnest(ARRAY['default', 'mail']) AS queue, unnest(ARRAY['fibonacci', 'echo', 'sleep', 'flaky']) AS function,
     (SELECT decode(string_agg(lpad(to_hex(bucket), 2, '0') || '05', ''), 'hex') AS histogram
      FROM generate_series(10, 60) AS bucket) AS made",
    "VACUUM ANALYZE",
];

/// Fills a database, asks, and prints the times.
pub(crate) async fn run(rounds: usize, markdown: bool) -> Result<()> {
    let step = say::Step::begin("monitoring", "making 1,000,000 jobs in PostgreSQL");
    let stack = Stack::start(1).await?;
    for statement in FILL {
        interrupt::check()?;
        stack.ask(statement)?;
    }
    step.end("made");
    let last_of_page = |page: u32| -> Result<String> {
        let offset = page * 50 - 1;
        let id = stack.ask(&format!(
            "SELECT id FROM jobs ORDER BY id DESC OFFSET {offset} LIMIT 1"
        ))?;
        Ok(id.trim().to_owned())
    };
    let queued = stack.ask("SELECT max(id) FROM jobs WHERE state = 'queued'")?;
    let questions = [
        ("first page", "jobs".to_owned()),
        ("page 1,000", format!("jobs?cursor={}", last_of_page(999)?)),
        ("state", "jobs?state=dead".to_owned()),
        ("two states", "jobs?state=dead,retrying".to_owned()),
        ("function", "jobs?function=echo".to_owned()),
        ("queue", "jobs?queue=mail".to_owned()),
        (
            "state and function",
            "jobs?state=dead&function=fibonacci".to_owned(),
        ),
        ("words of an error", "jobs?q=%22timed%20out%22".to_owned()),
        ("rare words of an error", "jobs?q=nowhere".to_owned()),
        ("failure", "jobs?failure=0000000000000007".to_owned()),
        ("tag that few have", "jobs?tag=customer:17".to_owned()),
        (
            "tag that many have, and state",
            "jobs?tag=nightly&state=dead".to_owned(),
        ),
        ("tags by prefix", "tags?prefix=customer:".to_owned()),
        ("worker", "jobs?worker=worker-3".to_owned()),
        ("value in the input", "jobs?q=index:4711".to_owned()),
        ("priority", "jobs?q=priority:1".to_owned()),
        ("time range", format!("jobs?created_before={}", days_ago(10))),
        (
            "a queued job, with its position",
            format!("jobs/{}", queued.trim()),
        ),
        ("failures, grouped", "failures".to_owned()),
        ("counts and overview", "overview".to_owned()),
        ("stats of an hour", "stats".to_owned()),
        ("stats of a day", format!("stats?from={}", days_ago(1))),
        ("stats of 90 days", format!("stats?from={}", days_ago(90))),
    ];
    let mut table = Table::new(&["1,000,000 jobs", "median", "p95", "aim: p95 below 100 ms"]);
    for (name, path) in questions {
        let mut times = Vec::with_capacity(RUNS * rounds);
        for run in 0..=RUNS * rounds {
            interrupt::check()?;
            let begin = Instant::now();
            let answer = stack
                .client
                .get(format!("{}/api/v1/{path}", stack.address))
                .send()
                .await?;
            let answer = answer
                .error_for_status()
                .with_context(|| format!("{name} failed"))?;
            answer.bytes().await?;
            // The first finds nothing in memory, and is what nobody waits for twice.
            if run > 0 {
                times.push(begin.elapsed());
            }
        }
        let p95 = percentile(&times, 95);
        let met = if p95 < AIM { "met" } else { "missed" };
        table.row([name.to_owned(), time(median(&times)), time(p95), met.to_owned()]);
    }
    table.print(markdown);
    Ok(())
}

/// As the API reads it.
fn days_ago(days: i64) -> String {
    let at = chrono::Utc::now() - chrono::TimeDelta::days(days);
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}
