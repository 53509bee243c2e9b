//! The history of a job that something is wrong with: its row, what Redis holds of it, what happened to it in the
//! rows, the events and all logs, and the faults meanwhile, in the order of time.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;
use jobs::job::JobId;
use redis::Connection;

use crate::logs::{self, Line};
use crate::stack::{self, Stack};
use crate::verdict::{Offence, Verdict};
use crate::witness::audit::Audit;

/// Jobs that are told of, of each check and in all.
const PER_CHECK: usize = 2;
const IN_ALL: usize = 6;
/// Lines about one job.
const LINES: usize = 200;
/// Keys that are looked through. Outputs and memos are few keys however many values they hold.
const KEYS: usize = 10_000;

/// Tells of the jobs that offend, some of each kind. PostgreSQL and Redis still run.
pub(crate) async fn of(verdict: &Verdict, stack: &Stack, audit: &Audit, folder: &Path) -> Result<String> {
    let mut told: Vec<JobId> = Vec::new();
    let mut text = String::new();
    stack.notes.flush();
    for check in &verdict.checks {
        let jobs = check
            .offences
            .iter()
            .filter_map(|offence| Some((offence.job?, offence)));
        for (job, Offence { what, .. }) in jobs.take(PER_CHECK) {
            if told.contains(&job) || told.len() >= IN_ALL {
                continue;
            }
            told.push(job);
            writeln!(text, "\nThe history of {job} ({}: {what})", check.what)?;
            tell(&mut text, job, stack, audit, folder).await?;
        }
    }
    Ok(text)
}

async fn tell(text: &mut String, job: JobId, stack: &Stack, audit: &Audit, folder: &Path) -> Result<()> {
    let row = audit.row_text(job).await?;
    writeln!(text, "  row    {}", row.as_deref().unwrap_or("there is none"))?;
    match held(&mut stack.redis.connect()?, job) {
        Ok(held) if held.is_empty() => writeln!(text, "  Redis  holds nothing of it")?,
        Ok(held) => {
            for place in held {
                writeln!(text, "  Redis  {place}")?;
            }
        }
        Err(error) => writeln!(text, "  Redis  cannot be asked: {error}")?,
    }
    let id = job.to_string();
    let mut lines = logs::lines(folder, LINES, |line| line.contains(&id))?;
    for (time, change) in audit.changes(job).await? {
        let time = time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
        lines.push(Line {
            text: format!("{time} {change}"),
            source: "row".to_owned(),
        });
    }
    lines.sort();
    // The faults between its first line and its last one.
    if let (Some(first), Some(last)) = (lines.first(), lines.last()) {
        let (first, last) = (first.text.clone(), last.text.clone());
        let between = |line: &str| *line > *first && *line < *last;
        lines.extend(logs::lines_of(&folder.join(stack::NOTES), between)?);
        lines.sort();
    }
    for line in lines {
        writeln!(text, "  {:<14} {}", line.source, line.text)?;
    }
    Ok(())
}

/// Every place in Redis where the id is, whatever the engine calls it.
fn held(connection: &mut Connection, job: JobId) -> redis::RedisResult<Vec<String>> {
    let id = job.to_string();
    let keys: Vec<String> = redis::cmd("SCAN")
        .cursor_arg(0)
        .arg("COUNT")
        .arg(1_000)
        .clone()
        .iter::<String>(connection)?
        .take(KEYS)
        .collect::<redis::RedisResult<_>>()?;
    let mut places = Vec::new();
    for key in keys {
        let kind: String = redis::cmd("TYPE").arg(&key).query(connection)?;
        let found: Option<redis::Value> = match kind.as_str() {
            "hash" => ask(connection, "HGET", &key, &id)?,
            "zset" => ask(connection, "ZSCORE", &key, &id)?,
            "list" => ask(connection, "LPOS", &key, &id)?,
            "set" => {
                let there: bool = redis::cmd("SISMEMBER").arg(&key).arg(&id).query(connection)?;
                there.then_some(redis::Value::Okay)
            }
            _ => None,
        };
        if let Some(value) = found {
            let value: String = redis::from_redis_value(value).unwrap_or_default();
            let value: String = value.chars().take(400).collect();
            places.push(format!("{key} ({kind}): {value}"));
        }
    }
    Ok(places)
}

fn ask(
    connection: &mut Connection,
    command: &str,
    key: &str,
    id: &str,
) -> redis::RedisResult<Option<redis::Value>> {
    redis::cmd(command).arg(key).arg(id).query(connection)
}
